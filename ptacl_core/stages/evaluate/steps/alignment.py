"""The 13 × 13 alignment of a run on its test patients, as the document has it."""

from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.documents.figures import finite
from ptacl_core.embedding.encoding import Features
from ptacl_core.evaluate import AlignmentMeasures, Resamples, measure_alignment
from ptacl_core.evaluate.steps.own_steps import own_step_ranks, template_centred_top1


def evaluate_alignment(
    ecg: Features,
    cmr: Features,
    resamples: Resamples,
    *,
    person: Int64[Array, " patient"] | None = None,
) -> dict[str, Any]:
    """Section `alignment`: accuracies with intervals and chance, entropy, the mean map.

    `centred_top1` and `own_rank` are without the template; other visits of one `person` (a
    number per row) are not candidates for the rank.

    Where steps cannot be compared every figure is null and `why` says so.
    """
    assert ecg.steps is not None
    assert cmr.steps is not None
    num_steps = ecg.steps.shape[1]
    chance = {
        "top1_chance": 1 / num_steps,
        "within1_chance": (3 * num_steps - 2) / num_steps**2,
    }
    why = why_no_alignment(ecg, cmr)
    if why is not None:
        return {
            **no_accuracy(why),
            **chance,
            "mean_circular_offset": None,
            "diagonal_mass": None,
            "entropy_nats": None,
            "rank_correlation": None,
            "patients": 0,
            "map": None,
        }
    measures = measure_alignment(ecg.steps, cmr.steps, is_valid=ecg.is_step_valid)
    valid = np.flatnonzero(ecg.is_step_valid)
    chosen = resamples.take(valid)
    return {
        **summarise_accuracy(measures, chosen),
        **chance,
        **_measure_own(
            ecg.steps[valid], cmr.steps[valid], chosen, None if person is None else person[valid]
        ),
        "mean_circular_offset": float(measures.circular_offset.mean()),
        "diagonal_mass": measures.diagonal_mass,
        "entropy_nats": measures.entropy_nats,
        "rank_correlation": finite(measures.rank_correlation),
        "patients": len(measures.top1),
        "map": measures.mean_map.tolist(),
    }


def _measure_own(
    ecg: Array, cmr: Array, resamples: Resamples, person: Int64[Array, " patient"] | None
) -> dict[str, Any]:
    """Template-centred top-1, and the rank of the own cine by centred steps."""
    if len(ecg) < 2:
        return {"centred_top1": None, "own_rank": None}
    top1 = resamples.mean_interval(template_centred_top1(ecg, cmr)[:, None])
    rank = resamples.median_interval(own_step_ranks(ecg, cmr, owner=person))
    return {
        "centred_top1": {
            "value": finite(top1.estimate[0]),
            "low": finite(top1.low[0]),
            "high": finite(top1.high[0]),
            "chance": 1 / ecg.shape[1],
        },
        "own_rank": {
            "value": finite(rank.estimate),
            "low": finite(rank.low),
            "high": finite(rank.high),
            "chance": (len(ecg) + 1) / 2,
        },
    }


def why_no_alignment(ecg: Features, cmr: Features) -> str | None:
    """One line why steps cannot be compared, or None when they can."""
    assert ecg.steps is not None
    assert cmr.steps is not None
    if ecg.steps.shape[1] != cmr.steps.shape[1]:
        return (
            f"the cine encoder has {cmr.steps.shape[1]} time steps, the ECG {ecg.steps.shape[1]}: "
            "there is nothing to align"
        )
    return None if ecg.is_step_valid.any() else "no test patient has a complete beat"


def no_accuracy(why: str) -> dict[str, Any]:
    """Nulls and the reason."""
    empty = {"top1": None, "top1_interval": None, "within1": None, "within1_interval": None}
    return {**empty, "n": 0, "why": why}


def summarise_accuracy(measures: AlignmentMeasures, resamples: Resamples) -> dict[str, Any]:
    """top-1 and ±1 accuracy with intervals over patients; `resamples` are those measured."""
    interval = resamples.mean_interval(np.stack([measures.top1, measures.within1], axis=1))
    return {
        "top1": float(interval.estimate[0]),
        "top1_interval": [finite(interval.low[0]), finite(interval.high[0])],
        "within1": float(interval.estimate[1]),
        "within1_interval": [finite(interval.low[1]), finite(interval.high[1])],
        "n": len(measures.top1),
    }
