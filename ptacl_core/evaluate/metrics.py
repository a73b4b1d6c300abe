"""Agreement of predictions with labels, per target; NaN labels are left out per target.

Every function takes [patient] (and gives a number) or [patient, target] (and gives one per
target), observed first. A figure that is not defined (`labels.why_undefined`) is NaN.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import present_pairs

Figures = Float64[Array, "*target"] | np.float64
"""One number per target, or one number."""

_MIN_PATIENTS = 2.0


class BlandAltman(NamedTuple):
    """Bias (mean of predicted - observed) and its 95 % limits of agreement, in label units."""

    bias: Figures
    low: Figures
    high: Figures
    sd: Figures


class Calibration(NamedTuple):
    """Line of observed on predicted: slope 1 and intercept 0 when calibrated."""

    slope: Figures
    intercept: Figures


class _Moments(NamedTuple):
    num_present: Figures
    mean_observed: Figures
    mean_predicted: Figures
    observed: np.ndarray
    predicted: np.ndarray
    is_present: np.ndarray


def r2(
    observed: Float[Array, " patient *target"], predicted: Float[Array, " patient *target"]
) -> Figures:
    """Coefficient of determination, 1 - SS_res / SS_tot about the mean of `observed`."""
    moments = _moments(observed, predicted)
    total = np.square(moments.observed).sum(axis=0)
    error = np.where(
        moments.is_present,
        moments.observed + moments.mean_observed - moments.predicted - moments.mean_predicted,
        0.0,
    )
    return _divide(total - np.square(error).sum(axis=0), total)


def mean_absolute_error(
    observed: Float[Array, " patient *target"], predicted: Float[Array, " patient *target"]
) -> Figures:
    """Mean of |predicted - observed|, in label units."""
    first, second, is_present = present_pairs(observed, predicted)
    return _divide(np.abs(second - first).sum(axis=0), is_present.sum(axis=0))


def pearson_r(
    observed: Float[Array, " patient *target"], predicted: Float[Array, " patient *target"]
) -> Figures:
    """Linear correlation."""
    moments = _moments(observed, predicted)
    product = (moments.observed * moments.predicted).sum(axis=0)
    power = np.square(moments.observed).sum(axis=0) * np.square(moments.predicted).sum(axis=0)
    return np.clip(_divide(product, np.sqrt(power)), -1.0, 1.0)


def concordance_correlation(
    observed: Float[Array, " patient *target"], predicted: Float[Array, " patient *target"]
) -> Figures:
    """Lin's concordance correlation (Lin 1989, population variances)."""
    moments = _moments(observed, predicted)
    product = 2.0 * (moments.observed * moments.predicted).sum(axis=0)
    shift = moments.num_present * np.square(moments.mean_observed - moments.mean_predicted)
    spread = np.square(moments.observed).sum(axis=0) + np.square(moments.predicted).sum(axis=0)
    return _divide(product, spread + shift)


def bland_altman(
    observed: Float[Array, " patient *target"], predicted: Float[Array, " patient *target"]
) -> BlandAltman:
    """Bias and limits of agreement, bias ± 1.96 SD of the differences (sample SD)."""
    first, second, is_present = present_pairs(observed, predicted)
    count = is_present.sum(axis=0)
    difference = second - first
    bias = _divide(difference.sum(axis=0), count)
    deviation = np.where(is_present, difference - bias, 0.0)
    sd = np.sqrt(_divide(np.square(deviation).sum(axis=0), count - 1))
    return BlandAltman(bias, bias - 1.96 * sd, bias + 1.96 * sd, sd)


def calibration_slope_intercept(
    observed: Float[Array, " patient *target"], predicted: Float[Array, " patient *target"]
) -> Calibration:
    """Least-squares line of observed on predicted."""
    moments = _moments(observed, predicted)
    product = (moments.observed * moments.predicted).sum(axis=0)
    slope = _divide(product, np.square(moments.predicted).sum(axis=0))
    return Calibration(slope, moments.mean_observed - slope * moments.mean_predicted)


def _moments(observed: np.ndarray, predicted: np.ndarray) -> _Moments:
    first, second, is_present = present_pairs(observed, predicted)
    count = is_present.sum(axis=0)
    mean_first = _divide(first.sum(axis=0), count, at_least=_MIN_PATIENTS)
    mean_second = _divide(second.sum(axis=0), count, at_least=_MIN_PATIENTS)
    return _Moments(
        count,
        mean_first,
        mean_second,
        _centre(first, mean_first, is_present),
        _centre(second, mean_second, is_present),
        is_present,
    )


def _centre(values: np.ndarray, mean: Figures, is_present: np.ndarray) -> np.ndarray:
    """Deviations from the mean; exactly 0 for a constant, which rounding would hide."""
    highest = np.where(is_present, values, -np.inf).max(axis=0, initial=-np.inf)
    lowest = np.where(is_present, values, np.inf).min(axis=0, initial=np.inf)
    return np.where(is_present & (highest > lowest), values - mean, 0.0)


def _divide(
    numerator: np.ndarray | np.number, denominator: np.ndarray | np.number, *, at_least: float = 0.0
) -> Figures:
    """Quotient, NaN where the denominator is not positive or below `at_least`."""
    is_defined = (denominator > 0) & (denominator >= at_least)
    quotient = np.where(is_defined, numerator / np.where(is_defined, denominator, 1.0), np.nan)
    return quotient[()]
