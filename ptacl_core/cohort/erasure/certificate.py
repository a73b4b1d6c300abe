"""The certificate of an erasure: what was removed, what was searched, what was found."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ptacl_core import __version__
from ptacl_core.cohort.erasure.byte_search import SearchReport
from ptacl_core.cohort.erasure.derived_files import CleanedFile
from ptacl_core.cohort.erasure.journal import Journal
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError
from ptacl_core.json_values import JsonObject
from ptacl_core.safety.files.atomic import write_json

LIMITS = (
    "Copies outside this folder, backups, logs of other people's queries and free blocks of the "
    "disk were not searched; weights of the runs above were trained with these people, or may have "
    "been. What could not be looked into stands under not_searched."
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What an erasure removed and searched; written to `path`, without a pseudonym.

    `trained_runs` saw one of the people, `unknown_runs` may have: it was not recorded who was
    in them.
    """

    path: Path
    tombstones: tuple[str, ...]
    removed_rows: dict[str, int]
    removed_shard_rows: int
    cleaned_files: tuple[CleanedFile, ...]
    trained_runs: tuple[str, ...]
    unknown_runs: tuple[str, ...]
    num_files_searched: int
    num_bytes_searched: int
    hits: tuple[str, ...]
    not_searched: tuple[str, ...]
    open_readers: tuple[int, ...]
    is_complete: bool
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be looked into; see `not_searched`."""
        return self.not_searched

    def as_dict(self) -> JsonObject:
        """The JSON document of `ptacl erase`."""
        return {
            "people": len(self.tombstones),
            "removed_rows": dict(self.removed_rows),
            "removed_shard_rows": self.removed_shard_rows,
            "removed_notes": dict(self.notes),
            "cleaned_files": [
                {"file": cleaned_file.file, "action": cleaned_file.action}
                for cleaned_file in self.cleaned_files
            ],
            "runs_trained_with_these_people": list(self.trained_runs),
            "runs_that_may_hold_them": list(self.unknown_runs),
            "files_searched": self.num_files_searched,
            "bytes_searched": self.num_bytes_searched,
            "traces": list(self.hits),
            "not_searched": list(self.not_searched),
            "processes_that_hold_an_older_version": list(self.open_readers),
            "is_complete": self.is_complete,
            "certificate": str(self.path),
        }


def certify(
    layout: CohortLayout, journal: Journal, tombstones: Sequence[str], searched: SearchReport
) -> Certificate:
    """Write the certificate of what the journal says is done. Raises CohortError."""
    moment = datetime.now(UTC)
    path = layout.erasures / f"{moment.strftime('%Y%m%dT%H%M%S')}-{time.monotonic_ns()}.json"
    certificate = Certificate(
        path=path,
        tombstones=tuple(tombstones),
        removed_rows=dict(journal.removed_rows),
        removed_shard_rows=journal.removed_shard_rows,
        cleaned_files=tuple(CleanedFile(file, action) for file, action in journal.cleaned_files),
        trained_runs=tuple(journal.trained_runs),
        unknown_runs=tuple(journal.unknown_runs),
        num_files_searched=searched.num_files,
        num_bytes_searched=searched.num_bytes,
        hits=tuple(f"{_relative(layout, hit.path)} ({hit.encoding})" for hit in searched.hits),
        not_searched=tuple(
            f"{_relative(layout, place.path)}: {place.reason}" for place in searched.not_searched
        ),
        open_readers=find_open_readers(layout),
        is_complete=not searched.hits and not searched.not_searched,
        notes=dict(journal.removed_notes),
    )
    document = certificate.as_dict()
    for name in ("certificate", "traces"):
        del document[name]
    try:
        write_json(
            path,
            {
                "kind": "ptacl-erasure-certificate",
                "version": 2,
                "erased_at": moment.isoformat(timespec="seconds"),
                "software": __version__,
                "tombstones": list(tombstones),
                **document,
                "traces_found": len(certificate.hits),
                "limits": LIMITS,
            },
        )
    except OSError as error:
        raise CohortError(
            f"{path}: the people are erased, but the certificate could not be written "
            f"({error.strerror or error}); free some space, then run the same command again"
        ) from None
    return certificate


def find_open_readers(layout: CohortLayout) -> tuple[int, ...]:
    """Processes of this user that still have an older, unlinked version of the store open."""
    readers = set()
    deleted = f"{layout.store.resolve()} (deleted)"
    for process in Path("/proc").glob("[0-9]*"):
        if deleted in _open_files(process):
            readers.add(int(process.name))
    return tuple(sorted(readers))


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
