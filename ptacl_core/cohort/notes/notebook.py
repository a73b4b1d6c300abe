"""What people write about a cohort: tags, notes, saved cohorts, and the audit log.

It lives in `notes.duckdb`, apart from the store, so that a note never copies a cohort. A change is
made to a copy, under a lock, and the copy takes the file's place; readers take no lock.
"""

import getpass
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import (
    connect_reader,
    connect_writer,
    descriptor_path,
    execute,
    readable_errors,
)
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.notes import audit
from ptacl_core.cohort.notes.audit_heads import AuditHead, read_heads, write_head
from ptacl_core.errors import CohortError
from ptacl_core.json_values import JsonObject
from ptacl_core.safety.files.atomic import choose_file_mode, sync
from ptacl_core.safety.files.lock import wait_for_lock

if TYPE_CHECKING:
    import duckdb

_NOTES_VERSION = 1
_WAIT_S = 20.0

MOVED_MARKS_SQL = (
    "CREATE TABLE IF NOT EXISTS moved_marks (patient VARCHAR NOT NULL, visit INTEGER NOT NULL, "
    "beat INTEGER NOT NULL, mark VARCHAR NOT NULL, sample INTEGER, actor VARCHAR NOT NULL, "
    "moved_at TIMESTAMP NOT NULL)"
)
"""Made at every change: notes that were begun before it existed get it then."""

