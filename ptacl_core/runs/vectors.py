"""Another model's vectors in the place of cines: the settings and the reader of such runs."""

from pathlib import Path
from typing import Self

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.cohort import Cohort
from ptacl_core.cohort.queries.vectors import GivenVectors
from ptacl_core.cohort.search.vectors import compute_fingerprint
from ptacl_core.config.training import RunSettings
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import EVERY_VISIT


class VectorReader(ShardReader):
    """A cohort's ECGs, with a set of vectors where the other readers have cines.

    A visit has the vector of that visit, or else that of the person; a visit without an ECG has
    none, since nothing could be aligned with it.
    """

    _vectors: GivenVectors

    @classmethod
    def open_with(cls, cohort_dir: Path, vectors: GivenVectors) -> Self:
        """Open `<cohort_dir>/shards` with these vectors. Raises ShardError."""
        reader = cls.open(cohort_dir)
        reader._vectors = vectors
        places = zip(vectors.patients, vectors.visits, strict=True)
        positions = {place: at for at, place in enumerate(places)}
        rows = [
            positions.get((patient, int(visit)), positions.get((patient, EVERY_VISIT), -1))
            for patient, visit in zip(reader.patients, reader.visits, strict=True)
        ]
        has_ecg = reader._row_in_shard["ecg"] >= 0
        reader._row_in_shard["cmr"] = np.where(has_ecg, np.asarray(rows, np.int64), -1)
        reader.cmr_sha256 = compute_fingerprint(vectors.patients, vectors.visits, vectors.values)
        return reader

    def read_cine_bytes(self, rows: Int64[Array, " row"]) -> Array:
        """The vectors of `rows`, float32 [row, value]."""
        return self._vectors.values[self._row_in_shard["cmr"][np.asarray(rows, np.int64)]]


def open_reader(cohort_dir: Path, settings: RunSettings) -> ShardReader:
    """The recordings that a run of these settings sees. Raises ShardError, CohortError."""
    if settings.align.vectors is None:
        return ShardReader.open(cohort_dir)
    with Cohort.open(cohort_dir) as cohort:
        vectors = cohort.vectors(settings.align.vectors)
    return VectorReader.open_with(cohort_dir, vectors)


def fit_to_vectors(cohort_dir: Path, settings: RunSettings) -> RunSettings:
    """Settings whose second tower takes the vectors that they name; others come back as they are.

    Raises CohortError where the cohort has no such vectors.
    """
    name = settings.align.vectors
    if name is None:
        return settings
    with Cohort.open(cohort_dir) as cohort:
        num_values = cohort.vectors(name).values.shape[1]
    encoder = settings.cmr_encoder.model_copy(
        update={"family": "vectors", "num_values": num_values}
    )
    fitted = settings.model_copy(
        update={
            "cmr_encoder": encoder,
            "stages": tuple(stage for stage in settings.stages if stage != "cmr"),
            "pretrain_cmr": settings.pretrain_cmr.model_copy(update={"method": "none"}),
            "align": settings.align.model_copy(update={"local_loss": "none"}),
        }
    )
    return RunSettings.from_mapping(fitted.model_dump(mode="json"), source=f"run {settings.name}")
