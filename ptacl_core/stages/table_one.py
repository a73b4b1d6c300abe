"""Table 1: retrieval of patients with similar hearts, and of the very pair."""

from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.embedding.encoding import Features
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import (
    BootstrapInterval,
    PhenotypeRetrieval,
    bootstrap_interval,
    own_pair_ranks,
    retrieve,
)

KS = (1, 3, 5, 10, 15)
PAIR_KS = (1, 5, 10)


def evaluate_retrieval(
    ecg: Features,
    cmr: Features,
    phenotypes: Float64[Array, "patient target"],
    num_resamples: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """Sections `retrieval`, `retrieval_mean` and `pair` of the evaluation document.

    Queries are ECGs, the database all cines of the same patients, own cine included and
    excluded; every figure with its bootstrap interval over patients.
    """
    assert ecg.projected is not None
    assert cmr.projected is not None
    tables, means = {}, {}
    for own in ("included", "excluded"):
        found = retrieve(
            ecg.projected, cmr.projected, phenotypes, ks=KS, exclude_self=own == "excluded"
        )
        tables[own] = {
            name: {
                **result.summary(),
                "intervals": _retrieval_intervals(result, num_resamples, generator),
            }
            for name, result in found.items()
        }
        means[own] = _mean_retrieval(found, num_resamples, generator)
    ranks = own_pair_ranks(ecg.projected, cmr.projected)
    interval = bootstrap_interval(
        lambda rows: np.array([(ranks[rows] <= k).mean() for k in PAIR_KS]),
        len(ranks),
        generator=generator,
        num_resamples=num_resamples,
    )
    pair = {
        f"recall_at_{k}": _cell(interval, index) | {"chance": min(k / len(ranks), 1.0)}
        for index, k in enumerate(PAIR_KS)
    }
    return {
        "retrieval": tables,
        "retrieval_mean": means,
        "pair": {**pair, "median_rank": float(np.median(ranks)), "patients": len(ranks)},
    }


def _retrieval_intervals(
    result: PhenotypeRetrieval, num_resamples: int, generator: np.random.Generator
) -> dict[str, dict[str, float]]:
    def figures(rows: Int64[Array, "_"]) -> Float64[Array, "figure"]:
        ranks = result.first_match_rank[rows]
        return np.array([*result.precision[rows].mean(axis=0), ranks.mean(), np.median(ranks)])

    interval = bootstrap_interval(
        figures, len(result.query_indices), generator=generator, num_resamples=num_resamples
    )
    names = [*(f"p_at_{k}" for k in result.ks), "mean_rank", "median_rank"]
    return {
        name: {"low": float(interval.low[index]), "high": float(interval.high[index])}
        for index, name in enumerate(names)
    }


def _mean_retrieval(
    found: dict[str, PhenotypeRetrieval], num_resamples: int, generator: np.random.Generator
) -> dict[str, Any]:
    """P@1 and P@10 averaged over the phenotypes, over queries that have them all."""
    if not found:
        raise CohortError("no phenotype can be judged in the test split: nothing to retrieve")
    common = sorted(set.intersection(*(set(result.query_indices) for result in found.values())))
    if len(common) < 2:
        raise CohortError("fewer than two test patients have all phenotypes: no mean over them")
    precision = np.mean(
        [
            result.precision[np.isin(result.query_indices, common)][:, [KS.index(1), KS.index(10)]]
            for result in found.values()
        ],
        axis=0,
    )
    interval = bootstrap_interval(
        lambda rows: precision[rows].mean(axis=0),
        len(precision),
        generator=generator,
        num_resamples=num_resamples,
    )
    random = float(np.mean([result.random_precision.mean() for result in found.values()]))
    return {
        "p_at_1": _cell(interval, 0),
        "p_at_10": _cell(interval, 1),
        "random_p_at_1": random,
        "random_p_at_10": random,
    }


def _cell(interval: BootstrapInterval, index: int) -> dict[str, float]:
    return {
        "value": float(interval.estimate[index]),
        "low": float(interval.low[index]),
        "high": float(interval.high[index]),
    }