TABLES_SQL = (
    "CREATE TABLE notes_version (version INTEGER NOT NULL)",
    "CREATE TABLE tags (patient VARCHAR NOT NULL, tag VARCHAR NOT NULL, "
    "created_at TIMESTAMP NOT NULL)",
    "CREATE TABLE notes (note_id VARCHAR NOT NULL, patient VARCHAR NOT NULL, "
    "text VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL)",
    "CREATE TABLE saved_cohorts (name VARCHAR NOT NULL, attrition_json VARCHAR NOT NULL, "
    "store_version BIGINT NOT NULL, created_at TIMESTAMP NOT NULL)",
    "CREATE TABLE saved_cohort_members (name VARCHAR NOT NULL, patient VARCHAR NOT NULL, "
    "visit INTEGER NOT NULL)",
    "CREATE TABLE audit_log (number BIGINT NOT NULL, logged_at TIMESTAMP NOT NULL, "
    "actor VARCHAR NOT NULL, action VARCHAR NOT NULL, details_json VARCHAR, "
    "details_sha256 VARCHAR NOT NULL, previous_hash VARCHAR NOT NULL, hash VARCHAR NOT NULL)",
    MOVED_MARKS_SQL,
)


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

    def add_tag(self, patient: str, tag: str) -> None:
        """Tag a patient; a second time changes nothing."""
        if not tag.strip():
            raise CohortError("expected a tag, got empty text")
        with self.opened() as connection:
            execute(
                connection,
                "INSERT INTO tags SELECT $1, $2, $3 WHERE NOT EXISTS "
                "(SELECT 1 FROM tags WHERE patient = $1 AND tag = $2)",
                [patient, tag.strip(), _now()],
            )

    def remove_tag(self, patient: str, tag: str) -> None:
        """Take a tag away."""
        with self.opened() as connection:
            execute(connection, "DELETE FROM tags WHERE patient = ? AND tag = ?", [patient, tag])

    def tags(self, patient: str | None = None) -> dict[str, list[str]]:
        """Patient to tags, of one patient or of all that have any."""
        with self.read() as connection:
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
        with self.opened() as connection:
            execute(
                connection,
                "INSERT INTO notes VALUES (?, ?, ?, ?)",
                [note_id, patient, text, _now()],
            )
        return note_id

    def remove_note(self, note_id: str) -> None:
        """Delete a note."""
        with self.opened() as connection:
            execute(connection, "DELETE FROM notes WHERE note_id = ?", [note_id])

    def notes(self, patient: str | None = None) -> list[Note]:
        """Notes about a patient, or all, the oldest first."""
        with self.read() as connection:
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
        with self.opened() as connection:
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
        with self.read() as connection:
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
        with self.read() as connection:
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
        with self.opened() as connection:
            _delete_saved(connection, name)

    def append_audit(self, action: str, **details: Any) -> int:
        """Add an entry to the audit log; returns its number."""
        with self.locked():
            with self._transaction() as connection:
                head = append_entry(connection, action, details)
            write_head(self.layout, self.cohort_id, number=head.number, entry_hash=head.hash)
        return head.number

    def audit_log(self) -> list[audit.AuditEntry]:
        """All entries, the oldest first."""
        with self.read() as connection:
            return [entry for entry, _ in read_entries(connection)]

    def find_tampering(self) -> list[str]:
        """What is wrong with the audit log, in words; empty when it is whole."""
        if not self.layout.notes.exists():
            heads = read_heads(self.layout, self.cohort_id)
            return ["the audit log is gone"] if any(head.number for head in heads) else []
        with self.read() as connection:
            pairs = read_entries(connection)
        entries, texts = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return audit.find_tampering(entries, texts, read_heads(self.layout, self.cohort_id))

    @contextmanager
    def opened(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """The open file, in one transaction, under the lock; made when it is not there."""
        with self.locked(), self._transaction() as connection:
            yield connection

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the notes, waiting for others. Raises CohortLockedError."""
        with wait_for_lock(self.layout.notes_lock, purpose="notes", patience_s=_WAIT_S):
            yield

    @contextmanager
    def read(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """The file as it is now, for reading: no lock is taken and nothing is written."""
        try:
            file = self.layout.notes.open("rb")
        except FileNotFoundError:
            with self._nothing_written() as connection:
                yield connection
            return
        except OSError as error:
            raise CohortError(
                f"{self.layout.notes}: cannot be read ({error.strerror}); its owner can share it "
                "with `ptacl share`"
            ) from None
        with file:
            connection = connect_reader(descriptor_path(file.fileno()), label=self.layout.notes)
            try:
                with readable_errors(self.layout.notes):
                    self._check_version(connection)
                    yield connection
            finally:
                connection.close()

    @contextmanager
    def _nothing_written(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        import duckdb

        connection = duckdb.connect(":memory:")
        try:
            for statement in TABLES_SQL:
                execute(connection, statement)
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _transaction(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """Change a copy and put it in the file's place, so that readers need no lock."""
        private = self.layout.root / f".{self.layout.notes.name}.private"
        log = private.with_name(private.name + ".wal")
        try:
            for left_over in (private, log):
                left_over.unlink(missing_ok=True)
            if self.layout.notes.exists():
                self._merge_stray_log()
                shutil.copyfile(self.layout.notes, private)
            connection = connect_writer(private)
            try:
                with readable_errors(self.layout.notes):
                    execute(connection, "BEGIN TRANSACTION")
                    self._make_tables(connection)
                    yield connection
                    execute(connection, "COMMIT")
                    execute(connection, "CHECKPOINT")
            finally:
                connection.close()
            private.chmod(choose_file_mode(self.layout.root))
            sync(private)
            private.replace(self.layout.notes)
        except OSError as error:
            raise CohortError(
                f"{self.layout.notes}: could not be written ({error.strerror or error}); what was "
                "there before is intact: free some space, then try again"
            ) from None
        finally:
            for left_over in (private, log):
                left_over.unlink(missing_ok=True)

    def _merge_stray_log(self) -> None:
        """Of a writer of an earlier version that was killed."""
        if self.layout.notes.with_name(self.layout.notes.name + ".wal").exists():
            connect_writer(self.layout.notes).close()

    def _make_tables(self, connection: "duckdb.DuckDBPyConnection") -> None:
        known = execute(
            connection, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'notes_version'"
        )
        if known[0][0] == 0:
            for statement in TABLES_SQL:
                execute(connection, statement)
            execute(connection, "INSERT INTO notes_version VALUES (?)", [_NOTES_VERSION])
        self._check_version(connection)
        execute(connection, MOVED_MARKS_SQL)

    def _check_version(self, connection: "duckdb.DuckDBPyConnection") -> None:
        version = execute(connection, "SELECT max(version) FROM notes_version")[0][0]
        if version != _NOTES_VERSION:
            raise CohortError(
                f"{self.layout.notes}: expected version {_NOTES_VERSION} of the notes, got "
                f"{version}; use the version of PTACL that wrote them"
            )


def has_table(connection: "duckdb.DuckDBPyConnection", name: str) -> bool:
    """Whether the notes that are open hold a table: older ones lack some."""
    query = "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?"
    return bool(execute(connection, query, [name])[0][0])


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
