"""From a pooled embedding to a cohort's own targets: values with intervals, and probabilities.

Fitted once per run on training people, intervals and calibration on validation people, and stored
beside the read-out of the ten phenotypes as safetensors and JSON. It holds lines, offsets and
counts, no row of a person.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from ptacl_core.arrays import Array, Float64
from ptacl_core.errors import CheckpointError, ConfigError
from ptacl_core.evaluate.conformal import POOLED
from ptacl_core.evaluate.probes.calibration import Calibration
from ptacl_core.evaluate.probes.penalised import SingleProbe
from ptacl_core.json_values import JsonObject
from ptacl_core.records.targets import MAX_TARGETS, Target, as_kind
from ptacl_core.safety.files.atomic import write_bytes, write_json

KIND = "ptacl-target-readout"
VERSION = 1
TENSORS_FILE = "targets.safetensors"
DOCUMENT_FILE = "targets.json"
_ARRAYS = {
    "continuous": ("coefficients", "intercept", "offsets", "counts"),
    "binary": ("coefficients", "intercept", "line", "covariance", "standard", "counts"),
}


@dataclass(frozen=True, slots=True, eq=False)
class TargetPredictions:
    """Predictions of one target, in its unit or as probabilities, each with its interval."""

    target: Target
    value: Float64[Array, " row"]
    low: Float64[Array, " row"]
    high: Float64[Array, " row"]
    interval_group: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FittedTarget:
    """What predicts one target.

    Of a continuous one `offsets` below and above by group of validation people, with their
    `counts`; of a binary one the calibration of the probe's score, `counts` then being validation
    people with the event and without.
    """

    target: Target
    probe: SingleProbe
    groups: tuple[str, ...]
    offsets: Float64[Array, "group 2"]
    counts: tuple[int, ...]
    calibration: Calibration | None = None

    def predict(
        self, features: Float64[Array, "row dim"], *, groups: Sequence[str], level: float
    ) -> TargetPredictions:
        """Values in the plausible range, or probabilities, with intervals that hold them."""
        score = self.probe.score(features)
        if self.calibration is not None:
            calibrated = self.calibration.probability(score, level=level)
            whose = (POOLED,) * len(score)
            return TargetPredictions(
                self.target, calibrated.value, calibrated.low, calibrated.high, whose
            )
        used = tuple(group if group in self.groups else POOLED for group in groups)
        offsets = self.offsets[[self.groups.index(group) for group in used]].reshape(-1, 2)
        low = -np.inf if self.target.low is None else self.target.low
        high = np.inf if self.target.high is None else self.target.high
        value, below, above = (
            np.clip(values, low, high)
            for values in (score, score - offsets[:, 0], score + offsets[:, 1])
        )
        return TargetPredictions(self.target, value, below, above, used)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What it is made of, by the names of its kind."""
        arrays = {
            "coefficients": self.probe.coefficients,
            "intercept": np.array([self.probe.intercept]),
            "counts": np.array(self.counts, np.int64),
        }
        if self.calibration is None:
            return {**arrays, "offsets": self.offsets}
        standard = np.array([self.calibration.centre, self.calibration.scale])
        return {
            **arrays,
            "line": self.calibration.line,
            "covariance": self.calibration.covariance,
            "standard": standard,
        }

    @classmethod
    def from_arrays(
        cls, target: Target, groups: Sequence[str], arrays: Mapping[str, np.ndarray]
    ) -> Self:
        """Rebuild one. Raises CheckpointError for arrays that do not belong together."""
        names = _ARRAYS[target.kind]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise CheckpointError(f"{target.name}: lacks {', '.join(missing)}")
        held = {name: np.asarray(arrays[name], np.float64) for name in names}
        shapes = {
            "intercept": (1,), "offsets": (len(groups), 2), "line": (2,), "covariance": (2, 2),
            "standard": (2,), "counts": (2,) if target.is_binary else (len(groups),),
        }  # fmt: skip
        is_fitting = held["coefficients"].ndim == 1 and all(
            held[name].shape == shape for name, shape in shapes.items() if name in held
        )
        if not is_fitting or not all(np.isfinite(values).all() for values in held.values()):
            raise CheckpointError(f"{target.name}: holds arrays that no fit gives")
        counts = tuple(int(count) for count in held["counts"])
        probe = SingleProbe(held["coefficients"], float(held["intercept"][0]))
        if not target.is_binary:
            if (held["offsets"].sum(axis=1) < 0).any():
                raise CheckpointError(f"{target.name}: its intervals end before they begin")
            return cls(target, probe, tuple(groups), held["offsets"], counts)
        centre, scale = held["standard"]
        if scale <= 0 or min(np.linalg.eigvalsh(held["covariance"])) < -1e-9:
            raise CheckpointError(f"{target.name}: holds a calibration that no fit gives")
        calibration = Calibration(
            held["line"], held["covariance"], float(centre), float(scale), *counts
        )
        return cls(target, probe, (POOLED,), np.zeros((1, 2)), counts, calibration)


