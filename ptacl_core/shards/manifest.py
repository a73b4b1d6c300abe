"""The cohort's manifests, merged from those of its shards by one process at a time.

Jobs that write shards side by side all end by merging. Each waits for the one before it, and
finds its own shards merged already where that one came after it: however many end together,
the manifests are merged a few times only, and hold every shard that was complete.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_core.safety.files.atomic import atomic_path, write_json
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.safety.files.lock import wait_for_lock
from ptacl_core.shards import spec
from ptacl_core.shards.merging import merge_rejections, merge_rows

if TYPE_CHECKING:
    import pyarrow as pa

LOCK_FILE = ".merge.lock"
STATE_FILE = ".merged.json"


def merge_manifests(directory: Path, *, anew: bool = False) -> None:
    """Write `manifest.parquet` and `rejected.parquet` of all complete shards in `directory`.

    A patient's visit that stands in several shards counts once, as the latest one has it, with
    what tables said of it laid over. Nothing is written where both are of these very shards
    already, unless `anew`. Raises CohortLockedError after a long wait, OSError.
    """
    import pyarrow.parquet as pq

    with wait_for_lock(directory / LOCK_FILE, purpose="merge manifests"):
        present = find_state(directory)
        if not anew and _is_merged(directory, present):
            return
        rows = read_all_rows(directory, spec.MANIFEST_FILE)
        rejections = merge_rejections(read_all_rows(directory, spec.REJECTED_FILE), rows)
        for name, merged in (
            (spec.MANIFEST_FILE, merge_rows(rows)),
            (spec.REJECTED_FILE, rejections),
        ):
            with atomic_path(directory / name) as temporary:
                pq.write_table(merged, temporary)
        write_json(directory / STATE_FILE, {"shards": present, **_hash_merged(directory)})


def find_state(directory: Path) -> dict[str, str]:
    """Complete shards, each with the hash of the file that completed it."""
    return {
        path.parent.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.glob(f"*/{spec.DESCRIPTION_FILE}"))
    }


def _is_merged(directory: Path, present: dict[str, str]) -> bool:
    try:
        known = json.loads((directory / STATE_FILE).read_text())
        return known == {"shards": present, **_hash_merged(directory)}
    except (OSError, ValueError):
        return False


def _hash_merged(directory: Path) -> dict[str, str]:
    """Hashes of both merged files: one that was changed since is merged again."""
    return {
        name: compute_sha256(directory / name) for name in (spec.MANIFEST_FILE, spec.REJECTED_FILE)
    }


def read_merged_shards(directory: Path, *, manifest_sha256: str) -> dict[str, str] | None:
    """The shards that a merged manifest holds, as `find_state`; None where it is not known."""
    try:
        known = json.loads((directory / STATE_FILE).read_text())
        is_this = known[spec.MANIFEST_FILE] == manifest_sha256
        return {str(k): str(v) for k, v in known["shards"].items()} if is_this else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def find_sequence(directory: Path) -> int:
    """The number of the last call that wrote a shard here; 0 when none did."""
    return max((_read_sequence(path) for path in _complete_shards(directory)), default=0)


def read_merged(directory: Path, name: str) -> "pa.Table":
    """The rows of `name` (manifest or rejected) of all complete shards, a visit once."""
    table = read_all_rows(directory, spec.MANIFEST_FILE)
    if name == spec.MANIFEST_FILE:
        return merge_rows(table)
    return merge_rejections(read_all_rows(directory, spec.REJECTED_FILE), table)


def read_all_rows(directory: Path, name: str) -> "pa.Table":
    """Every row of every complete shard, oldest first, with the number of the call that wrote it.

    That number is the column `sequence`, which the shards' own files do not have.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    is_manifest = name == spec.MANIFEST_FILE
    schema = spec.build_manifest_schema() if is_manifest else spec.build_rejected_schema()
    tables = []
    for sequence, shard in sorted((_read_sequence(p), p) for p in _complete_shards(directory)):
        # one thread: of files this small several cost more than they gain
        table = pq.read_table(shard / name, schema=schema, memory_map=False, use_threads=False)
        column = pa.array([sequence] * table.num_rows, pa.int64())
        tables.append(table.append_column("sequence", column))
    full = schema.append(pa.field("sequence", pa.int64()))
    return pa.concat_tables(tables) if tables else full.empty_table()


def _complete_shards(directory: Path) -> list[Path]:
    return sorted(path.parent for path in directory.glob(f"*/{spec.DESCRIPTION_FILE}"))


def _read_sequence(shard: Path) -> int:
    """Which call wrote a shard; 0 for shards of before this was kept, and for unreadable ones."""
    try:
        document = json.loads((shard / spec.DESCRIPTION_FILE).read_text())
    except (OSError, ValueError):
        return 0  # verify names what is damaged
    sequence = document.get("sequence", 0) if isinstance(document, dict) else 0
    return sequence if isinstance(sequence, int) else 0
