"""The certificate of an erasure: what was removed, what was searched, what was found."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptacl_core import __version__
from ptacl_core.cohort.erasure.byte_search import SearchReport
from ptacl_core.cohort.erasure.derived_files import CleanedFile
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_json


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an erasure removed and searched; written to `path`, without a pseudonym."""

    path: Path
    tombstones: tuple[str, ...]
    removed_rows: dict[str, int]
    removed_shard_rows: int
    cleaned_files: tuple[CleanedFile, ...]
    trained_runs: tuple[str, ...]
    num_files_searched: int
    num_bytes_searched: int
    hits: tuple[str, ...]
    unread: tuple[str, ...]
    open_readers: tuple[int, ...]
    is_complete: bool
    notes: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The JSON document of `ptacl erase`."""
        return {
            "people": len(self.tombstones),
            "removed_rows": self.removed_rows,
            "removed_shard_rows": self.removed_shard_rows,
            "removed_notes": self.notes,
            "cleaned_files": [
                {"file": each.file, "action": each.action} for each in self.cleaned_files
            ],
            "runs_trained_with_these_people": list(self.trained_runs),
            "files_searched": self.num_files_searched,
            "bytes_searched": self.num_bytes_searched,
            "traces": list(self.hits),
            "files_not_readable": list(self.unread),
            "processes_that_hold_an_older_version": list(self.open_readers),
            "is_complete": self.is_complete,
            "certificate": str(self.path),
        }


@dataclass(frozen=True, slots=True)
class Done:
    """What an erasure has removed."""

    tombstones: list[str]
    trained_runs: tuple[str, ...]
    num_shard_rows: int
    removed: dict[str, int]
    cleaned: list[CleanedFile]
    noted: dict[str, int]


def certify(layout: CohortLayout, done: Done, searched: SearchReport) -> Certificate:
    """Write the certificate of what is `done`, after the search. Raises CohortError."""
    moment = datetime.now(UTC)
    path = layout.erasures / f"{moment.strftime('%Y%m%dT%H%M%S')}-{time.monotonic_ns()}.json"
    is_complete = not searched.hits and not searched.unread
    certificate = Certificate(
        path=path,
        tombstones=tuple(done.tombstones),
        removed_rows=done.removed,
        removed_shard_rows=done.num_shard_rows,
        cleaned_files=tuple(done.cleaned),
        trained_runs=done.trained_runs,
        num_files_searched=searched.num_files,
        num_bytes_searched=searched.num_bytes,
        hits=tuple(f"{_relative(layout, hit.path)} ({hit.encoding})" for hit in searched.hits),
        unread=tuple(_relative(layout, each) for each in searched.unread),
        open_readers=find_open_readers(layout),
        is_complete=is_complete,
        notes=done.noted,
    )
    try:
        layout.erasures.mkdir(exist_ok=True, mode=0o700)
        write_json(
            path,
            {
                "kind": "ptacl-erasure-certificate",
                "version": 1,
                "erased_at": moment.isoformat(timespec="seconds"),
                "software": __version__,
                "num_people": len(done.tombstones),
                "tombstones": done.tombstones,
                "removed_rows": done.removed,
                "removed_shard_rows": done.num_shard_rows,
                "removed_notes": done.noted,
                "cleaned_files": [
                    {"file": each.file, "action": each.action} for each in done.cleaned
                ],
                "files_searched": searched.num_files,
                "bytes_searched": searched.num_bytes,
                "traces_found": len(certificate.hits),
                "files_not_readable": list(certificate.unread),
                "is_complete": is_complete,
                "runs_trained_with_these_people": list(done.trained_runs),
                "processes_that_hold_an_older_version": list(certificate.open_readers),
                "limits": (
                    "Copies outside this folder, backups, and free blocks of the disk were not "
                    "searched; weights of the runs above were trained with these people."
                ),
            },
        )
    except OSError as error:
        raise CohortError(
            f"{path}: the people are erased, but the certificate could not be written "
            f"({error.strerror or error}); free some space, then erase them again"
        ) from None
    return certificate


def find_open_readers(layout: CohortLayout) -> tuple[int, ...]:
    """Processes of this user that still have an older, unlinked version of the store open."""
    found = set()
    deleted = f"{layout.store.resolve()} (deleted)"
    for process in Path("/proc").glob("[0-9]*"):
        if deleted in _open_files(process):
            found.add(int(process.name))
    return tuple(sorted(found))


def _open_files(process: Path) -> set[str]:
    """Names of what a process has open; empty for processes of others, or gone meanwhile."""
    names = set()
    with suppress(OSError):
        for link in (process / "fd").iterdir():
            with suppress(OSError):
                names.add(str(link.readlink()))
    return names


def _relative(layout: CohortLayout, path: Path) -> str:
    try:
        return str(path.relative_to(layout.root))
    except ValueError:
        return path.name