@dataclass(frozen=True, slots=True, eq=False)
class TargetReadOut:
    """All targets that a run predicts; `unfitted` says of the others why not."""

    fitted: tuple[FittedTarget, ...]
    unfitted: Mapping[str, str]
    coverage: float
    checkpoint_sha256: str

    @classmethod
    def none(cls, checkpoint_sha256: str, coverage: float) -> Self:
        """Of a cohort without targets of its own."""
        return cls((), {}, coverage, checkpoint_sha256)

    def predict(
        self, features: Float64[Array, "row dim"], *, groups: Sequence[str]
    ) -> tuple[TargetPredictions, ...]:
        """Every target of pooled embeddings; `groups` names each person's sex and age."""
        return tuple(
            fitted.predict(features, groups=groups, level=self.coverage) for fitted in self.fitted
        )

    def as_tensors(self) -> dict[str, np.ndarray]:
        """All arrays by target and name."""
        return {
            f"{fitted.target.name}.{name}": np.ascontiguousarray(values)
            for fitted in self.fitted
            for name, values in fitted.as_arrays().items()
        }

    def describe(self) -> list[JsonObject]:
        """Definitions and groups of the targets, as `from_parts` takes them."""
        return [
            {"target": asdict(fitted.target), "groups": list(fitted.groups)}
            for fitted in self.fitted
        ]

    @classmethod
    def from_parts(
        cls,
        described: Sequence[Mapping[str, Any]],
        tensors: Mapping[str, np.ndarray],
        *,
        unfitted: Mapping[str, str],
        coverage: float,
        checkpoint_sha256: str,
    ) -> Self:
        """Rebuild a read-out. Raises CheckpointError."""
        if len(described) > MAX_TARGETS:
            raise CheckpointError(f"holds more than {MAX_TARGETS} targets")
        fitted = []
        for entry in described:
            try:
                values = dict(entry["target"])
                target = Target(**{**values, "kind": as_kind(str(values["kind"]))})
                groups = [str(group) for group in entry["groups"]]
            except (KeyError, TypeError, ValueError, ConfigError) as error:
                raise CheckpointError(f"a target is not described as expected: {error}") from None
            prefix = f"{target.name}."
            arrays = {
                name.removeprefix(prefix): array
                for name, array in tensors.items()
                if name.startswith(prefix)
            }
            fitted.append(FittedTarget.from_arrays(target, groups, arrays))
        return cls(tuple(fitted), dict(unfitted), coverage, checkpoint_sha256)

    def renamed(self, checkpoint_sha256: str) -> "TargetReadOut":
        """The same for the same weights, stored in a file of another hash."""
        return TargetReadOut(self.fitted, self.unfitted, self.coverage, checkpoint_sha256)

    def save(self, folder: Path) -> None:
        """Write both files atomically, the document last. Raises OSError."""
        data = save_tensors(self.as_tensors())
        write_bytes(folder / TENSORS_FILE, data)
        write_json(
            folder / DOCUMENT_FILE,
            {
                "kind": KIND,
                "version": VERSION,
                "targets": self.describe(),
                "unfitted": dict(self.unfitted),
                "coverage": self.coverage,
                "checkpoint_sha256": self.checkpoint_sha256,
                "sha256": hashlib.sha256(data).hexdigest(),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """What `save` wrote; None where the run has none. Raises CheckpointError when damaged."""
        if not (folder / DOCUMENT_FILE).exists():
            return None
        place = f"run {folder.parent.name}: its read-out of targets"
        again = "`ptacl embed` makes it anew"
        try:
            document = json.loads((folder / DOCUMENT_FILE).read_text(encoding="utf-8"))
            data = (folder / TENSORS_FILE).read_bytes()
            if (document["kind"], document["version"]) != (KIND, VERSION):
                raise CheckpointError(f"{place} is of another version; {again}")
            if hashlib.sha256(data).hexdigest() != document["sha256"]:
                raise CheckpointError(f"{place} is damaged; {again}")
            return cls.from_parts(
                document["targets"],
                load_tensors(data),
                unfitted=document["unfitted"],
                coverage=float(document["coverage"]),
                checkpoint_sha256=str(document["checkpoint_sha256"]),
            )
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(
                f"{place} cannot be read ({type(error).__name__}); {again}"
            ) from None


def load_targets_of(folder: Path, checkpoint_sha256: str, *, coverage: float) -> TargetReadOut:
    """The run's read-out of targets for these very weights; an empty one where there is none."""
    stored = TargetReadOut.load(folder)
    if stored is None or stored.checkpoint_sha256 != checkpoint_sha256:
        return TargetReadOut.none(checkpoint_sha256, coverage)
    return stored
