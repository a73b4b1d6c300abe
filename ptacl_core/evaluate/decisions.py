"""A phenotype below a limit, as a probability: how well ranked, and how well calibrated.

The probability comes from a regression and the residuals of patients that it had not seen:
the share of those residuals that would bring the prediction under the limit.
"""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.evaluate.conformal import clopper_pearson
from ptacl_core.evaluate.labels import EvaluationError


class Ranking(NamedTuple):
    """Area under the ROC curve and its standard error (DeLong 1988)."""

    auc: float
    standard_error: float


class ReliabilityBin(NamedTuple):
    """Patients of similar probability: mean probability and the share that had the event."""

    num_patients: int
    probability: float
    share: float
    low: float
    high: float


def probability_below(
    predicted: Float64[Array, " patient"], residuals: Float64[Array, " calibration"], limit: float
) -> Float64[Array, " patient"]:
    """Share of calibration residuals (observed - predicted) that put a patient under `limit`.

    One half is added at either end, so that no patient gets exactly 0 or 1.
    """
    known = np.sort(residuals[np.isfinite(residuals)])
    if not known.size:
        raise EvaluationError("no calibration patient has this label: no probability can be given")
    below = np.searchsorted(known, limit - np.asarray(predicted, np.float64), side="left")
    return (below + 0.5) / (known.size + 1.0)


def brier_score(
    event: Bool[Array, " patient"], probability: Float64[Array, " patient"]
) -> Float64[Array, " patient"]:
    """Squared error of each patient's probability; its mean is the Brier score."""
    return np.square(event.astype(np.float64) - probability)


def reliability(
    event: Bool[Array, " patient"], probability: Float64[Array, " patient"], *, num_bins: int = 10
) -> list[ReliabilityBin]:
    """Bins of (nearly) equal size by probability, each with a Clopper-Pearson interval."""
    order = np.argsort(probability, kind="stable")
    bins = []
    for members in np.array_split(order, min(num_bins, len(order))):
        num_events = int(event[members].sum())
        bins.append(
            ReliabilityBin(
                len(members),
                float(probability[members].mean()),
                num_events / len(members),
                *clopper_pearson(num_events, len(members)),
            )
        )
    return bins


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Mean over patients of |probability - share| of their bin."""
    total = sum(tenth.num_patients for tenth in bins)
    gaps = (tenth.num_patients * abs(tenth.probability - tenth.share) for tenth in bins)
    return sum(gaps) / total


def rank_events(event: Bool[Array, " patient"], score: Float64[Array, " patient"]) -> Ranking:
    """How often a patient with the event has the higher score, ties counting one half.

    Raises EvaluationError unless there are patients with and without the event.
    """
    from scipy.stats import rankdata

    with_event, without = score[event], score[~event]
    if not with_event.size or not without.size:
        raise EvaluationError("a ranking needs patients with and without the event")
    ranks = rankdata(np.concatenate([with_event, without]))
    first, second = with_event.size, without.size
    # Placement of each patient among those of the other kind, from ranks overall and within.
    above = (ranks[:first] - rankdata(with_event)) / second
    below = 1.0 - (ranks[first:] - rankdata(without)) / first
    variance = _variance_of_mean(above) + _variance_of_mean(below)
    return Ranking(float(above.mean()), float(np.sqrt(variance)))


def _variance_of_mean(values: Float64[Array, " _"]) -> float:
    return float(values.var(ddof=1) / values.size) if values.size > 1 else 0.0
