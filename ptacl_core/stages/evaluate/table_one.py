"""Table 1: retrieval of patients with similar hearts, and of the very pair, in each direction."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, Int64
from ptacl_core.documents.figures import finite
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
    """Sections of the evaluation document, and the figures of single queries behind them."""

    sections: dict[str, Any]
    runs: tuple[RetrievalRun, ...]


def evaluate_retrieval(
    ecg: Float32[Array, "patient embedding"],
    cmr: Float32[Array, "patient embedding"],
    phenotypes: Float64[Array, "patient target"],
    resamples: Resamples,
    *,
    person: Int64[Array, " patient"] | None = None,
) -> TableOne:
    """Sections `retrieval`, `retrieval_mean`, `retrieval_directions`, `pair_recall`.

    Database and queries are the same test patients; visits of one `person` (a number per row)
    are excluded together. `retrieval` is from ECG to CMR, as in the paper, and
    `retrieval_directions` has the others; every figure has its interval over patients.
    """
    embeddings = {"ecg": ecg, "cmr": cmr}
    runs, tables, means, pairs = [], {}, {}, {}
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
    sections = {
        "retrieval": tables.pop("ecg-cmr"),
        "retrieval_mean": means,
        "retrieval_directions": tables,
        "retrieval_rules": RULES,
        "pair_recall": pairs,
    }
    return TableOne(sections, tuple(runs))


def _summarise(result: PhenotypeRetrieval, resamples: Resamples) -> dict[str, Any]:
    chosen = resamples.take(result.query_indices)
    ranks = result.first_match_rank
    means = chosen.mean_interval(np.column_stack([result.precision, ranks]))
    names = [*(f"p_at_{k}" for k in result.ks), "mean_rank"]
    intervals = {
        name: {"low": finite(means.low[index]), "high": finite(means.high[index])}
        for index, name in enumerate(names)
    }
    median = chosen.median_interval(ranks)
    intervals["median_rank"] = {"low": finite(median.low), "high": finite(median.high)}
    return {
        **result.summary(),
        "intervals": intervals,
        "trimmed_mean_rank": result.trimmed_mean_rank(),
        "mean_rank_by_decile": [finite(rank) for rank in result.mean_rank_by_decile()],
        "n": len(ranks),
        "candidates": result.num_candidates,
        "sd": result.phenotype_sd,
    }


def _mean_retrieval(
    by_phenotype: dict[str, PhenotypeRetrieval], resamples: Resamples
) -> dict[str, Any]:
    """P@1 and P@10 averaged over the phenotypes, over queries that have them all."""
    has_all = np.zeros(resamples.counts.shape[1], bool)
    if by_phenotype:
        has_all[:] = True
        for result in by_phenotype.values():
            has_all &= _mask(result, len(has_all))
    common = np.flatnonzero(has_all)
    empty = {"value": None, "low": None, "high": None}
    if not len(common):
        why = "no phenotype can be judged" if not by_phenotype else "no patient has every phenotype"
        return {f"{kind}p_at_{k}": empty if not kind else None for kind in ("", "random_")
                for k in MEAN_KS} | {"n": 0, "why": why}  # fmt: skip
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
    return {
        **{f"p_at_{k}": _cell(interval, index) for index, k in enumerate(MEAN_KS)},
        **{f"random_p_at_{k}": random for k in MEAN_KS},
        "n": len(common),
    }


def _mask(result: PhenotypeRetrieval, num_rows: int) -> Bool[Array, " row"]:
    is_query = np.zeros(num_rows, bool)
    is_query[result.query_indices] = True
    return is_query


def _pair_recall(ranks: Int64[Array, " query"], resamples: Resamples) -> dict[str, Any]:
    """Recall of the query's own recording, with chance, and the median of its rank."""
    is_found = np.stack([ranks <= k for k in PAIR_KS], axis=1).astype(np.float64)
    interval = resamples.mean_interval(is_found)
    median = resamples.median_interval(ranks)
    return {
        **{
            f"recall_at_{k}": _cell(interval, index) | {"chance": min(k / len(ranks), 1.0)}
            for index, k in enumerate(PAIR_KS)
        },
        "median_rank": {
            **_cell(median, ()),
            "chance": (len(ranks) + 1) / 2,
        },
        "n": len(ranks),
    }


def _cell(interval: BootstrapInterval, index: int | tuple[()]) -> dict[str, Any]:
    return {
        "value": finite(interval.estimate[index]),
        "low": finite(interval.low[index]),
        "high": finite(interval.high[index]),
    }
