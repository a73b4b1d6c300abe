"""Reads rows of shards into preallocated arrays, without mapping files into memory.

A mapped file kills the process when another one shortens it; `preadv` raises instead, and
is as fast (`scripts/bench_shards`).
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64, Int64, UInt8
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.errors import ShardError
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.shards import spec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """An open `.npy` file: where its values begin, and of which type and shape they are."""

    descriptor: int
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]


class ShardReader:
    """The shards of one cohort. Row numbers index `table`, in the order of the manifest.

    `manifest_sha256` is the hash of `manifest.parquet`: it names the data, since the manifest
    lists every recording with its own hash, its split and its phenotypes.
    """

    cmr_sha256: str | None = None
    """Hash of what stands in the place of the cines; None: the cines of the manifest."""

    def __init__(
        self,
        directory: Path,
        table: "pa.Table",
        preprocessing: PreprocessSettings,
        *,
        manifest_sha256: str,
    ):
        self.directory = directory
        self.table = table
        self.manifest_sha256 = manifest_sha256
        self.preprocessing = preprocessing
        self.preprocessing_hash = preprocessing.hash()
        self.patients: list[str] = table.column("patient").to_pylist()
        self.visits: list[int] = table.column("visit").to_pylist()
        self.splits: list[str] = table.column("split").to_pylist()
        self._shards: list[str] = table.column("shard").to_pylist()
        self._row_in_shard = {
            modality: table.column(column).fill_null(-1).to_numpy()
            for modality, column in (("ecg", "ecg_row"), ("cmr", "cine_row"))
        }
        self._files: dict[Path, ArrayFile] = {}

    @classmethod
    def open(cls, cohort_dir: Path) -> Self:
        """Open `<cohort_dir>/shards`.

        Raises ShardError when there are none, when they are of another version, or when they
        were preprocessed in different ways.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        directory = cohort_dir / "shards"
        manifest = directory / spec.MANIFEST_FILE
        if not manifest.exists():
            raise ShardError(
                f"{cohort_dir.name}: no shards/{spec.MANIFEST_FILE}; "
                "make shards with `ptacl simulate` or `ptacl preprocess`"
            )
        try:
            content = manifest.read_bytes()
            table = pq.read_table(pa.BufferReader(content), schema=spec.build_manifest_schema())
        except (OSError, pa.ArrowException) as error:
            raise ShardError(
                f"shards/{spec.MANIFEST_FILE} cannot be read ({type(error).__name__}); "
                "`ptacl verify --repair` rebuilds it from the shards"
            ) from None
        shards = sorted(set(table.column("shard").to_pylist()))
        descriptions = [_read_description(directory / shard) for shard in shards]
        hashes = {description["preprocessing_hash"] for description in descriptions}
        if len(hashes) > 1:
            raise ShardError(
                f"shards of different preprocessing stand side by side ({sorted(hashes)}); "
                "preprocess the cohort again with one setting"
            )
        settings = (
            PreprocessSettings.from_mapping(descriptions[0]["preprocessing"], source="shard.json")
            if descriptions
            else PreprocessSettings()
        )
        return cls(directory, table, settings, manifest_sha256=hashlib.sha256(content).hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the array files; rows can still be read, which opens them again."""
        for file in self._files.values():
            os.close(file.descriptor)
        self._files.clear()

    @property
    def num_rows(self) -> int:
        """Visits in the cohort."""
        return self.table.num_rows

    def rows(
        self, split: str | None = None, *, needs: tuple[str, ...] = ("ecg", "cmr")
    ) -> Int64[Array, " row"]:
        """Row numbers of `split` (None: all) that have every modality in `needs`."""
        keep = np.ones(self.num_rows, bool)
        for modality in needs:
            keep &= self._row_in_shard[modality] >= 0
        if split is not None:
            keep &= np.asarray(self.splits, dtype=object) == split
        return np.flatnonzero(keep).astype(np.int64)

    def read_ecg(self, rows: Int64[Array, " row"]) -> Array:
        """Normalised ECGs, float16 [row, 12, 5000]. Raises ShardError."""
        return self._read("ecg", spec.ECG_FILE, rows)

    def read_ecg_mv(self, rows: Int64[Array, " row"]) -> Float32[Array, "row lead sample"]:
        """The same ECGs denoised but in millivolts, for display. Raises ShardError."""
        scale = np.asarray(self._values("ecg_scale_mv", rows), np.float32)
        offset = np.asarray(self._values("ecg_offset_mv", rows), np.float32)
        return self.read_ecg(rows).astype(np.float32) * scale[..., None] + offset[..., None]

    def read_cine(self, rows: Int64[Array, " row"]) -> Float32[Array, "row frame height width"]:
        """Cines in [0, 1], to half of one of the 255 steps stored. Raises ShardError."""
        return self.read_cine_bytes(rows).astype(np.float32) / np.float32(spec.CINE_STEPS)

    def read_cine_bytes(self, rows: Int64[Array, " row"]) -> UInt8[Array, "row frame height width"]:
        """Cines as stored, 0 to 255 for [0, 1]: a quarter of the memory. Raises ShardError.

        For what stays in memory, travels to a device (there `scale_bytes`), or is drawn in
        greys.
        """
        return self._read("cmr", spec.CINE_FILE, rows)

    def r_peaks(self, rows: Int64[Array, " row"]) -> list[Int64[Array, " beat"]]:
        """R peaks of each row, in samples of the prepared ECG."""
        return [np.asarray(peaks or [], np.int64) for peaks in self._values("r_peak_samples", rows)]

    def phenotypes(self, rows: Int64[Array, " row"]) -> Float64[Array, "row target"]:
        """The ten phenotypes in the order of `PHENOTYPE_NAMES`, NaN where absent."""
        return np.stack([self.column(name, rows) for name in PHENOTYPE_NAMES], axis=1)

    def covariates(self, rows: Int64[Array, " row"]) -> Float64[Array, "row covariate"]:
        """`COVARIATE_NAMES` of each row, NaN where absent."""
        coded = {"M": 1.0, "F": 0.0}
        is_male = [coded.get(sex, np.nan) for sex in self._values("sex", rows)]
        numbers = [self.column(name, rows) for name in spec.COVARIATE_NAMES[1:]]
        return np.stack([np.asarray(is_male), *numbers], axis=1)

    def column(self, name: str, rows: Int64[Array, " row"]) -> Float64[Array, " row"]:
        """A numeric column of the manifest, NaN where absent."""
        return np.asarray(
            [np.nan if value is None else value for value in self._values(name, rows)], np.float64
        )

    def _values(self, name: str, rows: Int64[Array, " row"]) -> list[Any]:
        return self.table.column(name).take(rows).to_pylist()

    def _read(self, modality: str, file_name: str, rows: Int64[Array, " row"]) -> Array:
        rows = np.asarray(rows, np.int64)
        if rows.size == 0:
            raise ShardError(f"no row of {modality} was asked for")
        in_shard = self._row_in_shard[modality][rows]
        if (in_shard < 0).any():
            raise ShardError(
                f"{int((in_shard < 0).sum())} of the rows asked for have no {modality}"
            )
        out: Array | None = None
        for position in np.lexsort((in_shard, np.asarray([self._shards[row] for row in rows]))):
            file = self._open(self.directory / self._shards[rows[position]] / file_name)
            if out is None:
                out = np.empty((rows.size, *file.shape[1:]), file.dtype)
            target = out[position]
            start = file.offset + int(in_shard[position]) * target.nbytes
            count = os.preadv(file.descriptor, [target.data], start)
            if count != target.nbytes:
                raise ShardError(
                    f"{self._shards[rows[position]]}/{file_name}: row {in_shard[position]} ends "
                    f"after {count} of {target.nbytes} bytes; `ptacl verify` names what is damaged"
                )
        assert out is not None
        return out

    def _open(self, path: Path) -> ArrayFile:
        file = self._files.get(path)
        if file is None:
            file = open_array(path)
            self._files[path] = file
        return file


def open_array(path: Path) -> ArrayFile:
    """Open a `.npy` file of a shard; the caller closes its descriptor. Raises ShardError."""
    place = f"{path.parent.name}/{path.name}"
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise ShardError(f"{place}: .npy version {version}, expected (1, 0)")
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            offset = stream.tell()
    except (OSError, ValueError) as error:
        raise ShardError(f"{place}: not a readable array ({error}); run `ptacl verify`") from None
    if (
        is_fortran
        or dtype.hasobject
        or path.stat().st_size != offset + dtype.itemsize * int(np.prod(shape))
    ):
        raise ShardError(f"{place}: size or layout differ from the header; run `ptacl verify`")
    return ArrayFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC), offset, dtype, shape)


def find_preprocessing(directory: Path) -> PreprocessSettings | None:
    """How the recordings of a cohort's shards were prepared; None without a finished shard."""
    for path in sorted(directory.glob("*/shard.json")):
        values = _read_description(path.parent)["preprocessing"]
        return PreprocessSettings.from_mapping(values, source="shard.json")
    return None


def _read_description(shard: Path) -> spec.ShardDescription:
    path = shard / spec.DESCRIPTION_FILE
    try:
        description = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ShardError(
            f"{shard.name}/{path.name} cannot be read ({type(error).__name__}); run `ptacl verify`"
        ) from None
    kind, version = description.get("kind"), description.get("version")
    if kind != spec.KIND or version != spec.VERSION:
        raise ShardError(
            f"{shard.name}: kind {kind!r} version {version!r}, expected {spec.KIND!r} "
            f"version {spec.VERSION}; preprocess the cohort again"
        )
    return description
