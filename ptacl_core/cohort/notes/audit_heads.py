"""Heads of audit logs, kept outside the cohorts: by them a log that was cut off is known.

Each cohort directory has its own, in the folder of the keys and under the name of the cohort's
id and of the directory's path: a cohort that was copied writes a log of its own from there on,
and neither copy is measured by the other's. A directory that has no head yet was moved or
copied. When the directory of another head is gone, this may be the one that was moved, and its
log has to hold that head; else it is a copy, and begins its head with its next entry.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.private_folder import keys_folder, make_private_folder
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.safety.files.checksum import compute_text_hash


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The last entry that was seen, and in which directory; None: before that was kept."""

    number: int
    hash: str
    directory: Path | None = None


def read_heads(layout: CohortLayout, cohort_id: str) -> tuple[AuditHead, ...]:
    """The heads of which the log in `layout` has to hold one; empty when none is known.

    Raises CohortError for a file that cannot be read as a head.
    """
    own = head_file(layout, cohort_id)
    if own.exists():
        return (_read(own),)
    nowhere = _nameless_file(cohort_id)  # as earlier versions wrote it
    if nowhere.exists():
        return (_read(nowhere),)
    others = [_read(file) for file in sorted(keys_folder().glob(f"{cohort_id}.*.audit.json"))]
    return tuple(head for head in others if not _is_there(head.directory, cohort_id))


def write_head(layout: CohortLayout, cohort_id: str, *, number: int, entry_hash: str) -> None:
    """Keep the head of the log in `layout`. Raises CohortError."""
    file = head_file(layout, cohort_id)
    directory = str(layout.root.resolve())
    try:
        make_private_folder(file.parent)
        write_json(file, {"number": number, "hash": entry_hash, "directory": directory})
        _nameless_file(cohort_id).unlink(missing_ok=True)
    except OSError as error:
        raise CohortError(
            f"{file}: the head of the audit log cannot be kept there ({error.strerror}); "
            "set PTACL_KEYS to a folder that can be written"
        ) from None


def head_file(layout: CohortLayout, cohort_id: str) -> Path:
    """Where the head of the log in `layout` is kept."""
    place = compute_text_hash(str(layout.root.resolve()))[:16]
    return keys_folder() / f"{cohort_id}.{place}.audit.json"


def _nameless_file(cohort_id: str) -> Path:
    return keys_folder() / f"{cohort_id}.audit.json"


def _read(file: Path) -> AuditHead:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        directory = document.get("directory")
        return AuditHead(
            int(document["number"]),
            str(document["hash"]),
            None if directory is None else Path(directory),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CohortError(
            f"{file}: cannot be read as the head of an audit log ({type(error).__name__}); "
            "restore it from a copy, or delete it to begin anew"
        ) from None


def _is_there(directory: Path | None, cohort_id: str) -> bool:
    """Whether the cohort of a head still lies where it was."""
    if directory is None:
        return False
    try:
        return CohortDescription.read(CohortLayout(directory)).cohort_id == cohort_id
    except CohortError:
        return False
