"""What people write about a cohort: tags, notes, saved cohorts, and the audit log.

It lives in `notes.duckdb`, apart from the store (`notes_file.py`).
"""

import getpass
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import (
    execute,
)
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.notes import audit
from ptacl_core.cohort.notes.audit_heads import AuditHead, read_heads, write_head
from ptacl_core.cohort.notes.notes_file import NotesFile
from ptacl_core.errors import CohortError
from ptacl_core.json_values import JsonObject

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class Note:
    """One note about a patient."""

    note_id: str
    patient: str
    text: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttritionStep:
    """One criterion of a saved cohort: how many rows and people were left after it."""

    label: str
    filter_sql: str
    num_rows: int
    num_patients: int


@dataclass(frozen=True, slots=True)
class SavedCohort:
    """A named selection of patient-visits, with how it came about."""

    name: str
    attrition: tuple[AttritionStep, ...]
    store_version: int
    created_at: datetime


class Notes:
    """Reads and writes `notes.duckdb` of one cohort. Raises CohortError."""

    def __init__(self, layout: CohortLayout, cohort_id: str) -> None:
        self.layout = layout
        self.cohort_id = cohort_id
        self.file = NotesFile(layout)

    def add_tag(self, patient: str, tag: str) -> None:
        """Tag a patient; a second time changes nothing."""
        if not tag.strip():
            raise CohortError("expected a tag, got empty text")
        with self.file.opened() as connection:
            execute(
                connection,
                "INSERT INTO tags SELECT $1, $2, $3 WHERE NOT EXISTS "
                "(SELECT 1 FROM tags WHERE patient = $1 AND tag = $2)",
                [patient, tag.strip(), _now()],
            )

    def remove_tag(self, patient: str, tag: str) -> None:
        """Take a tag away."""
        with self.file.opened() as connection:
            execute(connection, "DELETE FROM tags WHERE patient = ? AND tag = ?", [patient, tag])

    def tags(self, patient: str | None = None) -> dict[str, list[str]]:
        """Patient to tags, of one patient or of all that have any."""
        with self.file.read() as connection:
            rows = execute(
                connection,
                "SELECT patient, list(tag ORDER BY tag) FROM tags "
                "WHERE $1::VARCHAR IS NULL OR patient = $1 GROUP BY patient ORDER BY patient",
                [patient],
            )
        return {row[0]: list(row[1]) for row in rows}

    def add_note(self, patient: str, text: str) -> str:
        """Write a note about a patient; returns its id."""
        if not text.strip():
            raise CohortError("expected the text of a note, got empty text")
        note_id = uuid.uuid4().hex
        with self.file.opened() as connection:
            execute(
                connection,
                "INSERT INTO notes VALUES (?, ?, ?, ?)",
                [note_id, patient, text, _now()],
            )
        return note_id

    def remove_note(self, note_id: str) -> None:
        """Delete a note."""
        with self.file.opened() as connection:
            execute(connection, "DELETE FROM notes WHERE note_id = ?", [note_id])

    def notes(self, patient: str | None = None) -> list[Note]:
        """Notes about a patient, or all, the oldest first."""
        with self.file.read() as connection:
            rows = execute(
                connection,
                "SELECT note_id, patient, text, created_at FROM notes "
                "WHERE $1::VARCHAR IS NULL OR patient = $1 ORDER BY created_at, note_id",
                [patient],
            )
        return [Note(*row) for row in rows]

    def put_saved_cohort(
        self,
        name: str,
        attrition: Sequence[AttritionStep],
        members: Sequence[tuple[str, int]],
        *,
        store_version: int,
    ) -> None:
        """Keep a selection under `name`, replacing one of that name."""
        if not name.strip():
            raise CohortError("expected a name for the saved cohort, got empty text")
        steps = [
            {
                "label": step.label,
                "filter_sql": step.filter_sql,
                "num_rows": step.num_rows,
                "num_patients": step.num_patients,
            }
            for step in attrition
        ]
        with self.file.opened() as connection:
            _delete_saved(connection, name)
            execute(
                connection,
                "INSERT INTO saved_cohorts VALUES (?, ?, ?, ?)",
                [name, json.dumps(steps), store_version, _now()],
            )
            execute(
                connection,
                "INSERT INTO saved_cohort_members "
                "SELECT $1, unnest($2::VARCHAR[]), unnest($3::INTEGER[])",
                [name, [member[0] for member in members], [member[1] for member in members]],
            )

    def saved_cohorts(self) -> list[SavedCohort]:
        """Saved cohorts by name."""
        with self.file.read() as connection:
            rows = execute(connection, "SELECT * FROM saved_cohorts ORDER BY name")
        return [
            SavedCohort(
                row[0],
                tuple(AttritionStep(**member) for member in json.loads(row[1])),
                row[2],
                row[3],
            )
            for row in rows
        ]

    def saved_cohort_members(self, name: str) -> list[tuple[str, int]]:
        """(patient, visit) of a saved cohort. Raises CohortError when there is none."""
        with self.file.read() as connection:
            if not execute(connection, "SELECT 1 FROM saved_cohorts WHERE name = ?", [name]):
                raise CohortError(f"expected the name of a saved cohort, got {name!r}")
            rows = execute(
                connection,
                "SELECT patient, visit FROM saved_cohort_members WHERE name = ? "
                "ORDER BY patient, visit",
                [name],
            )
        return [(row[0], row[1]) for row in rows]

    def remove_saved_cohort(self, name: str) -> None:
        """Forget a saved cohort."""
        with self.file.opened() as connection:
            _delete_saved(connection, name)

    def append_audit(self, action: str, **details: Any) -> int:
        """Add an entry to the audit log; returns its number."""
        with self.file.locked():
            with self.file.transaction() as connection:
                head = append_entry(connection, action, details)
            write_head(self.layout, self.cohort_id, number=head.number, entry_hash=head.hash)
        return head.number

    def audit_log(self) -> list[audit.AuditEntry]:
        """All entries, the oldest first."""
        with self.file.read() as connection:
            return [entry for entry, _ in read_entries(connection)]

    def find_tampering(self) -> list[str]:
        """What is wrong with the audit log, in words; empty when it is whole."""
        if not self.layout.notes.exists():
            heads = read_heads(self.layout, self.cohort_id)
            return ["the audit log is gone"] if any(head.number for head in heads) else []
        with self.file.read() as connection:
            pairs = read_entries(connection)
        entries, texts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return audit.find_tampering(entries, texts, read_heads(self.layout, self.cohort_id))


