"""Decision curves: what acting on the frozen model would bring, at any threshold."""

import numpy as np

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.validation import DecisionCurve, NetBenefit
from ptacl_core.embedding.readout import Predictions
from ptacl_core.evaluate import rank_events
from ptacl_core.records import PHENOTYPE_NAMES

LIMITS = {"lvef_pct<50": ("lvef_pct", 50.0), "rvef_pct<45": ("rvef_pct", 45.0)}
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 11))
LEAST_PEOPLE = 10


def draw_decision_curves(
    predictions: Predictions, observed: Float64[Array, "row target"], *, coverage: float
) -> dict[str, DecisionCurve]:
    """Net benefit by threshold (Vickers and Elkin 2006) of each event of LIMITS."""
    return {
        name: _draw(predictions, observed, phenotype, limit, coverage)
        for name, (phenotype, limit) in LIMITS.items()
    }


def _draw(
    predictions: Predictions,
    observed: Float64[Array, "row target"],
    phenotype: str,
    limit: float,
    coverage: float,
) -> DecisionCurve:
    column = PHENOTYPE_NAMES.index(phenotype)
    is_known = np.isfinite(observed[:, column])
    has_event = observed[is_known, column] < limit
    num_people, num_events = int(is_known.sum()), int(has_event.sum())
    head = DecisionCurve(phenotype=phenotype, limit=limit, n=num_people, events=num_events)
    if min(num_events, num_people - num_events) < LEAST_PEOPLE:
        return head.model_copy(update={"why": f"fewer than {LEAST_PEOPLE} people on one side"})
    probability = probability_from_interval(
        *(values[is_known, column] for values in (predictions.value, predictions.low,
                                                  predictions.high)),
        limit=limit, coverage=coverage,
    )  # fmt: skip
    ranking = rank_events(has_event, probability)
    half = 1.96 * ranking.standard_error
    return head.model_copy(
        update={
            "auc": Bounded(
                value=ranking.auc,
                low=max(ranking.auc - half, 0.0),
                high=min(ranking.auc + half, 1.0),
            ),
            "mean_probability": float(probability.mean()),
            "points": tuple(measure_net_benefit(has_event, probability, at) for at in THRESHOLDS),
        }
    )


def probability_from_interval(
    value: Float64[Array, " row"],
    low: Float64[Array, " row"],
    high: Float64[Array, " row"],
    *,
    limit: float,
    coverage: float,
) -> Float64[Array, " row"]:
    """Probability of lying below `limit`, normal about `value`, each side as wide as its bound."""
    from scipy.special import ndtr, ndtri

    reach = float(ndtri(0.5 * (1.0 + coverage)))
    side = np.where(limit < value, value - low, high - value)
    return ndtr((limit - value) / np.maximum(side / reach, 1e-12))


def measure_net_benefit(
    has_event: Bool[Array, " row"], probability: Float64[Array, " row"], threshold: float
) -> NetBenefit:
    """True positives less false ones weighted by the threshold's odds, per person."""
    is_sent = probability >= threshold
    odds = threshold / (1.0 - threshold)

    def benefit(sent: Bool[Array, " row"]) -> float:
        return float((sent & has_event).mean() - odds * (sent & ~has_event).mean())

    everybody = benefit(np.ones_like(is_sent))
    return NetBenefit(threshold=threshold, model=benefit(is_sent), everybody=everybody)
