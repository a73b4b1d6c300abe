"""What an erasure has begun and not ended: who, what to search for, and what is done so far.

The journal stands from before the first change until after the certificate is written, so that
an erasure that was killed at any moment, in its search too, ends in a certificate that counts
what all its attempts have removed. It names people, and goes when the certificate is there.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import write_json

JOURNAL_NAME = ".erasure.json"


@dataclass(slots=True)
class Journal:
    """People of an erasure under way, pieces of them to search for, and what was removed."""

    patients: list[str] = field(default_factory=list)
    identifiers: list[str] = field(default_factory=list)
    needles: list[str] = field(default_factory=list)
    removed_rows: dict[str, int] = field(default_factory=dict)
    removed_shard_rows: int = 0
    removed_notes: dict[str, int] = field(default_factory=dict)
    cleaned_files: list[list[str]] = field(default_factory=list)
    trained_runs: list[str] = field(default_factory=list)
    unknown_runs: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """True when no erasure is under way."""
        return not self.patients

    def add_people(self, patients: Iterable[str], identifiers: Iterable[str]) -> None:
        """People who leave with this erasure."""
        self.patients = sorted({*self.patients, *patients})
        self.identifiers = sorted({*self.identifiers, *identifiers})

    def add_needles(self, pieces: Iterable[bytes]) -> None:
        """Pieces of their arrays and vectors that must not be found afterwards."""
        known = dict.fromkeys([*self.needles, *(piece.hex() for piece in pieces)])
        self.needles = list(known)

    def add_removed(self, counts: dict[str, int], *, into: dict[str, int]) -> None:
        """Counts of one attempt, on top of those before it."""
        for name, count in counts.items():
            into[name] = into.get(name, 0) + count

    def write(self, layout: CohortLayout) -> None:
        """Write it atomically. Raises CohortError."""
        try:
            write_json(layout.root / JOURNAL_NAME, {"version": 2, **asdict(self)}, mode=0o600)
        except OSError as error:
            raise CohortError(
                f"{layout.root}: the erasure could not be noted down ({error.strerror or error}); "
                "free some space, then run the same command again"
            ) from None


def read_journal(layout: CohortLayout) -> Journal:
    """The erasure under way; an empty one when there is none. Raises CohortError."""
    file = layout.root / JOURNAL_NAME
    if not file.exists():
        return Journal()
    try:
        document: Any = json.loads(file.read_text(encoding="utf-8"))
        document.pop("version", None)
        return Journal(**document)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise CohortError(
            f"{file}: cannot be read ({type(error).__name__}); an erasure was interrupted: erase "
            "the people again after deleting this file"
        ) from None


def remove_journal(layout: CohortLayout) -> None:
    """Forget the erasure, which has its certificate; journals that were cut off go as well."""
    layout.root.joinpath(JOURNAL_NAME).unlink(missing_ok=True)
    for left_over in layout.root.glob(f".{JOURNAL_NAME}.*.tmp"):
        left_over.unlink(missing_ok=True)


def journal_files(layout: CohortLayout) -> list[Path]:
    """The journal and what was cut off of it: they name people until the erasure has ended."""
    return [layout.root / JOURNAL_NAME, *layout.root.glob(f".{JOURNAL_NAME}.*.tmp")]
