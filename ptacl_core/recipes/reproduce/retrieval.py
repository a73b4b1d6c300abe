"""Table 1: retrieval over seeds, the pair of methods compared, and the check against Table 2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.reproduction import Method, ReproductionSize, name_run
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import expected_precision
from ptacl_core.evaluate.references import TABLE_1
from ptacl_core.evaluate.resampling import draw_resamples
from ptacl_core.evaluate.row_comparison import (
    RowScores,
    compare_rows,
    score_means,
)
from ptacl_core.recipes.reproduce.differences import describe_difference
from ptacl_core.recipes.reproduce.rows import (
    FIGURES,
    RESAMPLING_SEED,
    TableTwoRows,
    plain,
)
from ptacl_core.records import PHENOTYPE_NAMES

KS = (1, 3, 5, 10, 15)
OWN = ("included", "excluded")
DIRECTION = "ecg-cmr"
FILE = "retrieval.parquet"

Patient = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class RetrievedRow:
    """Precision at each k of one method over all seeds, with its own cine in or out."""

    method: Method
    scores: Mapping[tuple[str, int], RowScores]
    documents: tuple[dict[str, Any], ...]


def describe_retrieval(
    cohort_dir: Path,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    evaluations: Mapping[str, Sequence[dict[str, Any]]],
    table_two: TableTwoRows,
    *,
    num_resamples: int,
) -> dict[str, Any]:
    """Section `retrieval` of the document; `evaluations` are each run's documents by seed."""
    chosen = [method for method in methods if method.run in evaluations]
    if not chosen:
        return {"why_not": "no aligned method that is evaluated was reproduced"}
    folders = [
        cohort_dir / "runs" / name_run(size.name, seed, method.run)
        for method in chosen
        for seed in seeds
    ]
    lacking = [path.name for path in folders if not (path / "evaluation" / FILE).exists()]
    if lacking:
        return {"why_not": f"no evaluation/{FILE} in {', '.join(lacking)}"}
    read = {
        method.key: [
            _read(cohort_dir / "runs" / name_run(size.name, seed, method.run)) for seed in seeds
        ]
        for method in chosen
    }
    patients = _shared([table for tables in read.values() for table in tables])
    resamples = draw_resamples(
        len(patients),
        num_resamples=num_resamples,
        generator=np.random.default_rng(RESAMPLING_SEED),
        patients=[name for name, _ in patients],
    )
    rows = [
        RetrievedRow(
            method,
            {
                (own, k): score_means(
                    np.stack([table.precision(own, k, patients) for table in read[method.key]]),
                    resamples,
                )
                for own in OWN
                for k in KS
            },
            tuple(evaluations[method.run]),
        )
        for method in chosen
    ]
    return {
        "direction": DIRECTION,
        "patients": len(patients),
        "methods": [_describe_row(row) for row in rows],
        "comparisons": _describe_pair(rows),
        "consistency": [check for row in rows for check in _check_consistency(row, table_two)],
    }


class _RetrievalTable:
    """Per query patient and phenotype the precision at each k, of one run."""

    def __init__(self, table: pa.Table) -> None:
        is_chosen = [name == DIRECTION for name in table.column("direction").to_pylist()]
        table = table.filter(pa.array(is_chosen))
        visits = zip(
            table.column("patient").to_pylist(), table.column("visit").to_pylist(), strict=True
        )
        who = list(visits)
        self._place = {patient: index for index, patient in enumerate(dict.fromkeys(who))}
        shape = (len(OWN), len(self._place), len(PHENOTYPE_NAMES), len(KS))
        self._precision = np.full(shape, np.nan)
        rows = [self._place[patient] for patient in who]
        owns = [OWN.index(own) for own in table.column("own").to_pylist()]
        names = [PHENOTYPE_NAMES.index(name) for name in table.column("phenotype").to_pylist()]
        for column, k in enumerate(KS):
            values = table.column(f"p_at_{k}").to_numpy()
            self._precision[owns, rows, names, column] = values

    @property
    def patients(self) -> Mapping[Patient, int]:
        """Query patients and their place."""
        return self._place

    def precision(
        self, own: str, k: int, patients: Sequence[Patient]
    ) -> Float64[Array, "patient target"]:
        """Rows in the order of `patients`; NaN where a phenotype is absent."""
        chosen = [self._place[who] for who in patients]
        return self._precision[OWN.index(own), chosen, :, KS.index(k)]


