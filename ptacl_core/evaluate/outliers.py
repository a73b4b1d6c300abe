"""Is a recording like those the model was trained on: a score on its embedding.

Two distances from the training embeddings, each divided by its own threshold on validation
patients: Mahalanobis (far from the whole cloud) and the mean distance to the k nearest (in a
hole of it). The larger one is the score; above 1 the recording is flagged.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.evaluate.labels import EvaluationError, as_features

_ARRAY_NAMES = ("mean", "whitening", "reference", "scales", "num_neighbours")
_ROWS_PER_CHUNK = 512


@dataclass(frozen=True, slots=True, eq=False)
class OutlierDetector:
    """Plain arrays, stored with the run (`as_arrays`); no estimator object."""

    mean: Float64[Array, "dim"]
    whitening: Float64[Array, "dim component"]
    reference: Float64[Array, "patient component"]
    scales: Float64[Array, "2"]
    num_neighbours: int

    def score(self, features: Float[Array, "recording dim"]) -> Float64[Array, "recording"]:
        """1 is the threshold: the chosen quantile of the validation patients' scores."""
        return (self.distances(features) / self.scales).max(axis=1)

    def is_outlier(self, features: Float[Array, "recording dim"]) -> Bool[Array, "recording"]:
        """Recordings whose score exceeds 1."""
        return self.score(features) > 1.0

    def distances(self, features: Float[Array, "recording dim"]) -> Float64[Array, "recording 2"]:
        """Mahalanobis distance, and mean distance to the nearest in whitened space."""
        matrix = as_features(features, name="features")
        if matrix.shape[1] != len(self.mean):
            raise EvaluationError(
                f"features: the detector knows {len(self.mean)} dimensions, got {matrix.shape[1]}"
            )
        whitened = (matrix - self.mean) @ self.whitening
        nearest = np.empty(len(whitened))
        reference_power = np.square(self.reference).sum(axis=1)
        for first in range(0, len(whitened), _ROWS_PER_CHUNK):
            part = whitened[first : first + _ROWS_PER_CHUNK]
            squared = np.square(part).sum(axis=1)[:, None] + reference_power
            squared -= 2.0 * part @ self.reference.T
            closest = np.partition(squared, self.num_neighbours - 1, axis=1)
            lengths = np.sqrt(np.maximum(closest[:, : self.num_neighbours], 0.0))
            nearest[first : first + len(part)] = lengths.mean(axis=1)
        return np.stack([np.linalg.norm(whitened, axis=1), nearest], axis=1)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` takes; fit for safetensors or an .npz without pickle."""
        return {
            "mean": self.mean,
            "whitening": self.whitening,
            "reference": self.reference,
            "scales": self.scales,
            "num_neighbours": np.array([self.num_neighbours], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "OutlierDetector":
        """Rebuild a stored detector; raises EvaluationError when an array is missing."""
        missing = [name for name in _ARRAY_NAMES if name not in arrays]
        if missing:
            raise EvaluationError(f"outlier detector: missing arrays {', '.join(missing)}")
        return cls(
            *(np.asarray(arrays[name], dtype=np.float64) for name in _ARRAY_NAMES[:4]),
            num_neighbours=int(arrays["num_neighbours"][0]),
        )


def fit_outlier_detector(
    train_features: Float[Array, "train dim"],
    validation_features: Float[Array, "validation dim"],
    *,
    quantile: float = 0.99,
    num_neighbours: int = 10,
    max_reference: int = 5000,
    generator: np.random.Generator | None = None,
) -> OutlierDetector:
    """Centre, whitening (shrunk covariance of Ledoit and Wolf) and thresholds.

    `quantile` of the validation patients stay under 1. At most `max_reference` training
    patients are kept as neighbours: the first ones, or a draw when a generator is given.
    Directions without variance in training are left out.
    """
    from sklearn.covariance import ledoit_wolf

    train = as_features(train_features, name="train_features")
    validation = as_features(validation_features, name="validation_features")
    if train.shape[1] != validation.shape[1]:
        raise EvaluationError(
            f"train has {train.shape[1]} dimensions, validation {validation.shape[1]}"
        )
    if len(train) <= num_neighbours or len(validation) < 2:
        raise EvaluationError(
            f"{len(train)} training and {len(validation)} validation patients: more than "
            f"{num_neighbours} and at least 2 are needed"
        )
    mean = train.mean(axis=0)
    covariance, _shrinkage = ledoit_wolf(train)
    variances, axes = np.linalg.eigh(covariance)
    kept = variances > 1e-12 * max(float(variances[-1]), 1e-300)
    whitening = axes[:, kept] / np.sqrt(variances[kept])
    chosen = np.arange(len(train))
    if len(train) > max_reference:
        chosen = chosen[:max_reference]
        if generator is not None:
            chosen = np.sort(generator.choice(len(train), max_reference, replace=False))
    reference = (train[chosen] - mean) @ whitening
    unscaled = OutlierDetector(mean, whitening, reference, np.ones(2), num_neighbours)
    distances = unscaled.distances(validation)
    scales = np.maximum(np.quantile(distances, quantile, axis=0), 1e-12)
    # Either distance may pass its limit: one factor brings the larger of both to the quantile.
    joint = max(float(np.quantile((distances / scales).max(axis=1), quantile)), 1e-12)
    return OutlierDetector(mean, whitening, reference, scales * joint, num_neighbours)
