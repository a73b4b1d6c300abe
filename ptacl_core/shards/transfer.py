"""Shards of one folder into another: whole or not there, verified, the same however often."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from ptacl_core.errors import ShardError
from ptacl_core.safety.files.atomic import atomic_path, close_folder, make_folder
from ptacl_core.safety.files.checksum import compute_sha256, compute_text_hash
from ptacl_core.shards import spec
from ptacl_core.shards.manifest import read_merged

Key = TypeVar("Key")
PERSONAL = ("split", "sex")
"""Columns that one person has once, in whatever part and visit."""


def copy_shards(source: Path, target: Path, *, beside: Sequence[str] = ()) -> int:
    """Copy complete shards of `source` that `target` lacks; gives how many.

    A shard keeps its name; where another of that name is there, it gets one that ends in a
    piece of its hash. Files of `source` whose names end in one of `beside` come along. Raises
    ShardError when a file that was copied is not what its shard says, OSError.
    """
    close_folder(target)
    num_copied = 0
    for path in sorted(source.glob(f"*/{spec.DESCRIPTION_FILE}")):
        num_copied += _copy_shard(path.parent, target)
    for ending in beside:
        for file in sorted(source.glob(f"*{ending}")):
            _copy_beside(file, target, ending)
    return num_copied


def find_disagreements(folders: Sequence[Path]) -> list[str]:
    """Where cohorts say different things of one visit or person; names no person.

    Two folders agree about a visit when the recordings that both have are the same files and
    the values that both know are equal.
    """
    disagreements: set[str] = set()
    visits: dict[tuple[str, int], tuple[str, spec.ManifestRow]] = {}
    people: dict[str, tuple[str, spec.ManifestRow]] = {}
    for folder in folders:
        name = "/".join(folder.parent.parts[-2:])
        for row in read_merged(folder, spec.MANIFEST_FILE).to_pylist():
            known = {column: value for column, value in row.items() if value is not None}
            of_person = {column: known.pop(column) for column in PERSONAL if column in known}
            of_visit = {column: value for column, value in known.items() if column not in _PLACES}
            disagreements |= _compare(people, row["patient"], name, of_person)
            disagreements |= _compare(visits, (row["patient"], row["visit"]), name, of_visit)
    return sorted(disagreements)


_PLACES = {"patient", "visit", "shard", "ecg_row", "cine_row", "sequence"}


def _compare(
    known: dict[Key, tuple[str, spec.ManifestRow]], key: Key, name: str, facts: spec.ManifestRow
) -> set[str]:
    """Columns in which `facts` differ from what another folder said; then they are known too."""
    other, values = known.setdefault(key, (name, {}))
    differing = {
        f"{column} in {other} and in {name}"
        for column, value in facts.items()
        if other != name and column in values and not _is_same(values[column], value)
    }
    for column, value in facts.items():
        values.setdefault(column, value)
    return differing


def _is_same(first: object, second: object) -> bool:
    return first == second or (first != first and second != second)  # noqa: PLR0124 - both NaN


def _copy_shard(shard: Path, target: Path) -> bool:
    description = (shard / spec.DESCRIPTION_FILE).read_text()
    name = shard.name
    if (target / name).exists():
        is_complete = (target / name / spec.DESCRIPTION_FILE).exists()
        if is_complete and (target / name / spec.DESCRIPTION_FILE).read_text() == description:
            return False
        if is_complete:
            name = f"{shard.name}-{compute_text_hash(description)[:8]}"
    if (target / name / spec.DESCRIPTION_FILE).exists():
        return False
    if (target / name).exists():
        shutil.rmtree(target / name)  # cut off while it was copied
    make_folder(target / name)
    document: spec.ShardDescription = json.loads(description)
    for file, sha256 in document["sha256"].items():
        copied = target / name / file
        with atomic_path(copied) as temporary:
            shutil.copyfile(shard / file, temporary)
        if compute_sha256(copied) != sha256:
            raise ShardError(
                f"{name}/{file}: was not copied whole; free disk space, then merge again"
            )
    if name != shard.name:
        document["sha256"][spec.MANIFEST_FILE] = _rename_rows(target / name, name)
        description = json.dumps(document)
    with atomic_path(target / name / spec.DESCRIPTION_FILE) as temporary:
        temporary.write_text(description)
    return True


def _rename_rows(shard: Path, name: str) -> str:
    """Let the rows of a copied shard say its new name; gives the file's new hash."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = shard / spec.MANIFEST_FILE
    table = pq.read_table(path, memory_map=False)
    column = table.schema.get_field_index("shard")
    renamed = table.set_column(column, "shard", pa.array([name] * table.num_rows, pa.string()))
    with atomic_path(path) as temporary:
        pq.write_table(renamed, temporary)
    return compute_sha256(path)


def _copy_beside(file: Path, target: Path, ending: str) -> None:
    data = file.read_bytes()
    name = file.name
    if (target / name).exists() and (target / name).read_bytes() != data:
        name = f"{file.name.removesuffix(ending)}{compute_sha256(file)[:8]}-{ending}"
    if not (target / name).exists():
        with atomic_path(target / name) as temporary:
            temporary.write_bytes(data)