def _read(run_dir: Path) -> _RetrievalTable:
    try:
        return _RetrievalTable(pq.read_table(run_dir / "evaluation" / FILE))
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise CohortError(
            f"run {run_dir.name}: evaluation/{FILE} cannot be read ({type(error).__name__}); "
            f"remove runs/{run_dir.name}/reproduce.json and reproduce again"
        ) from None


def _shared(tables: Sequence[_RetrievalTable]) -> list[Patient]:
    shared = [
        who for who in tables[0].patients if all(who in table.patients for table in tables[1:])
    ]
    if len(shared) < 2:
        raise CohortError(f"the runs' retrievals share {len(shared)} patients; expected at least 2")
    return shared


def _describe_row(row: RetrievedRow) -> dict[str, Any]:
    published = TABLE_1.get(row.method.published_retrieval, {})
    tables: dict[str, Any] = {}
    for own in OWN:
        cells: dict[str, dict[str, Any]] = {}
        for index, name in enumerate(FIGURES):
            cell: dict[str, Any] = {}
            for k in KS:
                scores = row.scores[own, k]
                is_compared = own == "included" and name in published
                cell[f"p_at_{k}"] = {
                    "value": plain(scores.mean[index]),
                    "low": plain(scores.bound(0.025)[index]),
                    "high": plain(scores.bound(0.975)[index]),
                    "seed_sd": plain(scores.seed_sd[index]),
                    "published": published[name].p_at[k] if is_compared else None,
                }
            known = published.get(name) if own == "included" else None
            cells[name] = {
                **cell,
                **_average_ranks(row.documents, own, name),
                "published_mean_rank": None if known is None else known.mean_rank,
                "published_median_rank": None if known is None else known.median_rank,
            }
        tables[own] = cells
    return {
        "key": row.method.key,
        "title": row.method.title,
        "published": row.method.published_retrieval,
        "own": tables,
        "pair_recall": [document.get("pair_recall") for document in row.documents],
    }


def _average_ranks(
    documents: Sequence[Mapping[str, Any]], own: str, phenotype: str
) -> dict[str, float | None]:
    """Ranks of the first match and the random reference, averaged over seeds."""
    names = ("mean_rank", "median_rank", "random_p_at_1", "random_p_at_10")
    cells = [document["retrieval"][own].get(phenotype) for document in documents]
    if phenotype == "mean":
        cells = [document["retrieval_mean"][own] for document in documents]
    averaged = {}
    for name in names:
        values = [cell[name] for cell in cells if cell is not None and cell.get(name) is not None]
        averaged[name] = sum(values) / len(values) if values else None
    return averaged


def _describe_pair(rows: Sequence[RetrievedRow]) -> list[dict[str, Any]]:
    """PTACL minus Global under the retrieval settings, at 1 and 10."""
    found = {row.method.published_retrieval: row for row in rows if row.method.published_retrieval}
    if not {"Global", "PTACL"} <= found.keys():
        return []
    first, second = found["PTACL"], found["Global"]
    return [
        {
            "first": first.method.key,
            "second": second.method.key,
            "own": own,
            "k": k,
            "figures": describe_difference(
                compare_rows(first.scores[own, k], second.scores[own, k])
            ),
        }
        for own in OWN
        for k in (1, 10)
    ]


def _check_consistency(row: RetrievedRow, table_two: TableTwoRows) -> list[dict[str, Any]]:
    """Precision at 10 that both probes' R² allow, beside the one measured, own cine out."""
    ecg, cmr = (table_two.rows.get(row.method.row(modality)) for modality in ("ecg", "cmr"))
    if ecg is None or cmr is None:
        return []
    measured = row.scores["excluded", 10].mean
    expected = expected_precision(ecg.scores.mean[:-1], cmr.scores.mean[:-1])
    return [
        {
            "method": row.method.key,
            "phenotype": name,
            "r2_ecg": plain(ecg.scores.mean[index]),
            "r2_cmr": plain(cmr.scores.mean[index]),
            "expected_p_at_10": plain(np.asarray(expected)[index]),
            "measured_p_at_10": plain(measured[index]),
        }
        for index, name in enumerate(PHENOTYPE_NAMES)
    ]
