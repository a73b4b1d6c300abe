"""Are the shards whole: every file as it was written, every manifest row with its arrays?"""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.errors import ShardError
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.shards import spec
from ptacl_core.shards.manifest import read_all_rows, read_merged
from ptacl_core.shards.reader import open_array

if TYPE_CHECKING:
    import pyarrow as pa

NUM_CHECKS = 5
"""Files of a shard, arrays against rows, merged manifests, folders that were cut off, splits."""


@dataclass(frozen=True, slots=True)
class ShardDefect:
    """What is wrong with a file under `shards/`; `message` names no participant."""

    code: str
    place: str
    message: str
    is_repairable: bool = False


def verify_shards(directory: Path, *, is_light: bool = False) -> list[ShardDefect]:
    """Every defect under `directory`; none when there are no shards at all.

    `is_light` looks for arrays by their size and does not hash them.
    """
    if not directory.exists():
        return []
    defects: list[ShardDefect] = []
    for folder in sorted(path for path in directory.iterdir() if path.is_dir()):
        if (folder / spec.DESCRIPTION_FILE).exists():
            defects.extend(_verify_shard(folder, is_light=is_light))
        else:
            message = "cut off while it was written; the command that wrote it writes it again"
            defects.append(ShardDefect("shard_cut_off", folder.name, message, is_repairable=True))
    if not any(defect.code == "shard" for defect in defects):
        defects.extend(_verify_merged(directory))
        defects.extend(_verify_splits(directory))
    return defects


def find_array_rows(directory: Path) -> set[tuple[str, int, str, str, int]]:
    """(patient, visit, modality, shard, row) of every array there is, older ones of a visit too."""
    import pyarrow.parquet as pq

    return {
        (row["patient"], row["visit"], modality, path.parent.name, row[column])
        for path in directory.glob(f"*/{spec.DESCRIPTION_FILE}")
        for row in pq.read_table(path.parent / spec.MANIFEST_FILE, memory_map=False).to_pylist()
        for modality, column in (("ecg", "ecg_row"), ("cmr", "cine_row"))
        if row[column] is not None
    }


def _verify_shard(shard: Path, *, is_light: bool) -> Iterator[ShardDefect]:
    try:
        description: spec.ShardDescription = json.loads((shard / spec.DESCRIPTION_FILE).read_text())
        hashes = {str(name): str(digest) for name, digest in description["sha256"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        place = f"{shard.name}/{spec.DESCRIPTION_FILE}"
        yield ShardDefect("shard", place, f"cannot be read ({type(error).__name__})")
        return
    is_whole = True
    for name, digest in hashes.items():
        is_array = name.endswith(".npy")
        if is_light and is_array:
            fault = _compare_size(shard / name)
        else:
            fault = _compare(shard / name, digest)
        if fault is not None:
            is_whole = False
            message = f"{fault}; restore it from a copy, or make the shard anew"
            yield ShardDefect("shard", f"{shard.name}/{name}", message)
    if is_whole:
        yield from _verify_rows(shard)


def _compare(path: Path, digest: str) -> str | None:
    try:
        sha256 = compute_sha256(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if sha256 == digest else "is not what was written (SHA-256 differs)"


def _compare_size(path: Path) -> str | None:
    try:
        array = open_array(path)
        os.close(array.descriptor)
        expected = array.offset + array.dtype.itemsize * int(np.prod(array.shape))
        size = path.stat().st_size
    except (OSError, ShardError) as error:
        return f"cannot be read ({error})"
    return None if size == expected else f"expected {expected} bytes, found {size}"


def _verify_rows(shard: Path) -> Iterator[ShardDefect]:
    """Every row that the manifest names lies inside its array."""
    import pyarrow.parquet as pq

    table = pq.read_table(shard / spec.MANIFEST_FILE, memory_map=False)
    for name, column in ((spec.ECG_FILE, "ecg_row"), (spec.CINE_FILE, "cine_row")):
        rows = [row for row in table.column(column).to_pylist() if row is not None]
        if not rows:
            continue
        place = f"{shard.name}/{name}"
        try:
            array = open_array(shard / name)
        except ShardError as error:
            yield ShardDefect("shard", place, str(error))
            continue
        os.close(array.descriptor)
        if max(rows) >= array.shape[0] or len(np.unique(rows)) != len(rows):
            message = f"its {array.shape[0]} rows are not those of the manifest"
            yield ShardDefect("shard", place, message)


def _verify_merged(directory: Path) -> Iterator[ShardDefect]:
    """The cohort's manifests are those of its shards put together."""
    for name in (spec.MANIFEST_FILE, spec.REJECTED_FILE):
        merged = read_merged(directory, name)
        if merged.num_rows == 0 and not (directory / name).exists():
            continue
        if not _is_same(directory / name, merged):
            message = "is not what the shards' own manifests say"
            yield ShardDefect("shard_manifest", name, message, is_repairable=True)


def _verify_splits(directory: Path) -> Iterator[ShardDefect]:
    """Nobody's recordings lie on two sides of the split, in whatever shards."""
    table = read_all_rows(directory, spec.MANIFEST_FILE)
    splits: dict[str, set[str]] = defaultdict(set)
    for patient, split in zip(
        table.column("patient").to_pylist(), table.column("split").to_pylist(), strict=True
    ):
        splits[patient].add(split)
    num_torn = sum(len(sides) > 1 for sides in splits.values())
    if num_torn:
        message = (
            f"{num_torn} people have rows in more than one split; make the cohort anew from its "
            "files"
        )
        yield ShardDefect("person_on_two_sides", spec.MANIFEST_FILE, message)


def _is_same(path: Path, merged: "pa.Table") -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, schema=merged.schema, memory_map=False)
    except (OSError, pa.ArrowException):
        return False
    return _rows(table) == _rows(merged)


def _rows(table: "pa.Table") -> list[str]:
    """Rows as text, so that NaN equals NaN."""
    return [repr(row) for row in table.to_pylist()]
