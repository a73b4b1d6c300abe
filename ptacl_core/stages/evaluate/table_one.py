"""Table 1: retrieval of patients with similar hearts, and of the very pair, in each direction."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, Int64
from ptacl_core.documents.figures import Bounded, finite
from ptacl_core.documents.retrieval import (
    Bounds,
    Chanced,
    MeanRetrieval,
    PairRecall,
    RetrievalCell,
)
from ptacl_core.evaluate import (
    BootstrapInterval,
    PhenotypeRetrieval,
    Resamples,
    own_pair_ranks,
    retrieve,
)

KS = (1, 3, 5, 10, 15)
PAIR_KS = (1, 5, 10)
TOLERANCE_SD = 0.5
MEAN_KS = (1, 10)
DIRECTIONS: dict[str, tuple[str, ...]] = {
    "ecg-cmr": ("included", "excluded"),
    "cmr-ecg": ("included", "excluded"),
    "ecg-ecg": ("excluded",),
}
"""From query to database, and whether the query's own recording is a candidate.

Among ECGs it is left out only: a query that may find itself always does."""
RULES = {
    "match": f"|difference| <= {TOLERANCE_SD} SD of the phenotype over the test patients",
    "ties": "equal similarities in the order of the database",
    "no_match": "rank N, the number of candidates",
    "own": "excluded: all visits of the query's person",
}


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalRun:
    """Retrieval in one direction, own recording included or excluded, by phenotype."""

    direction: str
    own: str
    by_phenotype: dict[str, PhenotypeRetrieval]


@dataclass(frozen=True, slots=True, eq=False)
class TableOne:
    """Sections of the evaluation document, and the figures of single queries behind them.

    `retrieval` is from ECG to CMR, as in the paper, `directions` has the others: own recording
    included or excluded → phenotype → figures.
    """

    retrieval: dict[str, dict[str, RetrievalCell]]
    mean: dict[str, MeanRetrieval]
    directions: dict[str, dict[str, dict[str, RetrievalCell]]]
    pair_recall: dict[str, PairRecall]
    runs: tuple[RetrievalRun, ...]


def evaluate_retrieval(
    ecg: Float32[Array, "patient embedding"],
    cmr: Float32[Array, "patient embedding"],
    phenotypes: Float64[Array, "patient target"],
    resamples: Resamples,
    *,
    person: Int64[Array, " patient"] | None = None,
) -> TableOne:
    """Table 1 and the recall of pairs, every figure with its interval over patients.

    Database and queries are the same test patients; visits of one `person` (a number per row)
    are excluded together.
    """
    embeddings = {"ecg": ecg, "cmr": cmr}
    runs: list[RetrievalRun] = []
    tables: dict[str, dict[str, dict[str, RetrievalCell]]] = {}
    means: dict[str, MeanRetrieval] = {}
    pairs: dict[str, PairRecall] = {}
    for direction, choices in DIRECTIONS.items():
        query, database = (embeddings[modality] for modality in direction.split("-"))
        tables[direction] = {}
        for own in choices:
            by_phenotype = retrieve(
                query,
                database,
                phenotypes,
                ks=KS,
                tolerance_sd=TOLERANCE_SD,
                exclude_self=own == "excluded",
                person=person,
            )
            runs.append(RetrievalRun(direction, own, by_phenotype))
            tables[direction][own] = {
                name: _summarise(result, resamples) for name, result in by_phenotype.items()
            }
            if direction == "ecg-cmr":
                means[own] = _mean_retrieval(by_phenotype, resamples)
        if "included" in choices:
            pairs[direction] = _pair_recall(
                own_pair_ranks(query, database, person=person), resamples
            )
    return TableOne(tables.pop("ecg-cmr"), means, tables, pairs, tuple(runs))


def evaluate_pairs(
    ecg: Float32[Array, "patient embedding"],
    cmr: Float32[Array, "patient embedding"],
    resamples: Resamples,
    *,
    person: Int64[Array, " patient"],
) -> dict[str, PairRecall]:
    """The recall of pairs alone, in both directions, where no phenotypes are needed."""
    embeddings = {"ecg": ecg, "cmr": cmr}
    pairs = {}
    for direction in ("ecg-cmr", "cmr-ecg"):
        query, database = (embeddings[modality] for modality in direction.split("-"))
        pairs[direction] = _pair_recall(own_pair_ranks(query, database, person=person), resamples)
    return pairs


def _summarise(result: PhenotypeRetrieval, resamples: Resamples) -> RetrievalCell:
    chosen = resamples.take(result.query_indices)
    ranks = result.first_match_rank
    means = chosen.mean_interval(np.column_stack([result.precision, ranks]))
    names = [*(f"p_at_{k}" for k in result.ks), "mean_rank"]
    intervals = {
        name: Bounds(low=finite(means.low[index]), high=finite(means.high[index]))
        for index, name in enumerate(names)
    }
    median = chosen.median_interval(ranks)
    intervals["median_rank"] = Bounds(low=finite(median.low), high=finite(median.high))
    return RetrievalCell.model_validate(
        {
            **result.summary(),
            "intervals": intervals,
            "trimmed_mean_rank": result.trimmed_mean_rank(),
            "mean_rank_by_decile": [finite(rank) for rank in result.mean_rank_by_decile()],
            "n": len(ranks),
            "candidates": result.num_candidates,
            "sd": result.phenotype_sd,
        }
    )


def _mean_retrieval(
    by_phenotype: dict[str, PhenotypeRetrieval], resamples: Resamples
) -> MeanRetrieval:
    """P@1 and P@10 averaged over the phenotypes, over queries that have them all."""
    has_all = np.zeros(resamples.counts.shape[1], bool)
    if by_phenotype:
        has_all[:] = True
        for result in by_phenotype.values():
            has_all &= _mask(result, len(has_all))
    common = np.flatnonzero(has_all)
    if not len(common):
        empty = Bounded(value=None, low=None, high=None)
        return MeanRetrieval(
            p_at_1=empty,
            p_at_10=empty,
            random_p_at_1=None,
            random_p_at_10=None,
            n=0,
            why="no patient has every phenotype" if by_phenotype else "no phenotype can be judged",
        )
    columns = [KS.index(k) for k in MEAN_KS]
    precision = np.mean(
        [
            result.precision[np.isin(result.query_indices, common)][:, columns]
            for result in by_phenotype.values()
        ],
        axis=0,
    )
    interval = resamples.take(common).mean_interval(precision)
    random = float(np.mean([result.random_precision.mean() for result in by_phenotype.values()]))
    return MeanRetrieval(
        p_at_1=_cell(interval, 0),
        p_at_10=_cell(interval, 1),
        random_p_at_1=random,
        random_p_at_10=random,
        n=len(common),
    )


def _mask(result: PhenotypeRetrieval, num_rows: int) -> Bool[Array, " row"]:
    is_query = np.zeros(num_rows, bool)
    is_query[result.query_indices] = True
    return is_query


def _pair_recall(ranks: Int64[Array, " query"], resamples: Resamples) -> PairRecall:
    """Recall of the query's own recording, with chance, and the median of its rank."""
    is_found = np.stack([ranks <= k for k in PAIR_KS], axis=1).astype(np.float64)
    interval = resamples.mean_interval(is_found)
    median = resamples.median_interval(ranks)
    chances = [min(k / len(ranks), 1.0) for k in PAIR_KS]
    return PairRecall(
        recall_at_1=_beside_chance(_cell(interval, 0), chances[0]),
        recall_at_5=_beside_chance(_cell(interval, 1), chances[1]),
        recall_at_10=_beside_chance(_cell(interval, 2), chances[2]),
        median_rank=_beside_chance(_cell(median, ()), (len(ranks) + 1) / 2),
        n=len(ranks),
    )


def _beside_chance(cell: Bounded, chance: float) -> Chanced:
    return Chanced(value=cell.value, low=cell.low, high=cell.high, chance=chance)


def _cell(interval: BootstrapInterval, index: int | tuple[()]) -> Bounded:
    return Bounded(
        value=finite(interval.estimate[index]),
        low=finite(interval.low[index]),
        high=finite(interval.high[index]),
    )
