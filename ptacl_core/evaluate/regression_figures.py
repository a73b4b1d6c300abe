"""All figures of a regression from eight sums per target, for one sample or a thousand resamples.

R², mean absolute error, correlation, Lin's concordance, Bland-Altman bias and limits, and the
calibration line are functions of the count, the first and second moments of label and
prediction, and the sums of squared and absolute errors; `metrics` has each by its definition.
"""

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import present_pairs

REGRESSION_FIGURES = (
    "r2",
    "mean_absolute_error",
    "pearson_r",
    "concordance",
    "bias",
    "loa_low",
    "loa_high",
    "slope",
    "intercept",
    "n",
)
"""Order of the last axis of `RegressionTerms.figures`."""

_NUM_SUMS = 8
_ROUNDING = 1e-12
"""Share of the second moment below which a spread is rounding, not variance."""


class RegressionTerms:
    """Terms per patient whose sums give every figure of each target.

    Labels or predictions that are absent (NaN) count for nothing. `terms` is
    [patient, 8 * target].
    """

    def __init__(
        self,
        observed: Float64[Array, "patient target"],
        predicted: Float64[Array, "patient target"],
    ) -> None:
        label, value, is_present = present_pairs(observed, predicted)
        self.num_targets = label.shape[1]
        # About the middle of the labels: a constant becomes exactly 0, and little cancels.
        highest = np.where(is_present, label, -np.inf).max(axis=0, initial=-np.inf)
        lowest = np.where(is_present, label, np.inf).min(axis=0, initial=np.inf)
        is_seen = is_present.any(axis=0)
        self.centre = 0.5 * (np.where(is_seen, highest, 0.0) + np.where(is_seen, lowest, 0.0))
        label = np.where(is_present, label - self.centre, 0.0)
        value = np.where(is_present, value - self.centre, 0.0)
        error = value - label
        self.terms = np.stack(
            [
                is_present.astype(np.float64),
                label,
                value,
                label * label,
                value * value,
                label * value,
                error * error,
                np.abs(error),
            ],
            axis=1,
        ).reshape(len(label), -1)

    def figures(self, sums: Float64[Array, "*resample term"]) -> Float64[Array, "*resample figure"]:
        """`REGRESSION_FIGURES` by target, flattened [figure * target]; NaN where undefined."""
        shape = (*sums.shape[:-1], _NUM_SUMS, self.num_targets)
        count, label, value, label2, value2, product, error2, error1 = np.moveaxis(
            sums.reshape(shape), -2, 0
        )
        mean_label, mean_value = _divide(label, count), _divide(value, count)
        label_power = _spread(label2, label, mean_label, count)
        value_power = _spread(value2, value, mean_value, count)
        joint = product - label * mean_value
        bias = mean_value - mean_label
        sd = np.sqrt(_divide(np.maximum(error2 - count * bias * bias, 0.0), count - 1))
        slope = _divide(joint, value_power)
        root = np.sqrt(label_power * value_power)
        figures = (
            1.0 - _divide(error2, label_power),
            _divide(error1, count),
            np.clip(_divide(joint, root), -1.0, 1.0),
            _divide(2.0 * joint, label_power + value_power + count * bias * bias),
            bias,
            bias - 1.96 * sd,
            bias + 1.96 * sd,
            slope,
            mean_label + self.centre - slope * (mean_value + self.centre),
            count,
        )
        return np.stack(figures, axis=-2).reshape(*sums.shape[:-1], -1)

    def r2(self, sums: Float64[Array, "*resample term"]) -> Float64[Array, "*resample target"]:
        """R² of each target alone."""
        return self.figures(sums)[..., : self.num_targets]


def _spread(
    power: np.ndarray, total: np.ndarray, mean: np.ndarray, count: np.ndarray
) -> np.ndarray:
    """Sum of squares about the mean; NaN where it is none, or of fewer than two patients."""
    spread = power - total * mean
    return np.where((count >= 2) & (spread > _ROUNDING * power), spread, np.nan)


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    is_defined = denominator > 0
    return np.where(is_defined, numerator / np.where(is_defined, denominator, 1.0), np.nan)
