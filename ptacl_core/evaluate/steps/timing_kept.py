"""Timing kept: what features tell of a patient's own timing beyond what sets it for everyone.

End-systole depends on heart rate, sex, EF and age; the question is what is left of it, and
whether features know that (evaluation.md, "The clock"). On simulated patients the truth is known.
"""

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.bars.ridge import Ridge
from ptacl_core.evaluate.labels import EvaluationError


def predict_beyond(
    train_features: Float[Array, "train dim"],
    train_targets: Float[Array, "train target"],
    train_covariates: Float[Array, "train covariate"],
    test_features: Float[Array, "test dim"],
    test_covariates: Float[Array, "test covariate"],
) -> tuple[Float64[Array, "test target"], Float64[Array, "test target"]]:
    """Predictions on test from covariates alone, and from covariates and features.

    The first is least squares, the second ridge on the features with the covariates fitted
    without a penalty; so the second model holds the first.
    """
    nothing = np.zeros((len(train_features), 1)), np.zeros((len(test_features), 1))
    without = Ridge(*nothing, train_covariates=train_covariates, test_covariates=test_covariates)
    with_features = Ridge(
        train_features,
        test_features,
        train_covariates=train_covariates,
        test_covariates=test_covariates,
    )
    return without.predict(train_targets), with_features.predict(train_targets)


def partial_r2(
    observed: Float[Array, "patient target"],
    without: Float[Array, "patient target"],
    with_features: Float[Array, "patient target"],
) -> Float64[Array, " target"]:
    """1 - SS_res(with features) / SS_res(without), over patients with both and a label.

    The share of what the covariates leave over that the features explain; 0 where they add
    nothing, negative where they harm; NaN where nothing is left over.
    """
    errors = squared_errors(observed, without, with_features)
    count = np.isfinite(errors[0]).sum(axis=0)
    left, remaining = (np.where(np.isfinite(error), error, 0.0).sum(axis=0) for error in errors)
    is_defined = (count > 0) & (left > 0)
    return np.where(is_defined, 1.0 - remaining / np.where(is_defined, left, 1.0), np.nan)


def squared_errors(
    observed: np.ndarray, without: np.ndarray, with_features: np.ndarray
) -> tuple[Float64[Array, "patient target"], Float64[Array, "patient target"]]:
    """Squared errors of both predictions, NaN where the label or either is absent."""
    if observed.shape != without.shape or observed.shape != with_features.shape:
        raise EvaluationError(
            "observed and both predictions: expected one shape, got "
            f"{observed.shape}, {without.shape} and {with_features.shape}"
        )
    first, second = np.square(observed - without), np.square(observed - with_features)
    is_absent = ~(np.isfinite(first) & np.isfinite(second))
    return np.where(is_absent, np.nan, first), np.where(is_absent, np.nan, second)
