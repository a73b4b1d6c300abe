"""From a pooled embedding to ten phenotypes with intervals, and how strange the recording is.

Fitted once per run (probe on train, intervals and thresholds on validation) and stored with
it as safetensors and JSON; `ptacl predict`, the store and the app all answer from it.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from ptacl_core.arrays import Array, Bool, Float64
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.evaluate import (
    LinearProbe,
    OutlierDetector,
    fit_conformal,
    fit_linear_probe,
    fit_outlier_detector,
)
from ptacl_core.evaluate.conformal import POOLED
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.atomic import write_bytes, write_json

KIND = "ptacl-readout"
VERSION = 1
TENSORS_FILE = "readout.safetensors"
DOCUMENT_FILE = "readout.json"
DEFAULT_COVERAGE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Phenotypes in their units, columns in the order of PHENOTYPE_NAMES."""

    value: Float64[Array, "patient target"]
    low: Float64[Array, "patient target"]
    high: Float64[Array, "patient target"]
    outlier_score: Float64[Array, "patient"]

    @property
    def is_outlier(self) -> Bool[Array, "patient"]:
        """Recordings unlike those of the training set (score above 1)."""
        return self.outlier_score > 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ReadOut:
    """Linear probe, split-conformal offsets below and above, and outlier detector.

    `coverage` is the nominal share of patients inside their interval; it holds for patients
    drawn like the validation patients, and fails under shift, of which the outlier score warns.
    """

    probe: LinearProbe
    offsets: Float64[Array, "target 2"]
    detector: OutlierDetector
    coverage: float
    checkpoint_sha256: str
    preprocessing_hash: str

    def predict(self, features: Float64[Array, "patient dim"]) -> Predictions:
        """Phenotypes, intervals and outlier scores of pooled embeddings."""
        value = self.probe.predict(features)
        return Predictions(
            value=value,
            low=value - self.offsets[:, 0],
            high=value + self.offsets[:, 1],
            outlier_score=self.detector.score(features),
        )

    def save(self, folder: Path) -> None:
        """Write both files atomically, the document last. Raises OSError."""
        data = save_tensors(
            {
                "coefficients": self.probe.coefficients,
                "intercept": self.probe.intercept,
                "offsets": self.offsets,
                **{
                    f"detector.{name}": np.ascontiguousarray(values)
                    for name, values in self.detector.as_arrays().items()
                },
            }
        )
        write_bytes(folder / TENSORS_FILE, data)
        write_json(
            folder / DOCUMENT_FILE,
            {
                "kind": KIND,
                "version": VERSION,
                "phenotypes": list(PHENOTYPE_NAMES),
                "coverage": self.coverage,
                "checkpoint_sha256": self.checkpoint_sha256,
                "preprocessing_hash": self.preprocessing_hash,
                "sha256": hashlib.sha256(data).hexdigest(),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError when it is missing or damaged."""
        try:
            document = json.loads((folder / DOCUMENT_FILE).read_text())
            data = (folder / TENSORS_FILE).read_bytes()
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"run {folder.parent.name}: no readable read-out ({type(error).__name__}); "
                "`ptacl embed COHORT --run RUN` makes it"
            ) from None
        known = (document.get("kind"), document.get("version"), document.get("phenotypes"))
        if known != (KIND, VERSION, list(PHENOTYPE_NAMES)):
            raise CheckpointError(
                f"run {folder.parent.name}: its read-out is of another kind or version; "
                "`ptacl embed` makes it anew"
            )
        if hashlib.sha256(data).hexdigest() != document.get("sha256"):
            raise CheckpointError(
                f"run {folder.parent.name}: {TENSORS_FILE} is damaged; `ptacl embed` makes it anew"
            )
        try:
            tensors = load_tensors(data)
        except SafetensorError as error:
            raise CheckpointError(f"run {folder.parent.name}: {TENSORS_FILE}: {error}") from None
        detector = {
            name.removeprefix("detector."): values
            for name, values in tensors.items()
            if name.startswith("detector.")
        }
        return cls(
            probe=LinearProbe(tensors["coefficients"], tensors["intercept"]),
            offsets=tensors["offsets"],
            detector=OutlierDetector.from_arrays(detector),
            coverage=float(document["coverage"]),
            checkpoint_sha256=str(document["checkpoint_sha256"]),
            preprocessing_hash=str(document["preprocessing_hash"]),
        )


def fit_readout(
    train_features: Float64[Array, "train dim"],
    train_targets: Float64[Array, "train target"],
    validation_features: Float64[Array, "validation dim"],
    validation_targets: Float64[Array, "validation target"],
    *,
    checkpoint_sha256: str,
    preprocessing_hash: str,
    coverage: float = DEFAULT_COVERAGE,
) -> ReadOut:
    """Probe by least squares on train; asymmetric conformal offsets on validation.

    Raises CohortError when a phenotype has no training label, or too few validation labels
    for an interval of this coverage.
    """
    probe = fit_linear_probe(train_features, train_targets)
    predicted = probe.predict(validation_features)
    offsets = np.empty((len(PHENOTYPE_NAMES), 2))
    for column, name in enumerate(PHENOTYPE_NAMES):
        if np.isnan(probe.intercept[column]) or np.isnan(validation_targets[:, column]).all():
            raise CohortError(
                f"{name} has no label in training or validation; a prediction needs both"
            )
        offsets[column] = fit_conformal(
            validation_targets[:, column],
            predicted[:, column],
            level=coverage,
            is_asymmetric=True,
        ).offsets[POOLED]
        if not np.isfinite(offsets[column]).all():
            count = int((~np.isnan(validation_targets[:, column])).sum())
            raise CohortError(
                f"{name}: {count} labels in validation are too few for a "
                f"{coverage * 100:.0f} % interval; at least {_least_labels(coverage)} are needed"
            )
    return ReadOut(
        probe=probe,
        offsets=offsets,
        detector=fit_outlier_detector(train_features, validation_features),
        coverage=coverage,
        checkpoint_sha256=checkpoint_sha256,
        preprocessing_hash=preprocessing_hash,
    )


def _least_labels(coverage: float) -> int:
    """Fewest labels n with ⌈(n + 1) · (1 + coverage) / 2⌉ ≤ n."""
    tail = 0.5 * (1.0 + coverage)
    return int(np.ceil(tail / (1.0 - tail) - 1e-9))
