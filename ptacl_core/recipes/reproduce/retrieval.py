"""Table 1: retrieval over seeds, the pair of methods compared, and the check against Table 2."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.cohort import Cohort
from ptacl_core.config.reproduction import Method, ReproductionSize, name_run
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.documents.figures import finite
from ptacl_core.documents.reproduction import (
    ConsistencyCheck,
    NoRetrieval,
    RetrievalComparison,
    RetrievalSection,
    RetrievedFigure,
    RetrievedMethod,
    RetrievedPhenotype,
)
from ptacl_core.documents.retrieval import MeanRetrieval, RetrievalCell
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import expected_precision
from ptacl_core.evaluate.references import TABLE_1
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED, draw_resamples
from ptacl_core.evaluate.row_comparison import (
    RowScores,
    compare_rows,
    score_means,
)
from ptacl_core.recipes.reproduce.archive import FindRun
from ptacl_core.recipes.reproduce.hits import (
    DIRECTION,
    KS,
    OWN,
    Hits,
    Patient,
    read_archived_hits,
    read_hits,
)
from ptacl_core.recipes.reproduce.rows import TableTwoRows
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.stages.evaluate.table_two import FIGURES, describe_difference


@dataclass(frozen=True, slots=True, eq=False)
class RetrievedRow:
    """Precision at each k of one method over all seeds, with its own cine in or out."""

    method: Method
    scores: Mapping[tuple[str, int], RowScores]
    documents: tuple[EvaluationDocument, ...]


def describe_retrieval(
    cohort_dir: Path,
    find_run: FindRun,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    evaluations: Mapping[str, Sequence[EvaluationDocument]],
    table_two: TableTwoRows,
    *,
    num_resamples: int,
) -> RetrievalSection | NoRetrieval:
    """Section `retrieval` of the document; `evaluations` are each run's documents by seed."""
    chosen = [method for method in methods if method.run in evaluations]
    if not chosen:
        return NoRetrieval(why_not="no aligned method that is evaluated was reproduced")
    with Cohort.open(cohort_dir) as cohort:
        read = {
            method.key: [
                _read(cohort, find_run(name_run(size.name, seed, method.run))) for seed in seeds
            ]
            for method in chosen
        }
    patients = _shared([table for tables in read.values() for table in tables])
    resamples = draw_resamples(
        len(patients),
        num_resamples=num_resamples,
        generator=np.random.default_rng(BOOTSTRAP_SEED),
        patients=[name for name, _ in patients],
    )
    rows = [
        RetrievedRow(
            method,
            {
                (own, k): score_means(
                    np.stack([table.take(own, k, patients) for table in read[method.key]]),
                    resamples,
                )
                for own in OWN
                for k in KS
            },
            tuple(evaluations[method.run]),
        )
        for method in chosen
    ]
    return RetrievalSection(
        direction=DIRECTION,
        patients=len(patients),
        methods=tuple(_describe_row(row) for row in rows),
        comparisons=_describe_pair(rows),
        consistency=tuple(check for row in rows for check in _check_consistency(row, table_two)),
    )


def _read(cohort: Cohort, run_dir: Path) -> Hits:
    """Hits of a run query by query: from its archive, or from the store."""
    hits = read_archived_hits(run_dir) or read_hits(cohort, run_dir.name)
    if hits is None:
        raise CohortError(
            f"the store has no retrieval of {run_dir.name}; remove its reproduce.json and "
            "reproduce again"
        )
    return hits


def _shared(tables: Sequence[Hits]) -> list[Patient]:
    shared = [
        who for who in tables[0].patients if all(who in table.patients for table in tables[1:])
    ]
    if len(shared) < 2:
        raise CohortError(f"the runs' retrievals share {len(shared)} patients; expected at least 2")
    return shared


def _describe_row(row: RetrievedRow) -> RetrievedMethod:
    return RetrievedMethod(
        key=row.method.key,
        title=row.method.title,
        published=row.method.published_retrieval,
        own={
            own: {name: _describe_cell(row, own, index) for index, name in enumerate(FIGURES)}
            for own in OWN
        },
        pair_recall=tuple(document.pair_recall for document in row.documents),
    )


def _describe_cell(row: RetrievedRow, own: str, index: int) -> RetrievedPhenotype:
    """One phenotype, or the mean; the paper's figures are those with the own cine included."""
    name = FIGURES[index]
    published = TABLE_1.get(row.method.published_retrieval, {})
    known = published.get(name) if own == "included" else None
    precision = {}
    for k in KS:
        scores = row.scores[own, k]
        precision[f"p_at_{k}"] = RetrievedFigure(
            value=finite(scores.mean[index]),
            low=finite(scores.bound(0.025)[index]),
            high=finite(scores.bound(0.975)[index]),
            seed_sd=finite(scores.seed_sd[index]),
            published=None if known is None else known.p_at[k],
        )
    return RetrievedPhenotype.model_validate(
        {
            **precision,
            **_average_ranks(row.documents, own, name),
            "published_mean_rank": None if known is None else known.mean_rank,
            "published_median_rank": None if known is None else known.median_rank,
        }
    )


def _average_ranks(
    documents: Sequence[EvaluationDocument], own: str, phenotype: str
) -> dict[str, float | None]:
    """Ranks of the first match and the random reference, averaged over seeds."""
    cells: list[RetrievalCell | MeanRetrieval | None] = [
        document.retrieval_mean[own]
        if phenotype == "mean"
        else document.retrieval[own].get(phenotype)
        for document in documents
    ]
    averaged = {}
    for name in ("mean_rank", "median_rank", "random_p_at_1", "random_p_at_10"):
        values: list[float | None] = [getattr(cell, name, None) for cell in cells]
        known = [value for value in values if value is not None]
        averaged[name] = sum(known) / len(known) if known else None
    return averaged


def _describe_pair(rows: Sequence[RetrievedRow]) -> tuple[RetrievalComparison, ...]:
    """PTACL minus Global under the retrieval settings, at 1 and 10."""
    rows_by_method = {
        row.method.published_retrieval: row for row in rows if row.method.published_retrieval
    }
    if not {"Global", "PTACL"} <= rows_by_method.keys():
        return ()
    first, second = rows_by_method["PTACL"], rows_by_method["Global"]
    untrained = [row.method.title for row in (first, second) if row.documents[0].failures]
    return tuple(
        RetrievalComparison(
            first=first.method.key,
            second=second.method.key,
            own=own,
            k=k,
            figures=describe_difference(
                compare_rows(first.scores[own, k], second.scores[own, k]), untrained=untrained
            ),
        )
        for own in OWN
        for k in (1, 10)
    )


def _check_consistency(row: RetrievedRow, table_two: TableTwoRows) -> list[ConsistencyCheck]:
    """Precision at 10 that both probes' R² allow, beside the one measured, own cine out."""
    ecg, cmr = (table_two.scores(row.method.row(modality)) for modality in ("ecg", "cmr"))
    if ecg is None or cmr is None:
        return []
    measured = row.scores["excluded", 10].mean
    expected = expected_precision(ecg.mean[:-1], cmr.mean[:-1])
    return [
        ConsistencyCheck(
            method=row.method.key,
            phenotype=name,
            r2_ecg=finite(ecg.mean[index]),
            r2_cmr=finite(cmr.mean[index]),
            expected_p_at_10=finite(np.asarray(expected)[index]),
            measured_p_at_10=finite(measured[index]),
        )
        for index, name in enumerate(PHENOTYPE_NAMES)
    ]
