"""The linear probe: ordinary least squares with intercept on frozen features, in float64.

method.md §7: per-target rows with present labels only, fitted on train, R² on test.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError, apply_probe, as_features, as_targets
from ptacl_core.evaluate.metrics import r2

_MAX_GRAM_CONDITION = 1e6
"""Condition of the scaled Gram matrix above which the normal equations lose too much."""

_ROWS_PER_CHUNK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class LinearProbe:
    """Fitted coefficients, as plain arrays. A target that had no label is NaN throughout."""

    coefficients: Float64[Array, "dim target"]
    intercept: Float64[Array, " target"]

    def predict(self, features: Float[Array, "patient dim"]) -> Float64[Array, "patient target"]:
        """Targets in the units of the labels."""
        return apply_probe(features, self.coefficients, self.intercept)


def fit_linear_probe(
    features: Float[Array, "patient dim"], targets: Float[Array, " patient *target"]
) -> LinearProbe:
    """Ordinary least squares with intercept, one fit per pattern of present labels.

    Centred normal equations by Cholesky where the features' correlation matrix has a condition
    under 10^6; otherwise least squares by singular values with a cut-off at the precision of
    the features' own type, relative to their magnitude before centring. So features that are
    constant up to rounding (an untrained encoder) give the mean, not a fit of rounding errors.

    Raises:
        EvaluationError: shapes that do not fit, features with NaN or infinity, no patient.
    """
    matrix = as_features(features, name="features")
    labels = as_targets(targets, name="targets", num_patients=len(matrix))
    if len(matrix) == 0:
        raise EvaluationError("features: a probe needs at least one patient, got none")
    precision = _precision(features)
    is_present = ~np.isnan(labels)
    coefficients = np.full((matrix.shape[1], labels.shape[1]), np.nan)
    intercept = np.full(labels.shape[1], np.nan)
    patterns: dict[bytes, list[int]] = {}
    for column in range(labels.shape[1]):
        patterns.setdefault(is_present[:, column].tobytes(), []).append(column)
    for columns in patterns.values():
        rows = is_present[:, columns[0]]
        if not rows.any():
            continue
        chosen = matrix if rows.all() else matrix[rows]
        slope, offset = _solve(chosen, labels[rows][:, columns], precision)
        coefficients[:, columns], intercept[columns] = slope, offset
    return LinearProbe(coefficients, intercept)


def linear_probe_r2(
    train_features: Float[Array, "train dim"],
    train_targets: Float[Array, " train *target"],
    test_features: Float[Array, "test dim"],
    test_targets: Float[Array, " test *target"],
) -> Float64[Array, " figure"]:
    """R² on test of the probe fitted on train, per target.

    1 - sum (y - prediction)² / sum (y - mean of test)², over patients whose label is present;
    may be negative; NaN where it is not defined (`why_undefined` says why).
    """
    probe = fit_linear_probe(train_features, train_targets)
    predicted = probe.predict(test_features)
    observed = as_targets(test_targets, name="test_targets", num_patients=len(predicted))
    if observed.shape[1] != predicted.shape[1]:
        raise EvaluationError(
            f"train has {predicted.shape[1]} targets, test has {observed.shape[1]}"
        )
    return np.asarray(r2(observed, predicted))


def _solve(
    features: Float64[Array, "patient dim"],
    labels: Float64[Array, "patient target"],
    precision: float,
) -> tuple[Float64[Array, "dim target"], Float64[Array, " target"]]:
    num_patients, dim = features.shape
    feature_mean = features.mean(axis=0)
    label_mean = labels.mean(axis=0)
    centred_labels = labels - label_mean
    gram = np.zeros((dim, dim))
    moment = np.zeros((dim, labels.shape[1]))
    for first in range(0, num_patients, _ROWS_PER_CHUNK):
        part = features[first : first + _ROWS_PER_CHUNK] - feature_mean
        gram += part.T @ part
        moment += part.T @ centred_labels[first : first + _ROWS_PER_CHUNK]
    magnitude = np.sqrt(np.trace(gram) + num_patients * float(feature_mean @ feature_mean))
    cut_off = precision * max(float(magnitude), float(np.finfo(np.float64).tiny))
    coefficients = _solve_normal_equations(gram, moment, cut_off)
    if coefficients is None:
        coefficients = _solve_by_singular_values(features - feature_mean, centred_labels, cut_off)
    return coefficients, label_mean - feature_mean @ coefficients


def _solve_normal_equations(
    gram: Float64[Array, "dim dim"], moment: Float64[Array, "dim target"], cut_off: float
) -> Float64[Array, "dim target"] | None:
    """Cholesky of the Gram matrix scaled to unit diagonal; None where it cannot be trusted."""
    length = np.sqrt(np.diag(gram))
    if length.min() <= 10 * cut_off:
        return None
    scaled = gram / np.outer(length, length)
    eigenvalues = np.linalg.eigvalsh(scaled)
    if eigenvalues[0] <= eigenvalues[-1] / _MAX_GRAM_CONDITION:
        return None
    if np.sqrt(eigenvalues[0]) * length.min() <= 10 * cut_off:
        return None
    factor = np.linalg.cholesky(scaled)
    half = np.linalg.solve(factor, moment / length[:, None])
    return np.linalg.solve(factor.T, half) / length[:, None]


def _solve_by_singular_values(
    centred: Float64[Array, "patient dim"], labels: Float64[Array, "patient target"], cut_off: float
) -> Float64[Array, "dim target"]:
    """Minimum-norm solution without the directions shorter than `cut_off`."""
    left, length, right = np.linalg.svd(centred, full_matrices=False)
    rounding = np.finfo(np.float64).eps * max(centred.shape) * (length[0] if length.size else 0.0)
    kept = length > max(cut_off, rounding)
    return right[kept].T @ ((left[:, kept].T @ labels) / length[kept, None])


def _precision(features: np.ndarray) -> float:
    """Relative rounding of the numbers given: float32 embeddings carry seven digits."""
    dtype = np.asarray(features).dtype
    return float(np.finfo(dtype if np.issubdtype(dtype, np.floating) else np.float64).eps)
