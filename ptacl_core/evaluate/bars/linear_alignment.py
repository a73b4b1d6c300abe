"""Canonical correlation of two modalities: the alignment that linear algebra gives."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError

MAX_DIRECTIONS = 100
NUM_COMPONENTS = 32
RIDGE_SHARE = 0.1
"""Added to the variances before whitening, as a share of the mean variance of the directions."""


@dataclass(frozen=True, slots=True, eq=False)
class LinearAlignment:
    """Two linear maps into one space, where corresponding axes are correlated."""

    first_mean: Float64[Array, " first"]
    second_mean: Float64[Array, " second"]
    first_map: Float64[Array, "first component"]
    second_map: Float64[Array, "second component"]
    correlations: Float64[Array, " component"]
    """Regularised canonical correlations on train, falling."""

    def embed_first(self, features: Float[Array, "patient first"]) -> Float64[Array, "patient _"]:
        """Embeddings of the first modality; absent features (NaN) take the mean of train."""
        return _centre(features, self.first_mean) @ self.first_map

    def embed_second(self, features: Float[Array, "patient second"]) -> Float64[Array, "patient _"]:
        """Embeddings of the second modality."""
        return _centre(features, self.second_mean) @ self.second_map


def fit_linear_alignment(
    first: Float[Array, "patient first"],
    second: Float[Array, "patient second"],
    *,
    num_components: int = NUM_COMPONENTS,
    max_directions: int = MAX_DIRECTIONS,
) -> LinearAlignment:
    """Canonical correlation analysis of paired features (Hotelling 1936), regularised.

    Each modality is reduced to its `max_directions` greatest principal directions, whitened
    with a ridge, and the two are turned onto each other by the singular vectors of their
    cross-covariance. Axes are scaled by the root of their correlation, so that the cosine of
    two embeddings weighs what the modalities share.

    Raises:
        EvaluationError: numbers of patients that differ, or fewer than three.
    """
    if len(first) != len(second) or len(first) < 3:
        raise EvaluationError(
            "linear alignment: expected at least three pairs, got "
            f"{len(first)} and {len(second)} patients"
        )
    means = [_mean(np.asarray(features, np.float64)) for features in (first, second)]
    whitened, maps = [], []
    for features, mean in zip((first, second), means, strict=True):
        scores, to_white = _whiten(_centre(features, mean), max_directions)
        whitened.append(scores)
        maps.append(to_white)
    cross = whitened[0].T @ whitened[1] / len(first)
    left, correlations, right = np.linalg.svd(cross, full_matrices=False)
    kept = slice(0, min(num_components, len(correlations)))
    scale = np.sqrt(np.clip(correlations[kept], 0.0, 1.0))
    return LinearAlignment(
        means[0],
        means[1],
        maps[0] @ left[:, kept] * scale,
        maps[1] @ right[kept].T * scale,
        correlations[kept],
    )


def _mean(values: np.ndarray) -> np.ndarray:
    is_known = np.isfinite(values)
    return np.where(is_known, values, 0.0).sum(axis=0) / np.maximum(is_known.sum(axis=0), 1)


def _centre(values: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), np.asarray(values, np.float64) - mean, 0.0)


def _whiten(centred: np.ndarray, max_directions: int) -> tuple[np.ndarray, np.ndarray]:
    """Whitened scores of train, and the map that makes them."""
    count = len(centred)
    if centred.shape[1] > count:
        variance, basis = np.linalg.eigh(centred @ centred.T / count)
        order = np.argsort(variance)[::-1][: min(max_directions, count - 1)]
        variance = np.maximum(variance[order], 0.0)
        length = np.sqrt(np.maximum(variance * count, 1e-300))
        directions = centred.T @ basis[:, order] / length
    else:
        variance, basis = np.linalg.eigh(centred.T @ centred / count)
        order = np.argsort(variance)[::-1][:max_directions]
        variance, directions = np.maximum(variance[order], 0.0), basis[:, order]
    is_used = variance > 1e-10 * max(float(variance[0]), 1e-300)
    variance, directions = variance[is_used], directions[:, is_used]
    to_white = directions / np.sqrt(variance + RIDGE_SHARE * variance.mean())
    return centred @ to_white, to_white