def note_file(layout: CohortLayout, action: str) -> None:
    """Put into the audit log that a file of this kind was begun: it must be there from now on."""
    Notes(layout, CohortDescription.read(layout).cohort_id).append_audit(action)


def append_entry(
    connection: "duckdb.DuckDBPyConnection", action: str, details: Mapping[str, Any]
) -> AuditHead:
    """Add an entry in an open transaction; returns the new head."""
    rows = execute(connection, "SELECT number, hash FROM audit_log ORDER BY number DESC LIMIT 1")
    number, previous = (int(rows[0][0]) + 1, str(rows[0][1])) if rows else (1, audit.FIRST_HASH)
    text, details_sha256 = audit.hash_details(details)
    logged_at, actor = _now(), name_actor()
    digest = audit.hash_entry(
        number=number,
        logged_at=logged_at,
        actor=actor,
        action=action,
        details_sha256=details_sha256,
        previous_hash=previous,
    )
    execute(
        connection,
        "INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [number, logged_at, actor, action, text, details_sha256, previous, digest],
    )
    return AuditHead(number, digest)


def read_entries(
    connection: "duckdb.DuckDBPyConnection",
) -> list[tuple[audit.AuditEntry, str | None]]:
    """Entries of the audit log with their stored details."""
    rows = execute(
        connection,
        "SELECT number, logged_at, actor, action, details_json, details_sha256, previous_hash, "
        "hash FROM audit_log ORDER BY number",
    )
    pairs = []
    for row in rows:
        number, logged_at, actor, action, text, details_sha256, previous, digest = row
        entry = audit.AuditEntry(
            number=number,
            logged_at=logged_at,
            actor=actor,
            action=action,
            details=_read_details(text),
            details_sha256=details_sha256,
            previous_hash=previous,
            hash=digest,
        )
        pairs.append((entry, text))
    return pairs


def _read_details(text: str | None) -> JsonObject | None:
    if text is None:
        return None
    try:
        details = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(details, dict):
        return {}
    details.pop("salt", None)
    return details


def _delete_saved(connection: "duckdb.DuckDBPyConnection", name: str) -> None:
    execute(connection, "DELETE FROM saved_cohort_members WHERE name = ?", [name])
    execute(connection, "DELETE FROM saved_cohorts WHERE name = ?", [name])


def name_actor() -> str:
    """Who writes, for the audit log and for marks that people moved."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        import os

        return f"uid {os.getuid()}"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
