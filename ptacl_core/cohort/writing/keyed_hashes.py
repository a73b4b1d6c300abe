"""Hashes of source files, keyed before they come into the store.

A plain SHA-256 lets anybody who holds a file tell whose it is in a cohort. An HMAC under the
cohort's key names the file as well, and equal files alike, to nobody without the key.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ptacl_core.cohort.identity.keys import find_key
from ptacl_core.cohort.layout import CohortLayout

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN_COLUMN = "file_sha256"
KEYED_COLUMN = "file_hash"


def find_file_hash(layout: CohortLayout) -> Callable[[str], str] | None:
    """What keys a file's SHA-256 for the store of `layout`; None where the key is not at hand.

    Raises CohortError for a key file that is damaged or of another cohort.
    """
    if not layout.description.exists():
        return None
    key = find_key(layout)
    return None if key is None else key.file_hash


def key_hashes(table: "pa.Table", layout: CohortLayout) -> "pa.Table":
    """The same table with keyed hashes in the place of plain ones; nulls without the key."""
    import pyarrow as pa

    if PLAIN_COLUMN not in table.column_names:
        return table
    plain = table.column(PLAIN_COLUMN).to_pylist()
    keyed: dict[str, str] = {}
    file_hash = find_file_hash(layout)
    if file_hash is not None:
        keyed = {sha256: file_hash(sha256) for sha256 in {*plain} - {None}}
    hashes = pa.array([keyed.get(sha256) for sha256 in plain], pa.string())
    place = table.column_names.index(PLAIN_COLUMN)
    return table.set_column(place, KEYED_COLUMN, hashes)
