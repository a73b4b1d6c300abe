"""Columns of predictions measured alike: frozen, recalibrated, refitted."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.documents.figures import Bounded, finite
from ptacl_core.documents.validation import TransferPoint, ValidatedColumn, ValidatedPhenotype
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate import (
    REGRESSION_FIGURES,
    Interval,
    RegressionTerms,
    Resamples,
    fit_conformal,
    measure_coverage,
    r2,
)
from ptacl_core.evaluate.bars.ridge import Ridge
from ptacl_core.records import PHENOTYPE_NAMES

NUM_FOLDS = 5
NUM_DRAWS = 5
LEAST_LABELS = 20
"""Fewer labels of a phenotype in four folds are not recalibrated on."""
TRANSFER_PEOPLE = (10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
_SEED = 19


@dataclass(frozen=True, slots=True, eq=False)
class Recalibrated:
    """Predictions by a line of observed on predicted, and intervals from its residuals.

    Each person's come from the other folds.
    """

    value: Float64[Array, "row target"]
    low: Float64[Array, "row target"]
    high: Float64[Array, "row target"]


def assign_folds(people: EvaluationSplit) -> Int64[Array, " row"]:
    """A fold per recording, all of a person's in one."""
    persons = np.unique(people.patients, return_inverse=True)[1]
    order = np.random.default_rng(_SEED).permutation(int(persons.max()) + 1)
    return (order % NUM_FOLDS)[persons].astype(np.int64)


def recalibrate(
    predicted: Float64[Array, "row target"],
    observed: Float64[Array, "row target"],
    folds: Int64[Array, " row"],
    *,
    coverage: float,
) -> Recalibrated:
    """Intercept, slope and conformal offsets of each phenotype from the other four folds."""
    value = np.full(predicted.shape, np.nan)
    low, high = value.copy(), value.copy()
    for fold in range(NUM_FOLDS):
        here, there = folds == fold, folds != fold
        for column in range(predicted.shape[1]):
            known = there & np.isfinite(observed[:, column])
            if known.sum() < LEAST_LABELS or np.ptp(predicted[known, column]) == 0:
                continue
            slope, intercept = np.polyfit(predicted[known, column], observed[known, column], 1)
            line = intercept + slope * predicted[:, column]
            calibration = fit_conformal(
                observed[known, column], line[known], level=coverage, is_asymmetric=True
            )
            interval = calibration.interval(line[here])
            value[here, column] = line[here]
            low[here, column], high[here, column] = interval.low, interval.high
    return Recalibrated(value, low, high)


def measure_recalibrated_coverage(
    recalibrated: Recalibrated, observed: Float64[Array, "row target"]
) -> dict[str, Bounded]:
    """Share inside the recalibrated intervals, with Clopper-Pearson bounds."""
    measured = {}
    for column, name in enumerate(PHENOTYPE_NAMES):
        is_known = np.isfinite(recalibrated.low[:, column]) & np.isfinite(observed[:, column])
        if not is_known.any():
            continue
        interval = Interval(recalibrated.low[is_known, column], recalibrated.high[is_known, column])
        covered = measure_coverage(observed[is_known, column], interval)
        measured[name] = Bounded(value=covered.share, low=covered.low, high=covered.high)
    return measured


def refit(
    features: Float64[Array, "row dim"],
    observed: Float64[Array, "row target"],
    people: EvaluationSplit,
    folds: Int64[Array, " row"],
) -> tuple[Float64[Array, "row target"], tuple[TransferPoint, ...]]:
    """Predictions of a ridge probe refitted on the other folds, and R² by how many people.

    Of every number of people there are five draws; each person is predicted by a probe that
    saw none of their recordings.
    """
    persons = np.unique(people.patients, return_inverse=True)[1]
    ridges = [Ridge(features[folds != fold], features[folds == fold]) for fold in range(NUM_FOLDS)]
    least = min(len(np.unique(persons[folds != fold])) for fold in range(NUM_FOLDS))
    generator = np.random.default_rng(_SEED)
    points = []
    for count in [size for size in TRANSFER_PEOPLE if size < least]:
        means = []
        for _ in range(NUM_DRAWS):
            draw = _cross_fit(ridges, observed, persons, folds, count, generator)
            means.append(float(np.nanmean(np.asarray(r2(observed, draw)))))
        points.append(
            TransferPoint(
                people=count,
                mean_r2=finite(np.mean(means)),
                low=finite(min(means)),
                high=finite(max(means)),
                draws=NUM_DRAWS,
            )
        )
    whole = _cross_fit(ridges, observed, persons, folds, None, generator)
    return whole, tuple(points)


def _cross_fit(
    ridges: list[Ridge],
    observed: Float64[Array, "row target"],
    persons: Int64[Array, " row"],
    folds: Int64[Array, " row"],
    count: int | None,
    generator: np.random.Generator,
) -> Float64[Array, "row target"]:
    predicted = np.full(observed.shape, np.nan)
    for fold, ridge in enumerate(ridges):
        there = folds != fold
        labelled = None
        if count is not None:
            chosen = generator.choice(np.unique(persons[there]), count, replace=False)
            labelled = np.flatnonzero(np.isin(persons[there], chosen))
        predicted[folds == fold] = ridge.predict(observed[there], labelled=labelled)
    return predicted


def measure_column(
    name: str,
    how: str,
    observed: Float64[Array, "row target"],
    predicted: Float64[Array, "row target"],
    resamples: Resamples,
) -> ValidatedColumn:
    """Figures of one column with intervals over resampled people."""
    terms = RegressionTerms(observed, predicted)
    interval = resamples.interval(terms.terms, terms.figures)
    shape = (len(REGRESSION_FIGURES), len(PHENOTYPE_NAMES))
    estimate, low, high = (
        values.reshape(shape) for values in (interval.estimate, interval.low, interval.high)
    )

    def bound(figure: str, column: int) -> Bounded:
        at = REGRESSION_FIGURES.index(figure)
        return Bounded(
            value=finite(estimate[at, column]),
            low=finite(low[at, column]),
            high=finite(high[at, column]),
        )

    figures = ("r2", "mean_absolute_error", "bias", "slope", "intercept")
    return ValidatedColumn(
        name=name,
        how=how,
        mean_r2=_measure_mean(terms, resamples),
        phenotypes={
            phenotype: ValidatedPhenotype.model_validate(
                {"n": int(estimate[-1, column])}
                | {figure: bound(figure, column) for figure in figures}
            )
            for column, phenotype in enumerate(PHENOTYPE_NAMES)
            if estimate[-1, column] >= 2
        },
    )


def _measure_mean(terms: RegressionTerms, resamples: Resamples) -> Bounded:
    def mean(sums: np.ndarray) -> np.ndarray:
        scores = terms.r2(sums)
        is_known = np.isfinite(scores)
        total = np.where(is_known, scores, 0.0).sum(axis=-1, keepdims=True)
        count = is_known.sum(axis=-1, keepdims=True)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    interval = resamples.interval(terms.terms, mean)
    return Bounded(
        value=finite(interval.estimate[0]),
        low=finite(interval.low[0]),
        high=finite(interval.high[0]),
    )
