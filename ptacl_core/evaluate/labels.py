"""What every measure checks first: shapes, finite features, labels that can be judged."""

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.errors import PtaclError


class EvaluationError(PtaclError, ValueError):
    """The figures asked for cannot be computed from what was given."""


def as_features(values: np.ndarray, *, name: str) -> Float64[Array, "patient dim"]:
    """Float64 feature matrix; raises EvaluationError on a wrong shape or a value not finite."""
    features = np.asarray(values)
    if features.ndim != 2 or features.shape[1] == 0:
        raise EvaluationError(f"{name}: expected [patient, dim], got shape {features.shape}")
    if not np.issubdtype(features.dtype, np.number) or np.iscomplexobj(features):
        raise EvaluationError(f"{name}: expected real numbers, got {features.dtype}")
    features = features.astype(np.float64, copy=False)
    is_bad = ~np.isfinite(features).all(axis=1)
    if is_bad.any():
        raise EvaluationError(
            f"{name}: {int(is_bad.sum())} of {len(features)} rows hold NaN or infinity "
            f"(first: row {int(np.argmax(is_bad))}); leave these recordings out or embed them again"
        )
    return features


def apply_probe(
    features: np.ndarray, coefficients: np.ndarray, intercept: np.ndarray | float
) -> np.ndarray:
    """A fitted line at each row of `features`. Raises EvaluationError for another width."""
    matrix = as_features(features, name="features")
    if matrix.shape[1] != len(coefficients):
        raise EvaluationError(
            f"features: the probe was fitted on {len(coefficients)} dimensions, got "
            f"{matrix.shape[1]}"
        )
    return matrix @ coefficients + intercept


def as_targets(
    values: np.ndarray, *, name: str, num_patients: int
) -> Float64[Array, "patient target"]:
    """Float64 targets, NaN where the label is absent; one dimension means one target."""
    targets = np.asarray(values, dtype=np.float64)
    if targets.ndim == 1:
        targets = targets[:, None]
    if targets.ndim != 2 or len(targets) != num_patients:
        raise EvaluationError(
            f"{name}: expected [{num_patients} patients, target], got shape {np.shape(values)}"
        )
    if np.isinf(targets).any():
        raise EvaluationError(f"{name}: infinite labels; absent labels are NaN")
    return targets


def present_pairs(
    observed: Float[Array, " _ *observed"], predicted: Float[Array, " _ *predicted"]
) -> tuple[
    Float64[Array, " patient *target"],
    Float64[Array, " patient *target"],
    Bool[Array, " patient *target"],
]:
    """Both as float64 and where both are present; absent values are set to 0 for summation."""
    first = np.asarray(observed, dtype=np.float64)
    second = np.asarray(predicted, dtype=np.float64)
    if first.shape != second.shape or first.ndim not in (1, 2):
        raise EvaluationError(
            "observed and predicted: expected equal shapes [patient] or [patient, target], "
            f"got {first.shape} and {second.shape}"
        )
    if np.isinf(first).any() or np.isinf(second).any():
        raise EvaluationError("observed or predicted holds infinite values; absent ones are NaN")
    is_present = ~(np.isnan(first) | np.isnan(second))
    return np.where(is_present, first, 0.0), np.where(is_present, second, 0.0), is_present


def why_undefined(observed: Float64[Array, " patient"]) -> str | None:
    """One line why a phenotype cannot be judged, or None when it can."""
    values = np.asarray(observed, dtype=np.float64)
    present = values[~np.isnan(values)]
    if present.size == 0:
        return "no label present"
    if present.size == 1:
        return "one labelled patient only"
    if np.ptp(present) == 0:
        return f"the phenotype is constant ({present[0]:g}) in {present.size} patients"
    return None
