"""Rows of the tables over seeds and patients: intervals of each, differences between them.

All rows are resampled with the same patients, so the difference of two rows' draws is a
paired bootstrap; predictions of several seeds are averaged after scoring, not before. Seeds
are resampled as well (`trainings`), the same ones for rows with as many.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.intervals import holm_adjust
from ptacl_core.evaluate.metrics import r2
from ptacl_core.evaluate.resampling import Resamples
from ptacl_core.evaluate.trainings import TrainingVerdict, average_trainings, judge_trainings

LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class RowScores:
    """Figures of one row: per seed, and over resampled patients and seeds.

    The last figure is the mean over the phenotypes that can be judged. Of a row that is not
    trained (a line of linear algebra) the sets of predictions are not seeds.
    """

    per_seed: Float64[Array, "seed figure"]
    draws: Float64[Array, "resample figure"]
    is_trained: bool = True

    @property
    def num_trainings(self) -> int | None:
        """Number of trainings; None of a row that needs none."""
        return len(self.per_seed) if self.is_trained else None

    @property
    def mean(self) -> Float64[Array, " figure"]:
        """Mean over seeds."""
        return self.per_seed.mean(axis=0)

    @property
    def seed_sd(self) -> Float64[Array, " figure"]:
        """Standard deviation over seeds; NaN with one seed."""
        if len(self.per_seed) < 2:
            return np.full(self.per_seed.shape[1], np.nan)
        return self.per_seed.std(axis=0, ddof=1)

    @property
    def bootstrap_sd(self) -> Float64[Array, " figure"]:
        """Standard deviation over resampled patients; NaN where the figure is undefined."""
        return _over_resamples(self.draws, lambda values: values.std(ddof=1))

    def bound(self, tail: float) -> Float64[Array, " figure"]:
        """Quantile over resampled patients; NaN where the figure is undefined."""
        return _over_resamples(self.draws, lambda values: np.quantile(values, tail))


@dataclass(frozen=True, slots=True, eq=False)
class RowDifference:
    """First minus second, per phenotype and on average (the last figure).

    `adjusted_p` is Holm's over the phenotypes; the mean is one test of its own.
    """

    difference: Float64[Array, " figure"]
    low: Float64[Array, " figure"]
    high: Float64[Array, " figure"]
    p_value: Float64[Array, " figure"]
    adjusted_p: Float64[Array, " figure"]
    verdicts: tuple[TrainingVerdict, ...]
    num_trainings: int | None = None


def score_row(
    observed: Float64[Array, "patient target"],
    predicted: Float64[Array, "seed patient target"],
    resamples: Resamples,
    *,
    is_trained: bool = True,
) -> RowScores:
    """R² of a row's predictions, one set per seed, on the patients and on their resamples.

    Without `is_trained` the sets are averaged in every resample (draws of labelled patients).
    """
    per_seed = np.stack([np.asarray(r2(observed, values)) for values in predicted])
    draws = np.stack([_resampled_r2(observed, values, resamples) for values in predicted])
    return _collect(per_seed, draws, is_trained=is_trained)


def score_means(values: Float64[Array, "seed patient target"], resamples: Resamples) -> RowScores:
    """Means over patients of a figure that each patient has (such as precision), as `score_row`.

    NaN marks a patient who has no such figure.
    """
    is_present = np.isfinite(values)
    filled = np.where(is_present, values, 0.0)
    per_seed = _divide(filled.sum(axis=1), is_present.sum(axis=1))
    resampled = [
        _divide(resamples.sums(figures), resamples.sums(present.astype(np.float64)))
        for figures, present in zip(filled, is_present, strict=True)
    ]
    return _collect(per_seed, np.stack(resampled), is_trained=True)


def compare_rows(first: RowScores, second: RowScores, *, alpha: float = 0.05) -> RowDifference:
    """Paired differences with verdicts; both rows were scored with the same resamples.

    A verdict says no more than the smaller number of trainings allows (`judge_trainings`).
    """
    numbers = [row.num_trainings for row in (first, second) if row.num_trainings is not None]
    num_trainings = min(numbers, default=None)
    draws = first.draws - second.draws
    half = 0.5 * (1.0 - LEVEL)
    low = _over_resamples(draws, lambda values: np.quantile(values, half))
    high = _over_resamples(draws, lambda values: np.quantile(values, 1.0 - half))
    p_value = paired_p_value(draws)
    adjusted = np.append(holm_adjust(p_value[:-1]), p_value[-1])
    verdicts: tuple[TrainingVerdict, ...] = tuple(
        judge_trainings(
            float(low[index]),
            float(high[index]),
            num_trainings=num_trainings,
            p_value=float(adjusted[index]),
            alpha=alpha,
        )
        for index in range(len(low))
    )
    return RowDifference(
        first.mean - second.mean, low, high, p_value, adjusted, verdicts, num_trainings
    )


def paired_p_value(draws: Float64[Array, "resample figure"]) -> Float64[Array, " figure"]:
    """Twice the smaller share of resampled differences on either side of 0, never 0."""
    num_used = np.isfinite(draws).sum(axis=0)
    smaller = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0))
    p_value = np.minimum(2.0 * (smaller + 1.0) / (num_used + 1.0), 1.0)
    return np.where(num_used > 0, p_value, np.nan)


def _collect(
    per_seed: Float64[Array, "seed target"],
    draws: Float64[Array, "seed resample target"],
    *,
    is_trained: bool,
) -> RowScores:
    averaged = average_trainings(draws) if is_trained else draws.mean(axis=0)
    is_judged = np.asarray(np.isfinite(per_seed).all(axis=0))
    return RowScores(
        _append_mean(per_seed, is_judged), _append_mean(averaged, is_judged), is_trained
    )


def _resampled_r2(
    observed: Float64[Array, "patient target"],
    predicted: Float64[Array, "patient target"],
    resamples: Resamples,
) -> Float64[Array, "resample target"]:
    """R² of every resample from weighted sums, labels centred first against rounding."""
    is_present = np.isfinite(observed) & np.isfinite(predicted)
    count = np.maximum(is_present.sum(axis=0), 1)
    centre = np.where(is_present, observed, 0.0).sum(axis=0) / count
    label = np.where(is_present, observed - centre, 0.0)
    error = np.where(is_present, observed - predicted, 0.0)
    terms = np.concatenate([is_present, label, label**2, error**2], axis=1)
    number, first, second, residual = np.split(resamples.sums(terms), 4, axis=1)
    total = second - first**2 / np.maximum(number, 1.0)
    is_defined = (number >= 2) & (total > 1e-12 * np.maximum(second, 1e-300))
    return np.where(is_defined, 1.0 - residual / np.where(is_defined, total, 1.0), np.nan)


def _divide(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _append_mean(
    values: Float64[Array, "_ target"], is_judged: np.ndarray
) -> Float64[Array, "_ figure"]:
    mean = values[:, is_judged].mean(axis=1) if is_judged.any() else np.full(len(values), np.nan)
    return np.column_stack([values, mean])


def _over_resamples(
    draws: np.ndarray, figure: Callable[[np.ndarray], np.number | float]
) -> Float64[Array, " figure"]:
    values = np.full(draws.shape[1], np.nan)
    for column in range(draws.shape[1]):
        present = draws[np.isfinite(draws[:, column]), column]
        if present.size > 1:
            values[column] = figure(present)
    return values
