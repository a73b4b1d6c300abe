"""Uncertainty of a figure over patients: bootstrap intervals, paired differences, verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.evaluate.labels import EvaluationError

Statistic = Callable[[Int64[Array, " _"]], Float64[Array, "*figure"] | np.float64]
"""Figures computed from the rows given by index, with repeats."""

Verdict = Literal["separated", "not separated", "reversed"]


@dataclass(frozen=True, slots=True, eq=False)
class BootstrapInterval:
    """A figure, or an array of them, with its interval over resampled patients.

    `num_used` counts the resamples in which a figure was defined; where none was, its bounds
    are NaN. `sd` is the bootstrap standard deviation.
    """

    estimate: Float64[Array, "*figure"]
    low: Float64[Array, "*figure"]
    high: Float64[Array, "*figure"]
    sd: Float64[Array, "*figure"]
    level: float
    num_used: Int64[Array, "*figure"]


@dataclass(frozen=True, slots=True, eq=False)
class PairedDifference:
    """Difference A - B over the same resamples, its interval and two-sided p-value."""

    interval: BootstrapInterval
    p_value: Float64[Array, "*figure"]


def bootstrap_interval(
    statistic: Statistic,
    num_rows: int,
    *,
    generator: np.random.Generator,
    num_resamples: int = 2000,
    level: float = 0.95,
    method: Literal["percentile", "bca"] = "percentile",
    patients: Sequence[object] | np.ndarray | None = None,
) -> BootstrapInterval:
    """Interval of `statistic` by resampling patients with replacement.

    Args:
        statistic: function of row indices.
        num_rows: number of rows.
        generator: source of randomness.
        num_resamples: B.
        level: coverage aimed at.
        method: "percentile", or "bca", bias-corrected and accelerated (Efron 1987), which
            calls `statistic` once more per patient.
        patients: a patient key per row: all rows of a patient are drawn together. None: a row
            is a patient.

    Raises:
        EvaluationError: fewer than two patients, of which no interval can be had.
    """
    groups = _patient_rows(num_rows, patients)
    estimate, draws = _resample(statistic, groups, generator, num_resamples)
    if method == "percentile":
        return _interval(estimate, draws, level, *_tails(level, draws.shape[1:]))
    return _interval(estimate, draws, level, *_bca_tails(statistic, groups, estimate, draws, level))


def paired_difference(
    statistic_a: Statistic,
    statistic_b: Statistic,
    num_rows: int,
    *,
    generator: np.random.Generator,
    num_resamples: int = 2000,
    level: float = 0.95,
    patients: Sequence[object] | np.ndarray | None = None,
) -> PairedDifference:
    """A - B with both computed on the same resampled patients.

    The p-value is twice the smaller share of resamples on either side of 0, with one added to
    numerator and denominator so that it is never 0.
    """

    def difference(rows: Int64[Array, " _"]) -> Float64[Array, "*figure"]:
        return np.asarray(np.subtract(statistic_a(rows), statistic_b(rows)), dtype=np.float64)

    groups = _patient_rows(num_rows, patients)
    estimate, draws = _resample(difference, groups, generator, num_resamples)
    interval = _interval(estimate, draws, level, *_tails(level, draws.shape[1:]))
    num_below = (draws <= 0).sum(axis=0)
    num_above = (draws >= 0).sum(axis=0)
    p_value = 2.0 * (np.minimum(num_below, num_above) + 1.0) / (interval.num_used + 1.0)
    p_value = np.where(interval.num_used > 0, np.minimum(p_value, 1.0), np.nan)
    return PairedDifference(interval, p_value)


def summarise_draws(
    estimate: Float64[Array, "*figure"],
    draws: Float64[Array, " resample *figure"],
    *,
    level: float = 0.95,
) -> BootstrapInterval:
    """Percentile interval of figures that were computed for every resample; NaN is left out."""
    value = np.asarray(estimate, dtype=np.float64)
    return _interval(value, draws, level, *_tails(level, value.shape))


def holm_adjust(p_values: Float64[Array, " test"]) -> Float64[Array, " test"]:
    """Holm's step-down adjustment; NaN (not tested) stays NaN and is not counted."""
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    return adjusted


def judge_difference(
    low: float,
    high: float,
    *,
    margin: float = 0.0,
    p_value: float | None = None,
    alpha: float = 0.05,
) -> Verdict:
    """The verdict on A - B from its interval: A above B, not told apart, or B above A.

    With an (adjusted) `p_value` above `alpha` the verdict is "not separated" whatever the
    interval says; an undefined interval (NaN) separates nothing.
    """
    if np.isnan(low) or np.isnan(high) or (p_value is not None and not p_value <= alpha):
        return "not separated"
    if low > margin:
        return "separated"
    return "reversed" if high < -margin else "not separated"


