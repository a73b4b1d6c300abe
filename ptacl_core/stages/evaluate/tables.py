"""An evaluation patient by patient, as rows of the store: what paired comparisons start from.

They stand in the store alone, where an erasure reaches every patient.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.stages.evaluate.table_one import KS, RetrievalRun
from ptacl_core.stages.evaluate.table_two import RowPredictions

if TYPE_CHECKING:
    import pyarrow as pa

FORMER_FILES = ("predictions.parquet", "retrieval.parquet")
"""Where these rows lay before the store held them: beside evaluation.json."""


def build_predictions(
    run: str, test: EvaluationSplit, predictions: Sequence[RowPredictions]
) -> "pa.Table":
    """One line per row of Table 2, test patient and phenotype; null where a label is absent."""
    import pyarrow as pa

    num_targets = len(PHENOTYPE_NAMES)
    tables = []
    for prediction in predictions:
        count = len(test) * num_targets
        tables.append(
            pa.table(
                {
                    "run": pa.array([run] * count),
                    "variant": pa.array([prediction.key] * count),
                    "modality": pa.array([prediction.modality] * count),
                    **_keys(test, num_targets),
                    "phenotype": pa.array(list(PHENOTYPE_NAMES) * len(test)),
                    "observed": _numbers(test.phenotypes.ravel()),
                    "predicted": _numbers(prediction.predicted.ravel()),
                }
            )
        )
    return pa.concat_tables(tables)


def build_retrieval(run: str, test: EvaluationSplit, runs: Sequence[RetrievalRun]) -> "pa.Table":
    """One line per direction, own included or not, test patient and phenotype.

    Null where the patient lacks the phenotype, or the phenotype cannot be judged.
    """
    import pyarrow as pa

    tables = []
    for retrieval_run in runs:
        for name in PHENOTYPE_NAMES:
            precision = np.full((len(test), len(KS)), np.nan)
            rank = np.full(len(test), np.nan)
            result = retrieval_run.by_phenotype.get(name)
            if result is not None:
                precision[result.query_indices] = result.precision
                rank[result.query_indices] = result.first_match_rank
            tables.append(
                pa.table(
                    {
                        "run": pa.array([run] * len(test)),
                        "direction": pa.array([retrieval_run.direction] * len(test)),
                        "own": pa.array([retrieval_run.own] * len(test)),
                        **_keys(test, 1),
                        "phenotype": pa.array([name] * len(test)),
                        **{f"p_at_{k}": _numbers(precision[:, i]) for i, k in enumerate(KS)},
                        "first_match_rank": pa.array(
                            rank, pa.int32(), mask=np.isnan(rank), safe=False
                        ),
                    }
                )
            )
    return pa.concat_tables(tables)


def _keys(test: EvaluationSplit, num_repeats: int) -> dict[str, "pa.Array"]:
    import pyarrow as pa

    return {
        "patient": pa.array([patient for patient in test.patients for _ in range(num_repeats)]),
        "visit": pa.array(np.repeat(test.visits, num_repeats), pa.int32()),
    }


def _numbers(values: np.ndarray) -> "pa.Array":
    import pyarrow as pa

    return pa.array(np.ascontiguousarray(values), pa.float64(), mask=np.isnan(values))
