"""Is a recording like those the model was trained on: a score on its embedding.

Two distances from the training embeddings, each divided by its own threshold on validation
patients: Mahalanobis (far from the whole cloud) and the distance to the patients around it (in
a hole of the cloud). The larger one is the score; above 1 the recording is flagged. The second
one is taken from prototypes of at least ten people each: the detector is stored with the run,
and holds no row of any patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.evaluate.labels import EvaluationError, as_features
from ptacl_core.evaluate.prototypes import Prototypes, fit_prototypes

MIN_TRAINING_PATIENTS = 11
_ARRAY_NAMES = ("mean", "whitening", "prototypes", "radii", "scales")


@dataclass(frozen=True, slots=True, eq=False)
class OutlierDetector:
    """Plain arrays, stored with the run (`as_arrays`); no estimator object."""

    mean: Float64[Array, " dim"]
    whitening: Float64[Array, "dim component"]
    prototypes: Prototypes
    scales: Float64[Array, "2"]

    def score(self, features: Float[Array, "recording dim"]) -> Float64[Array, " recording"]:
        """1 is the threshold: the chosen quantile of the validation patients' scores."""
        return (self.distances(features) / self.scales).max(axis=1)

    def is_outlier(self, features: Float[Array, "recording dim"]) -> Bool[Array, " recording"]:
        """Recordings whose score exceeds 1."""
        return self.score(features) > 1.0

    def distances(self, features: Float[Array, "recording dim"]) -> Float64[Array, "recording 2"]:
        """Mahalanobis distance, and distance to the patients around it in whitened space."""
        matrix = as_features(features, name="features")
        if matrix.shape[1] != len(self.mean):
            raise EvaluationError(
                f"features: the detector knows {len(self.mean)} dimensions, got {matrix.shape[1]}"
            )
        whitened = (matrix - self.mean) @ self.whitening
        nearest = self.prototypes.nearest(whitened)
        return np.stack([np.linalg.norm(whitened, axis=1), nearest], axis=1)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` takes; fit for safetensors or an .npz without pickle."""
        return {
            "mean": self.mean,
            "whitening": self.whitening,
            "prototypes": self.prototypes.centres,
            "radii": self.prototypes.radii,
            "scales": self.scales,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "OutlierDetector":
        """Rebuild a stored detector; raises EvaluationError when an array is missing."""
        missing = [name for name in _ARRAY_NAMES if name not in arrays]
        if missing:
            raise EvaluationError(f"outlier detector: missing arrays {', '.join(missing)}")
        mean, whitening, centres, radii, scales = (
            np.asarray(arrays[name], dtype=np.float64) for name in _ARRAY_NAMES
        )
        return cls(mean, whitening, Prototypes(centres, radii), scales)


def fit_outlier_detector(
    train_features: Float[Array, "train dim"],
    validation_features: Float[Array, "validation dim"],
    *,
    people: Sequence[str] | None = None,
    quantile: float = 0.99,
) -> OutlierDetector:
    """Centre, whitening (shrunk covariance of Ledoit and Wolf), prototypes and thresholds.

    `quantile` of the validation patients stay under 1. `people` names the person of each
    training row, where one has several. Directions without variance in training are left out.
    """
    from sklearn.covariance import ledoit_wolf

    train = as_features(train_features, name="train_features")
    validation = as_features(validation_features, name="validation_features")
    if train.shape[1] != validation.shape[1]:
        raise EvaluationError(
            f"train has {train.shape[1]} dimensions, validation {validation.shape[1]}"
        )
    if len(train) < MIN_TRAINING_PATIENTS or len(validation) < 2:
        raise EvaluationError(
            f"{len(train)} training and {len(validation)} validation patients: at least "
            f"{MIN_TRAINING_PATIENTS} and 2 are needed"
        )
    mean = train.mean(axis=0)
    covariance, _shrinkage = ledoit_wolf(train)
    variances, axes = np.linalg.eigh(covariance)
    kept = variances > 1e-12 * max(float(variances[-1]), 1e-300)
    whitening = axes[:, kept] / np.sqrt(variances[kept])
    prototypes = fit_prototypes((train - mean) @ whitening, people=people)
    unscaled = OutlierDetector(mean, whitening, prototypes, np.ones(2))
    distances = unscaled.distances(validation)
    scales = np.maximum(np.quantile(distances, quantile, axis=0), 1e-12)
    # Either distance may pass its limit: one factor brings the larger of both to the quantile.
    joint = max(float(np.quantile((distances / scales).max(axis=1), quantile)), 1e-12)
    return OutlierDetector(mean, whitening, prototypes, scales * joint)
