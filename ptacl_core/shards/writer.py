"""Writes shards: rows are buffered, a shard is complete once its `shard.json` is there."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32, UInt8
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.records import PreparedCine, PreparedEcg
from ptacl_core.safety.files.atomic import atomic_path, close_folder, make_folder, write_json
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.shards import spec
from ptacl_core.shards.manifest import merge_manifests
from ptacl_core.shards.merging import LabelValues

if TYPE_CHECKING:
    import pyarrow as pa

LABELS_PER_SHARD = 100_000
"""Rows without arrays are small."""


@dataclass(frozen=True, slots=True, eq=False)
class ShardEntry:
    """One patient's visit, as it goes into a shard; `attributes` are manifest columns.

    A recording without `ecg_sha256` or `cmr_sha256` came from no file, as a simulated one: it
    is named by the SHA-256 of the bytes that its shard holds of it.
    """

    patient: str
    visit: int
    split: str
    ecg: PreparedEcg | None
    cine: PreparedCine | None
    attributes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class StoredVisit:
    """A row of the merged manifest with its arrays, as another shard holds them."""

    row: spec.ManifestRow
    ecg: Array | None
    cine: Array | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """One recording left out: `reason` is a finding's or an error's code."""

    patient: str
    visit: int
    modality: str
    file: str
    reason: str
    message: str


class ShardWriter:
    """Appends entries to `<directory>/<prefix>00000`, `…00001` and so on.

    Memory is bounded by `rows_per_shard`: what is buffered is as small as on disk (0.47 MB a
    pair). Shards that are complete are never written again: `num_complete_shards`, the number
    of the next one, tells a restarted job where to go on. A process that makes only some of
    the shards begins at `first_shard`. Of a visit in several shards that of the highest `sequence`
    counts (`find_sequence`). Raises OSError.
    """

    def __init__(
        self,
        directory: Path,
        *,
        preprocessing: PreprocessSettings,
        prefix: str = "part-",
        rows_per_shard: int = 256,
        first_shard: int = 0,
        sequence: int = 0,
    ):
        self.directory = directory
        self.preprocessing = preprocessing
        self.prefix = prefix
        self.rows_per_shard = rows_per_shard
        close_folder(directory)
        self.num_complete_shards = first_shard
        while is_complete_shard(directory / self._name_next()):
            self.num_complete_shards += 1
        self._sequence = sequence
        self._rows: list[spec.ManifestRow] = []
        self._ecgs: list[Array] = []
        self._cines: list[UInt8[Array, "frame height width"]] = []
        self._rejections: list[Rejection] = []

    def add(self, entry: ShardEntry, stored: StoredVisit | None = None) -> None:
        """Take one visit; a full shard is written to disk.

        A half that `entry` lacks comes from what another shard holds of the visit, bit for bit.
        """
        row = _build_manifest_row(entry)
        ecg, cine = None, None
        if entry.ecg is not None:
            ecg = entry.ecg.signal.astype(np.float16, order="C")
            row["ecg_sha256"] = row.get("ecg_sha256") or _hash_values(ecg)
        if entry.cine is not None:
            cine = np.rint(entry.cine.frames * spec.CINE_STEPS).astype(np.uint8, order="C")
            row["cmr_sha256"] = row.get("cmr_sha256") or _hash_values(cine)
        if stored is not None:
            row = _complete(row, stored, has_ecg=ecg is not None, has_cine=cine is not None)
            ecg = stored.ecg if ecg is None else ecg
            cine = stored.cine if cine is None else cine
        row["ecg_row"] = None if ecg is None else len(self._ecgs)
        row["cine_row"] = None if cine is None else len(self._cines)
        if ecg is not None:
            self._ecgs.append(ecg)
        if cine is not None:
            self._cines.append(cine)
        self._rows.append(row)
        if len(self._rows) >= self.rows_per_shard:
            self.flush()

    def add_labels(self, patient: str, visit: int, split: str, values: LabelValues) -> None:
        """Take what a table says of a person's visit (`spec.EVERY_VISIT`: of all of them).

        The row has no arrays: merged manifests lay it over the rows that have, now or later.
        """
        unknown = set(values) - set(spec.build_manifest_schema().names)
        if unknown:
            raise KeyError(f"not columns of the manifest: {sorted(unknown)}")
        self._rows.append({"patient": patient, "visit": visit, "split": split, **values})
        if len(self._rows) >= LABELS_PER_SHARD:
            self.flush()

    def reject(self, rejection: Rejection) -> None:
        """Record a file left out; it is stored with the shard being filled."""
        self._rejections.append(rejection)

    def flush(self) -> None:
        """Write what is buffered as one complete shard (nothing buffered: nothing)."""
        if not self._rows and not self._rejections:
            return
        name = self._name_next()
        folder = self.directory / name
        if folder.exists():
            shutil.rmtree(folder)
        make_folder(folder)
        for file, arrays in ((spec.ECG_FILE, self._ecgs), (spec.CINE_FILE, self._cines)):
            if arrays:
                _write_npy(folder / file, np.stack(arrays))
        _write_parquet(
            folder / spec.MANIFEST_FILE,
            [row | {"shard": name} for row in self._rows],
            spec.build_manifest_schema(),
        )
        _write_parquet(
            folder / spec.REJECTED_FILE,
            [
                {field: getattr(rejection, field) for field in Rejection.__slots__}
                for rejection in self._rejections
            ],
            spec.build_rejected_schema(),
        )
        files = sorted(path for path in folder.iterdir() if path.name != spec.DESCRIPTION_FILE)
        sequence: spec.ShardSequence = {"sequence": self._sequence} if self._sequence else {}
        description: spec.ShardDescription = {
            "kind": spec.KIND,
            "version": spec.VERSION,
            "preprocessing": self.preprocessing.model_dump(mode="json"),
            "preprocessing_hash": self.preprocessing.hash(),
            "rows": len(self._rows),
            **sequence,
            "sha256": {path.name: compute_sha256(path) for path in files},
        }
        write_json(folder / spec.DESCRIPTION_FILE, description)
        self.num_complete_shards += 1
        self._rows, self._ecgs, self._cines, self._rejections = [], [], [], []

    def finish(self) -> None:
        """Write what is left and merge the shards' manifests into the cohort's."""
        self.flush()
        merge_manifests(self.directory)

    def _name_next(self) -> str:
        return f"{self.prefix}{self.num_complete_shards:05d}"


def is_complete_shard(folder: Path) -> bool:
    """Whether a shard was written to its end."""
    return (folder / spec.DESCRIPTION_FILE).exists()


def count_rejections(directory: Path) -> int:
    """Recordings that the merged `rejected.parquet` of `directory` says were left out."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(directory / spec.REJECTED_FILE).num_rows)


