"""People leave the shards: their rows of the arrays become zeros, their rows of the manifests go.

Rows keep their places, so that what the store says of everybody else stays true at every
moment; each file is replaced whole, and a call that was interrupted is finished by the next.
"""

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import ShardError
from ptacl_core.safety.files.atomic import atomic_path, write_json
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.shards import spec
from ptacl_core.shards.manifest import merge_manifests
from ptacl_core.shards.reader import open_array

if TYPE_CHECKING:
    import pyarrow as pa

_NEEDLE_BYTES = 48
_MIN_DISTINCT_BYTES = 12
_ARRAYS = ((spec.ECG_FILE, "ecg_row"), (spec.CINE_FILE, "cine_row"))


def find_people(directory: Path) -> set[str]:
    """Everybody whom the manifests of complete shards name, those of rejected files too."""
    return {
        patient
        for shard in _complete_shards(directory)
        for name in (spec.MANIFEST_FILE, spec.REJECTED_FILE)
        for patient in _read_table(shard / name).column("patient").to_pylist()
        if patient
    }


def find_sources(directory: Path, patients: Collection[str]) -> set[str]:
    """SHA-256 of the source files of `patients`, as the manifests of complete shards name them."""
    wanted = set(patients)
    return {digest for patient, digest in list_sources(directory) if patient in wanted}


def list_sources(directory: Path) -> Iterator[tuple[str, str]]:
    """Person and SHA-256 of every source file that the manifests of complete shards name."""
    for shard in _complete_shards(directory):
        table = _read_table(shard / spec.MANIFEST_FILE)
        for row in table.select(["patient", "ecg_sha256", "cmr_sha256"]).to_pylist():
            for digest in (row["ecg_sha256"], row["cmr_sha256"]):
                if digest:
                    yield row["patient"], digest


def find_array_pieces(directory: Path, patients: Collection[str]) -> list[bytes]:
    """A telling piece of every array of `patients`, to search for when they are gone.

    A row without one (constant, or zeroed by an earlier call) gives none, and so does one that
    another row of the shard repeats: those bytes would stay, and tell nothing of the person.
    """
    pieces = []
    for shard in _complete_shards(directory):
        for name, rows in _rows_of(shard, patients).items():
            whole = (shard / name).read_bytes() if rows else b""
            for _, row in _read_rows(shard / name, rows):
                piece = _choose_piece(row.tobytes())
                if piece is not None and whole.count(piece) == 1:
                    pieces.append(piece)
    return pieces


def erase_people(directory: Path, patients: Collection[str]) -> int:
    """Take `patients` out of every shard and manifest; returns the rows of arrays zeroed.

    Shards whose writing was cut off hold nothing that counts and are removed. Raises
    ShardError for a shard that cannot be read, OSError when one cannot be written.
    """
    if not directory.exists():
        return 0
    num_rows = 0
    for shard in _complete_shards(directory):
        num_rows += _erase_from_shard(shard, set(patients))
    remove_cut_off_shards(directory)
    merge_manifests(directory, anew=True)
    return num_rows


def remove_cut_off_shards(directory: Path) -> None:
    """Remove what writers that died left: nothing of it counts, and it is written again.

    Called only while no other process writes shards.
    """
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        if not (folder / spec.DESCRIPTION_FILE).exists():
            shutil.rmtree(folder)
    for left_over in directory.rglob(".*.tmp"):
        left_over.unlink()


def _erase_from_shard(shard: Path, patients: set[str]) -> int:
    tables = {name: _read_table(shard / name) for name in (spec.MANIFEST_FILE, spec.REJECTED_FILE)}
    kept = {name: _without(table, patients) for name, table in tables.items()}
    rows = _rows_of(shard, patients)
    if not any(rows.values()) and all(
        table.num_rows == kept[name].num_rows for name, table in tables.items()
    ):
        _refresh_description(shard)  # when an earlier call was cut off before it
        return 0
    for name, numbers in rows.items():
        if numbers:
            _zero_rows(shard / name, numbers)
    for name, table in kept.items():
        _write_table(shard / name, table)
    _refresh_description(shard)
    return sum(map(len, rows.values()))


def _zero_rows(path: Path, rows: list[int]) -> None:
    array = open_array(path)
    os.close(array.descriptor)
    num_bytes = array.dtype.itemsize * int(np.prod(array.shape[1:]))
    with atomic_path(path) as temporary:
        shutil.copyfile(path, temporary)
        with temporary.open("r+b") as stream:
            for row in rows:
                stream.seek(array.offset + row * num_bytes)
                stream.write(bytes(num_bytes))


def _read_rows(path: Path, rows: list[int]) -> Iterator[tuple[int, Array]]:
    if not rows:
        return
    array = open_array(path)
    try:
        for row in rows:
            values = np.empty(array.shape[1:], array.dtype)
            start = array.offset + row * values.nbytes
            if os.preadv(array.descriptor, [values.data], start) == values.nbytes:
                yield row, values
    finally:
        os.close(array.descriptor)


def _choose_piece(data: bytes) -> bytes | None:
    """The first piece with many different bytes, looked for from the middle on."""
    middle = len(data) // 2
    for start in range(middle, len(data) - _NEEDLE_BYTES, _NEEDLE_BYTES):
        piece = data[start : start + _NEEDLE_BYTES]
        if len(set(piece)) >= _MIN_DISTINCT_BYTES:
            return piece
    return None


def _rows_of(shard: Path, patients: Collection[str]) -> dict[str, list[int]]:
    """Rows of each array file that belong to `patients`."""
    table = _read_table(shard / spec.MANIFEST_FILE)
    wanted = set(patients)
    is_theirs = [patient in wanted for patient in table.column("patient").to_pylist()]
    return {
        name: [
            row
            for row, theirs in zip(table.column(column).to_pylist(), is_theirs, strict=True)
            if theirs and row is not None
        ]
        for name, column in _ARRAYS
    }


def _without(table: "pa.Table", patients: set[str]) -> "pa.Table":
    """The rows that are not of `patients` and name none of them in a file's name or a message."""
    import pyarrow as pa

    names = "|".join(re.escape(patient) for patient in sorted(patients))
    mention = re.compile(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])")
    keep = [patient not in patients for patient in table.column("patient").to_pylist()]
    for column in {"file", "message"} & set(table.column_names):
        for row, text in enumerate(table.column(column).to_pylist()):
            keep[row] = keep[row] and mention.search(text or "") is None
    return table.filter(pa.array(keep, pa.bool_()))


def _refresh_description(shard: Path) -> None:
    path = shard / spec.DESCRIPTION_FILE
    description: spec.ShardDescription = json.loads(path.read_text())
    hashes = {name: compute_sha256(shard / name) for name in description["sha256"]}
    if hashes != description["sha256"]:
        rows = _read_table(shard / spec.MANIFEST_FILE).num_rows
        write_json(path, {**description, "rows": rows, "sha256": hashes})


def _complete_shards(directory: Path) -> list[Path]:
    return sorted(path.parent for path in directory.glob(f"*/{spec.DESCRIPTION_FILE}"))


def _read_table(path: Path) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, memory_map=False)
    except (OSError, pa.ArrowException) as error:
        raise ShardError(
            f"{path.parent.name}/{path.name}: cannot be read ({type(error).__name__}); "
            "`ptacl verify` names what is damaged"
        ) from None


def _write_table(path: Path, table: "pa.Table") -> None:
    import pyarrow.parquet as pq

    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)
