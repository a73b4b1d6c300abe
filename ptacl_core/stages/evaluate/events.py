"""Phenotypes below a clinical limit as probabilities: are they ranked well, are they calibrated."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.uncertainty import EventCalibration, ReliabilityBin
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate import (
    Resamples,
    brier_score,
    expected_calibration_error,
    probability_below,
    rank_events,
    reliability,
)
from ptacl_core.records import PHENOTYPE_NAMES


@dataclass(frozen=True, slots=True)
class Event:
    """A phenotype below a limit, in its own unit."""

    name: str
    phenotype: str
    limit: float


EVENTS = (
    Event("lvef_pct<50", "lvef_pct", 50.0),
    Event("rvef_pct<45", "rvef_pct", 45.0),
)


def evaluate_events(
    test: EvaluationSplit,
    predicted: Float64[Array, "row target"],
    validation_residuals: Float64[Array, "validation target"],
    resamples: Resamples,
) -> dict[str, EventCalibration]:
    """Section `calibration`, for the aligned ECG.

    The probability of an event is the share of validation residuals that would bring the
    prediction below the limit. Brier score with that of the prevalence alone beside it,
    expected calibration error and reliability in tenths, AUC with DeLong's interval.
    """
    return {
        event.name: _evaluate(event, test, predicted, validation_residuals, resamples)
        for event in EVENTS
    }


def _evaluate(
    event: Event,
    test: EvaluationSplit,
    predicted: Float64[Array, "row target"],
    validation_residuals: Float64[Array, "validation target"],
    resamples: Resamples,
) -> EventCalibration:
    column = PHENOTYPE_NAMES.index(event.phenotype)
    observed = test.phenotypes[:, column]
    rows = np.flatnonzero(np.isfinite(observed) & np.isfinite(predicted[:, column]))
    residuals = validation_residuals[:, column]
    has_event = observed[rows] < event.limit
    unjudged = EventCalibration(
        phenotype=event.phenotype, limit=event.limit, n=len(rows), events=int(has_event.sum())
    )
    if not len(rows) or not np.isfinite(residuals).any():
        why = "no test patient has the label" if not len(rows) else "no validation label"
        return unjudged.model_copy(update={"why": why})
    probability = probability_below(predicted[rows, column], residuals, event.limit)
    score = resamples.take(rows).mean_interval(brier_score(has_event, probability)[:, None])
    bins = reliability(has_event, probability)
    prevalence = float(has_event.mean())
    auc = _rank(has_event, -predicted[rows, column])
    return EventCalibration(
        phenotype=event.phenotype,
        limit=event.limit,
        n=len(rows),
        events=int(has_event.sum()),
        why="all test patients are on one side of the limit" if auc is None else None,
        prevalence=prevalence,
        mean_probability=float(probability.mean()),
        brier=Bounded(
            value=float(score.estimate[0]), low=float(score.low[0]), high=float(score.high[0])
        ),
        brier_of_prevalence=prevalence * (1.0 - prevalence),
        ece=expected_calibration_error(bins),
        reliability=tuple(
            ReliabilityBin(
                n=tenth.num_patients,
                probability=tenth.probability,
                share=tenth.share,
                low=tenth.low,
                high=tenth.high,
            )
            for tenth in bins
        ),
        auc=auc,
    )


def _rank(has_event: np.ndarray, score: Float64[Array, " row"]) -> Bounded | None:
    """Area under the curve with DeLong's interval; None where all are on one side."""
    if has_event.all() or not has_event.any():
        return None
    ranking = rank_events(has_event, score)
    half = 1.96 * ranking.standard_error
    return Bounded(
        value=ranking.auc, low=max(ranking.auc - half, 0.0), high=min(ranking.auc + half, 1.0)
    )
