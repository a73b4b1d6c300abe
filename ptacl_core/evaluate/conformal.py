"""Split-conformal prediction intervals: coverage without a model of the errors.

Residuals of a calibration set that the model has not seen give the width; in any later set of
exchangeable patients the interval covers with at least the stated probability. Under a shift
of population it does not: show the measured coverage with every interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError, present_pairs

POOLED = "all"
"""Group of the pooled offsets."""


class Interval(NamedTuple):
    """Lower and upper bounds in label units."""

    low: Float64[Array, " patient"]
    high: Float64[Array, " patient"]


class Coverage(NamedTuple):
    """Measured share of labels inside their intervals, its 95 % Clopper-Pearson bounds, width."""

    num_patients: int
    share: float
    low: float
    high: float
    mean_width: float
    median_width: float


@dataclass(frozen=True, slots=True)
class ConformalIntervals:
    """Offsets below and above a prediction for one phenotype, per group, in label units.

    With a `scale` at calibration they are in units of it. `pooled_groups` are the groups with
    too few patients for offsets of their own: they use the pooled ones. `num_calibration` is
    the number of labels behind each group's offsets.
    """

    level: float
    offsets: dict[str, tuple[float, float]]
    is_scaled: bool
    pooled_groups: tuple[str, ...]
    num_calibration: dict[str, int]

    def interval(
        self,
        predicted: Float[Array, " patient"],
        *,
        scale: Float[Array, " patient"] | None = None,
        groups: Sequence[str] | np.ndarray | None = None,
    ) -> Interval:
        """Bounds around `predicted`; unknown groups use the pooled offsets."""
        centre = np.asarray(predicted, dtype=np.float64)
        if self.is_scaled != (scale is not None):
            wanted = "needed" if self.is_scaled else "not used"
            raise EvaluationError(f"scale is {wanted}: the calibration decides")
        keys = [POOLED] * len(centre) if groups is None else [str(group) for group in groups]
        if len(keys) != len(centre):
            raise EvaluationError(f"{len(centre)} predictions but {len(keys)} groups")
        pooled = self.offsets[POOLED]
        pairs = np.array([self.offsets.get(key, pooled) for key in keys]).reshape(-1, 2)
        width = 1.0 if scale is None else np.asarray(scale, dtype=np.float64)
        return Interval(centre - pairs[:, 0] * width, centre + pairs[:, 1] * width)


def fit_conformal(
    observed: Float[Array, " patient"],
    predicted: Float[Array, " patient"],
    *,
    level: float = 0.9,
    scale: Float[Array, " patient"] | None = None,
    groups: Sequence[str] | np.ndarray | None = None,
    min_group_size: int = 100,
    is_asymmetric: bool = False,
) -> ConformalIntervals:
    """Offsets from calibration residuals: the ceil((n + 1) level)-th smallest.

    Symmetric offsets are that order statistic of |observed - predicted|; asymmetric ones take
    each tail of the signed residuals at (1 + level) / 2, so that a bias does not widen both
    sides. Too few patients for the level give an infinite offset, never a narrower one.

    Args:
        observed: labels, NaN where absent.
        predicted: predictions for them.
        level: coverage, in (0, 1).
        scale: difficulty per patient (positive); residuals are divided by it.
        groups: a group per patient (sex by age): offsets of their own (Mondrian).
        min_group_size: groups with fewer labels use the pooled offsets.
        is_asymmetric: see above.
    """
    if not 0.0 < level < 1.0:
        raise EvaluationError(f"level must lie between 0 and 1, got {level}")
    first, second, is_present = present_pairs(observed, predicted)
    if first.ndim != 1:
        raise EvaluationError(f"expected one phenotype [patient], got shape {first.shape}")
    if not is_present.any():
        raise EvaluationError("no calibration patient has this label: no interval can be given")
    residual = first - second
    if scale is not None:
        difficulty = np.asarray(scale, dtype=np.float64)
        if difficulty.shape != residual.shape or not (difficulty[is_present] > 0).all():
            raise EvaluationError("scale: expected one positive number per patient")
        residual = residual / np.where(is_present, difficulty, 1.0)
    offsets = {POOLED: _offsets(residual[is_present], level, is_asymmetric)}
    num_calibration = {POOLED: int(is_present.sum())}
    pooled_groups: list[str] = []
    if groups is not None:
        keys = np.asarray([str(group) for group in groups])
        if keys.shape != residual.shape:
            raise EvaluationError(f"{residual.size} patients but {keys.size} groups")
        for key in np.unique(keys):
            members = is_present & (keys == key)
            if key == POOLED:
                continue
            if int(members.sum()) < min_group_size:
                pooled_groups.append(str(key))
            else:
                offsets[str(key)] = _offsets(residual[members], level, is_asymmetric)
                num_calibration[str(key)] = int(members.sum())
    return ConformalIntervals(
        level, offsets, scale is not None, tuple(pooled_groups), num_calibration
    )


def measure_coverage(observed: Float[Array, " patient"], interval: Interval) -> Coverage:
    """Share of present labels inside their interval (bounds included), with its uncertainty."""
    labels = np.asarray(observed, dtype=np.float64)
    is_present = ~np.isnan(labels)
    num_patients = int(is_present.sum())
    if num_patients == 0:
        raise EvaluationError("no label present: coverage cannot be measured")
    low, high = interval.low[is_present], interval.high[is_present]
    num_covered = int(((labels[is_present] >= low) & (labels[is_present] <= high)).sum())
    width = high - low
    bounds = clopper_pearson(num_covered, num_patients)
    return Coverage(
        num_patients,
        num_covered / num_patients,
        *bounds,
        float(width.mean()),
        float(np.median(width)),
    )


def shortfall_p_value(
    num_covered: int, num_patients: int, *, num_calibration: int, level: float
) -> float:
    """Probability that at most `num_covered` are covered although the patients are alike.

    Asymmetric offsets from n calibration labels are the k-th smallest residuals of each tail,
    k = ceil((n + 1) (1 + level) / 2). For exchangeable patients the share they cover is then
    Beta(r, n + 1 - r) with r = 2k - n - 1, and the number covered beta-binomial: that counts
    the chance of the calibration draw as well as that of the test draw. A small value says
    that these patients are not like those of the calibration: the intervals failed.
    """
    from scipy.special import betaln, gammaln, logsumexp

    if not 0 <= num_covered <= num_patients:
        raise EvaluationError(f"{num_covered} of {num_patients} is not a share")
    position = int(np.ceil((num_calibration + 1) * 0.5 * (1.0 + level) - 1e-9))
    first = 2 * position - num_calibration - 1
    if position > num_calibration or first < 1:
        raise EvaluationError(f"{num_calibration} calibration labels give no {level:g} interval")
    second = num_calibration + 1 - first
    covered = np.arange(num_covered + 1)
    missed = num_patients - covered
    log_share = (
        gammaln(num_patients + 1)
        - gammaln(covered + 1)
        - gammaln(missed + 1)
        + betaln(covered + first, missed + second)
        - betaln(first, second)
    )
    return float(min(np.exp(logsumexp(log_share)), 1.0))


def clopper_pearson(
    num_successes: int, num_trials: int, *, level: float = 0.95
) -> tuple[float, float]:
    """Exact binomial interval of a share."""
    from scipy.special import betaincinv

    if not 0 <= num_successes <= num_trials or num_trials == 0:
        raise EvaluationError(f"{num_successes} of {num_trials} is not a share")
    half = 0.5 * (1.0 - level)
    missed = num_trials - num_successes
    low = 0.0 if num_successes == 0 else betaincinv(num_successes, missed + 1, half)
    high = 1.0 if missed == 0 else betaincinv(num_successes + 1, missed, 1.0 - half)
    return float(low), float(high)


def _offsets(
    residual: Float64[Array, " patient"], level: float, is_asymmetric: bool
) -> tuple[float, float]:
    if not is_asymmetric:
        offset = _order_statistic(np.abs(residual), level)
        return offset, offset
    tail = 0.5 * (1.0 + level)
    return _order_statistic(-residual, tail), _order_statistic(residual, tail)


def _order_statistic(scores: Float64[Array, " patient"], level: float) -> float:
    """The ceil((n + 1) level)-th smallest; infinity when there is none."""
    # A hair less, so that 0.9 * 10 counts as 9 whatever its last bit.
    position = int(np.ceil((scores.size + 1) * level - 1e-9))
    return float("inf") if position > scores.size else float(np.sort(scores)[position - 1])