def _complete(
    row: spec.ManifestRow, stored: StoredVisit, *, has_ecg: bool, has_cine: bool
) -> spec.ManifestRow:
    """`row` with the stored other half; of what both say of the person, the ECG's side counts."""
    replaced = {
        *(spec.ECG_COLUMNS if has_ecg else ()),
        *(spec.CMR_COLUMNS if has_cine else ()),
        *spec.PLACE_COLUMNS,
    }
    kept = {k: v for k, v in stored.row.items() if k not in replaced and v is not None}
    known = {name: value for name, value in row.items() if value is not None}
    return {**kept, **known} if has_ecg else {**known, **kept}


def _build_manifest_row(entry: ShardEntry) -> spec.ManifestRow:
    row: spec.ManifestRow = {
        "patient": entry.patient,
        "visit": entry.visit,
        "split": entry.split,
    }
    if entry.ecg is not None:
        scale_mv, offset_mv = _scale_to_mv(entry.ecg)
        row |= {
            "r_peak_samples": entry.ecg.r_peak_samples.tolist(),
            "heart_rate_bpm": entry.ecg.heart_rate_bpm,
            "ecg_scale_mv": scale_mv.tolist(),
            "ecg_offset_mv": offset_mv.tolist(),
            "ecg_findings": [json.dumps(f.as_dict()) for f in entry.ecg.findings],
        }
    if entry.cine is not None:
        row |= {
            "frame_interval_ms": entry.cine.frame_interval_ms,
            "slice_index": entry.cine.slice_index,
            "centre_row_px": entry.cine.centre_px[0],
            "centre_column_px": entry.cine.centre_px[1],
            "cmr_findings": [json.dumps(f.as_dict()) for f in entry.cine.findings],
        }
    unknown = set(entry.attributes) - set(spec.build_manifest_schema().names)
    if unknown:
        raise KeyError(f"not columns of the manifest: {sorted(unknown)}")
    return row | dict(entry.attributes)


def _scale_to_mv(ecg: PreparedEcg) -> tuple[Float32[Array, "12"], Float32[Array, "12"]]:
    """Per lead a, b with `signal_mv` = a · `signal` + b (normalisation is affine per lead)."""
    span = np.ptp(ecg.signal, axis=1)
    span_mv = np.ptp(ecg.signal_mv, axis=1)
    scale = np.divide(span_mv, span, out=np.zeros(12, np.float32), where=span > 0)
    offset = ecg.signal_mv.mean(axis=1) - scale * ecg.signal.mean(axis=1)
    return scale.astype(np.float32), offset.astype(np.float32)


def _hash_values(values: Array) -> str:
    return hashlib.sha256(values.data).hexdigest()


def _write_npy(path: Path, values: Array) -> None:
    """As `np.save`, whose own error on a full disk does not say that the disk is full."""
    header = np.lib.format.header_data_from_array_1_0(values)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(values.data)


def _write_parquet(path: Path, rows: Sequence[Mapping[str, object]], schema: "pa.Schema") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist([*rows], schema=schema), temporary)