def _patient_rows(
    num_rows: int, patients: Sequence[object] | np.ndarray | None
) -> list[Int64[Array, " _"]] | int:
    """Rows of each patient, or just their number where every row is one."""
    if patients is None:
        num_patients = num_rows
        groups: list[np.ndarray] | int = num_rows
    else:
        keys = np.asarray(patients)
        if keys.shape != (num_rows,):
            raise EvaluationError(f"patients: expected {num_rows} keys, got shape {keys.shape}")
        owner = np.unique(keys, return_inverse=True)[1]
        order = np.argsort(owner, kind="stable")
        groups = np.split(order, np.cumsum(np.bincount(owner))[:-1])
        num_patients = len(groups)
    if num_patients < 2:
        raise EvaluationError(f"an interval over patients needs at least 2, got {num_patients}")
    return groups


def _resample(
    statistic: Statistic,
    groups: list[Int64[Array, " _"]] | int,
    generator: np.random.Generator,
    num_resamples: int,
) -> tuple[Float64[Array, "*figure"], Float64[Array, " resample *figure"]]:
    if num_resamples < 1:
        raise EvaluationError(f"num_resamples must be positive, got {num_resamples}")
    num_patients = groups if isinstance(groups, int) else len(groups)
    everyone = np.arange(num_patients)
    estimate = np.asarray(statistic(_rows(groups, everyone)), dtype=np.float64)
    draws = np.empty((num_resamples, *estimate.shape))
    for index in range(num_resamples):
        chosen = generator.integers(0, num_patients, size=num_patients)
        draws[index] = statistic(_rows(groups, chosen))
    return estimate, draws


def _rows(groups: list[Int64[Array, " _"]] | int, chosen: Int64[Array, " _"]) -> Int64[Array, " _"]:
    if isinstance(groups, int):
        return chosen
    return np.concatenate([groups[patient] for patient in chosen])


def _tails(level: float, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    half = 0.5 * (1.0 - level)
    return np.full(shape, half), np.full(shape, 1.0 - half)


def _bca_tails(
    statistic: Statistic,
    groups: list[Int64[Array, " _"]] | int,
    estimate: Float64[Array, "*figure"],
    draws: Float64[Array, " resample *figure"],
    level: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles that correct for bias and acceleration; plain ones where neither is defined."""
    from scipy.special import ndtr, ndtri

    num_patients = groups if isinstance(groups, int) else len(groups)
    everyone = np.arange(num_patients)
    left_out = np.stack(
        [
            np.asarray(statistic(_rows(groups, np.delete(everyone, patient))), dtype=np.float64)
            for patient in range(num_patients)
        ]
    )
    deviation = left_out.mean(axis=0) - left_out
    power = np.square(deviation).sum(axis=0)
    acceleration = (deviation**3).sum(axis=0) / (6.0 * np.maximum(power, 1e-300) ** 1.5)
    num_used = np.maximum((~np.isnan(draws)).sum(axis=0), 1)
    below = ((draws < estimate).sum(axis=0) + 0.5 * (draws == estimate).sum(axis=0)) / num_used
    bias = ndtri(np.clip(below, 0.5 / num_used, 1.0 - 0.5 / num_used))
    low, high = _tails(level, estimate.shape)
    tails = []
    for tail in (low, high):
        shifted = bias + ndtri(tail)
        tails.append(ndtr(bias + shifted / (1.0 - acceleration * shifted)))
    is_defined = np.isfinite(tails[0]) & np.isfinite(tails[1])
    return np.where(is_defined, tails[0], low), np.where(is_defined, tails[1], high)


def _interval(
    estimate: Float64[Array, "*figure"],
    draws: Float64[Array, " resample *figure"],
    level: float,
    low_tail: np.ndarray,
    high_tail: np.ndarray,
) -> BootstrapInterval:
    shape = estimate.shape
    flat = draws.reshape(len(draws), -1)
    low, high = np.full(flat.shape[1], np.nan), np.full(flat.shape[1], np.nan)
    sd = np.full(flat.shape[1], np.nan)
    num_used = (~np.isnan(flat)).sum(axis=0)
    for column in np.flatnonzero(num_used > 1):
        values = flat[~np.isnan(flat[:, column]), column]
        tails = [low_tail.reshape(-1)[column], high_tail.reshape(-1)[column]]
        low[column], high[column] = np.quantile(values, tails)
        sd[column] = values.std(ddof=1)
    return BootstrapInterval(
        estimate=estimate,
        low=low.reshape(shape),
        high=high.reshape(shape),
        sd=sd.reshape(shape),
        level=level,
        num_used=num_used.reshape(shape),
    )
