"""Features of a run's encoders in one file per modality, so that a recording is encoded once.

features/<run>/<modality>.safetensors holds features by row of the shards' manifest, and no names.
It is a cache: what it was made from stands in it, and a file of anything else, or a damaged one,
counts as none. An erasure removes the folder whole.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ptacl_core.arrays import Array, Bool, Float32, Int64
from ptacl_core.embedding.encoding import Features
from ptacl_core.safety.files.atomic import atomic_path

KIND = "ptacl-features"
VERSION = "1"
_HASH = "content_sha256"


@dataclass(frozen=True, slots=True, eq=False)
class StoredFeatures:
    """Features of some rows of the manifest, rising; steps of `step_rows` only, rising too."""

    rows: Int64[Array, " row"]
    pooled: Float32[Array, "row dim"]
    projected: Float32[Array, "row embedding"]
    is_step_valid: Bool[Array, " row"]
    step_rows: Int64[Array, " stepped"]
    steps: Float32[Array, "stepped step dim"]

    @classmethod
    def none(cls) -> Self:
        """Features of no row."""
        return cls(
            np.empty(0, np.int64),
            np.empty((0, 0), np.float32),
            np.empty((0, 0), np.float32),
            np.empty(0, bool),
            np.empty(0, np.int64),
            np.empty((0, 0, 0), np.float32),
        )

    @classmethod
    def of(
        cls, rows: Int64[Array, " row"], features: Features, keeps_steps: Bool[Array, " row"]
    ) -> Self:
        """Features as an encoder gave them, with the steps of some rows. Rows are rising."""
        assert features.projected is not None
        steps = np.empty((0, 0, 0), np.float32)
        if features.steps is None:
            keeps_steps = np.zeros(len(rows), bool)
        else:
            steps = features.steps[keeps_steps]
        return cls(
            rows, features.pooled, features.projected, features.is_step_valid,
            rows[keeps_steps], steps,
        )  # fmt: skip

    def has(self, rows: Int64[Array, " row"], *, with_steps: bool) -> Bool[Array, " row"]:
        """Which of `rows` are held, with their steps where those are asked for."""
        return np.isin(rows, self.step_rows if with_steps else self.rows)

    def take(self, rows: Int64[Array, " row"], *, with_steps: bool) -> Features:
        """Features of rows that are all held."""
        place = np.searchsorted(self.rows, rows)
        steps = self.steps[np.searchsorted(self.step_rows, rows)] if with_steps else None
        return Features(self.pooled[place], self.projected[place], steps, self.is_step_valid[place])

    @classmethod
    def merge(cls, parts: Sequence["StoredFeatures"]) -> "StoredFeatures":
        """All parts together; where several have a row, that of the last of them."""
        held = [part for part in reversed(parts) if len(part.rows)]
        if not held:
            return cls.none()
        rows, place = np.unique(np.concatenate([part.rows for part in held]), return_index=True)
        stepped = [part for part in held if len(part.step_rows)]
        step_rows, steps = held[0].step_rows, held[0].steps
        if stepped:
            joined = np.concatenate([part.step_rows for part in stepped])
            step_rows, step_place = np.unique(joined, return_index=True)
            steps = np.concatenate([part.steps for part in stepped])[step_place]
        return StoredFeatures(
            rows,
            np.concatenate([part.pooled for part in held])[place],
            np.concatenate([part.projected for part in held])[place],
            np.concatenate([part.is_step_valid for part in held])[place],
            step_rows,
            steps,
        )

    def save(self, path: Path, origin: Mapping[str, str]) -> None:
        """Write the file whole or not at all; `origin` is what the features were made from.

        Raises OSError.
        """
        tensors = self._tensors()
        facts = {"kind": KIND, "version": VERSION, **origin, _HASH: _hash(tensors)}
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, facts)

    @classmethod
    def load(cls, path: Path, origin: Mapping[str, str]) -> "StoredFeatures":
        """What `save` wrote of the same origin; of no row where there is no such file."""
        expected = {"kind": KIND, "version": VERSION, **origin}
        try:
            with safe_open(path, framework="numpy") as file:
                facts = file.metadata() or {}
                if {name: facts.get(name) for name in expected} != expected:
                    return cls.none()
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return cls.none()  # a cache: what cannot be read is made anew
        if _hash(tensors) != facts.get(_HASH):
            return cls.none()
        return cls(**{**tensors, "is_step_valid": tensors["is_step_valid"].astype(bool)})

    def _tensors(self) -> dict[str, Array]:
        return {
            "rows": np.ascontiguousarray(self.rows, np.int64),
            "pooled": np.ascontiguousarray(self.pooled, np.float32),
            "projected": np.ascontiguousarray(self.projected, np.float32),
            "is_step_valid": np.ascontiguousarray(self.is_step_valid, np.uint8),
            "step_rows": np.ascontiguousarray(self.step_rows, np.int64),
            "steps": np.ascontiguousarray(self.steps, np.float32),
        }


def _hash(tensors: Mapping[str, Array]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name]
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
