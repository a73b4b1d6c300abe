"""What an aligned run's encoders say of a cohort: each recording is encoded once.

`ptacl embed`, `evaluate`, `drift` and `reproduce` ask here. What one of them encoded the others
take from the disk while weights, recordings and the settings that matter are the same; all else
is encoded.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from ptacl_core import __version__
from ptacl_core.arrays import Array, Bool, Int64, Modality
from ptacl_core.cohort import CohortDescription, CohortLayout
from ptacl_core.embedding.encoding import Features
from ptacl_core.embedding.rows import encode_rows
from ptacl_core.embedding.stored_features import StoredFeatures
from ptacl_core.models import EncoderView, TokenEncoder
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.choose import TrainedRun
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.safety.files.lock import wait_for_lock
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import MANIFEST_FILE
from ptacl_core.train.precision import encoding_precision


@dataclass(frozen=True, slots=True, eq=False)
class FeatureSource:
    """One encoder of an aligned run with its projection, and what makes its features differ."""

    run: str
    modality: Modality
    checkpoint_sha256: str
    view: EncoderView
    encoder: TokenEncoder
    projection: torch.nn.Module

    @classmethod
    def of(cls, aligned: TrainedRun, modality: Modality) -> Self:
        """The source of one modality of a run."""
        encoder, projection = aligned.tower(modality)
        sha256 = aligned.checkpoint_sha256
        return cls(aligned.name, modality, sha256, aligned.view, encoder, projection)

    def encode(
        self,
        reader: ShardReader,
        rows: Int64[Array, " row"],
        *,
        with_steps: bool,
        task: str,
        progress: ProgressSink,
    ) -> Features:
        """Features of `rows`, made now."""
        return encode_rows(
            reader, rows, self.modality, self.encoder, self.projection, self.view,
            with_steps=with_steps, task=task, progress=progress,
        )  # fmt: skip

    def describe(self, reader: ShardReader) -> dict[str, str]:
        """All that features of these recordings depend on."""
        device = next(self.encoder.parameters()).device
        view = {name: str(value) for name, value in asdict(self.view).items()}
        given = (
            {}
            if self.modality == "ecg" or reader.cmr_sha256 is None
            else {"cmr_sha256": reader.cmr_sha256}
        )
        return {
            **view,
            **given,
            "precision": encoding_precision(device, self.view.precision),
            "run": self.run,
            "modality": self.modality,
            "software": __version__,
            "checkpoint_sha256": self.checkpoint_sha256,
            "data_sha256": reader.manifest_sha256,
            "preprocessing_hash": reader.preprocessing_hash,
        }


class FeatureCache:
    """Features of one source, from the disk where they are there; `save` keeps the others.

    Nothing is read or kept where `reader` is not of the cohort that the run was trained in, and
    nothing kept of a reader only (`keeps` False).
    """

    def __init__(
        self, reader: ShardReader, source: FeatureSource, *, home: Path, keeps: bool = True
    ) -> None:
        self._reader, self._source = reader, source
        layout = CohortLayout(home.absolute())
        is_home = layout.description.exists() and (
            layout.shards.resolve() == reader.directory.resolve()
        )
        self._layout = layout if is_home and keeps else None
        self._path = layout.features / source.run / f"{source.modality}.safetensors"
        self._origin = source.describe(reader)
        self._held = StoredFeatures.none()
        if is_home:
            self._held = StoredFeatures.load(self._path, self._origin)
        self._fresh: list[StoredFeatures] = []

    @classmethod
    def of(
        cls, reader: ShardReader, aligned: TrainedRun, modality: Modality, *, keeps: bool = True
    ) -> Self:
        """The cache of one modality of an aligned run."""
        source, home = FeatureSource.of(aligned, modality), aligned.directory.parents[1]
        return cls(reader, source, home=home, keeps=keeps)

    def find(
        self,
        rows: Int64[Array, " row"],
        *,
        with_steps: bool = False,
        task: str = "encode",
        progress: ProgressSink = SILENT,
    ) -> Features:
        """Features of `rows` (rising), of which only those not on the disk are encoded."""
        is_held = self._held.has(rows, with_steps=with_steps)
        if is_held.any():
            progress.say(f"{task}: {int(is_held.sum())} of {len(rows)} recordings are known")
        if is_held.all():
            return self._held.take(rows, with_steps=with_steps)
        missing = rows[~is_held]
        made = self._source.encode(
            self._reader, missing, with_steps=with_steps, task=task, progress=progress
        )
        self.put(missing, made)
        if not is_held.any():
            return made
        held = StoredFeatures.of(
            rows[is_held],
            self._held.take(rows[is_held], with_steps=with_steps),
            np.ones(int(is_held.sum()), bool),
        )
        fresh = StoredFeatures.of(missing, made, np.ones(len(missing), bool))
        return StoredFeatures.merge([held, fresh]).take(rows, with_steps=with_steps)

    def put(self, rows: Int64[Array, " row"], features: Features) -> None:
        """Take note of features that were made elsewhere, for `save`."""
        if self._layout is not None and len(rows):
            self._fresh.append(StoredFeatures.of(rows, features, self._keeps_steps(rows)))

    def save(self) -> None:
        """Keep what was made, beside what other processes have kept since.

        Not where the cohort's recordings have changed meanwhile: an erasure may be the change.
        Raises CohortLockedError, OSError.
        """
        if self._layout is None or not self._fresh:
            return
        with hold_unchanged(self._layout, self._reader) as is_unchanged:
            if is_unchanged:
                known = StoredFeatures.load(self._path, self._origin)
                StoredFeatures.merge([known, *self._fresh]).save(self._path, self._origin)
        self._fresh.clear()

    def _keeps_steps(self, rows: Int64[Array, " row"]) -> Bool[Array, " row"]:
        """Steps of test recordings are asked for again, of a simulated cohort's training too."""
        assert self._layout is not None
        kept = {"test"}
        if CohortDescription.read(self._layout).source == "simulated":
            kept.add("train")
        return np.asarray([self._reader.splits[row] in kept for row in rows], bool)


@contextmanager
def hold_unchanged(layout: CohortLayout, reader: ShardReader) -> Iterator[bool]:
    """Keep writers out; whether the recordings are still those that `reader` opened.

    What is derived from patients is written in here: an erasure, which writes as well, has then
    either removed nobody yet or is seen. Raises CohortLockedError after ten minutes.
    """
    with wait_for_lock(layout.writer_lock, purpose="features"):
        yield compute_sha256(layout.shards / MANIFEST_FILE) == reader.manifest_sha256


Caches = Mapping[Modality, FeatureCache]


def open_caches(reader: ShardReader, aligned: TrainedRun, *, keeps: bool = True) -> Caches:
    """The caches of what a run has encoders of."""
    return {
        modality: FeatureCache.of(reader, aligned, modality, keeps=keeps)
        for modality in aligned.modalities
    }
