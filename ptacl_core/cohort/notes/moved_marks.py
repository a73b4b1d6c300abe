"""Marks that a person moved on an ECG, kept beside the computed ones, who moved them and when."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ptacl_core.cohort.engine import execute
from ptacl_core.cohort.notes.notebook import Notes, name_actor
from ptacl_core.cohort.notes.notes_file import has_table
from ptacl_core.errors import CohortError
from ptacl_core.records.marks import MARK_NAMES, REPRESENTATIVE_BEAT


@dataclass(frozen=True, slots=True)
class MovedMark:
    """One mark where a person put it: `sample` at 500 Hz, None where they took it away."""

    patient: str
    visit: int
    beat: int
    mark: str
    sample: int | None
    actor: str
    moved_at: datetime


def move_mark(
    notes: Notes, patient: str, visit: int, *, beat: int, mark: str, sample: int | None
) -> None:
    """Keep where a person put a mark; the computed one stays in the store as it is.

    The newest position of a mark counts; the earlier ones are kept. Raises CohortError for an
    unknown mark or an impossible sample.
    """
    if mark not in MARK_NAMES:
        raise CohortError(f"expected a mark among {', '.join(MARK_NAMES)}, got {mark!r}")
    if beat < REPRESENTATIVE_BEAT or (sample is not None and sample < 0):
        raise CohortError(f"expected a beat from -1 and a sample from 0, got {beat} and {sample}")
    with notes.file.opened() as connection:
        execute(
            connection,
            "INSERT INTO moved_marks VALUES (?, ?, ?, ?, ?, ?, ?)",
            [patient, visit, beat, mark, sample, name_actor(), _now()],
        )


def read_moved_marks(notes: Notes, patient: str, visit: int) -> list[MovedMark]:
    """Every move on one ECG, the oldest first."""
    with notes.file.read() as connection:
        if not has_table(connection, "moved_marks"):
            return []  # written before marks could be moved
        rows = execute(
            connection,
            "SELECT * FROM moved_marks WHERE patient = ? AND visit = ? ORDER BY moved_at, rowid",
            [patient, visit],
        )
    return [MovedMark(*row) for row in rows]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
