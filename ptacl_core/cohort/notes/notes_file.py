"""The file of the notes: its tables, its lock, and how it is changed as a whole.

`notes.duckdb` lies apart from the store, so that a note never copies a cohort. A change is made
to a copy, under a lock, and the copy takes the file's place; readers take no lock.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ptacl_core.cohort.engine import (
    connect_reader,
    connect_writer,
    descriptor_path,
    execute,
    readable_errors,
)
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError
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


class NotesFile:
    """`notes.duckdb` of one cohort. Raises CohortError."""

    def __init__(self, layout: CohortLayout) -> None:
        self._layout = layout

    @contextmanager
    def opened(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """The open file, in one transaction, under the lock; made when it is not there."""
        with self.locked(), self.transaction() as connection:
            yield connection

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of the notes, waiting for others. Raises CohortLockedError."""
        with wait_for_lock(self._layout.notes_lock, purpose="notes", patience_s=_WAIT_S):
            yield

    @contextmanager
    def read(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """The file as it is now, for reading: no lock is taken and nothing is written."""
        try:
            file = self._layout.notes.open("rb")
        except FileNotFoundError:
            with self._nothing_written() as connection:
                yield connection
            return
        except OSError as error:
            raise CohortError(
                f"{self._layout.notes}: cannot be read ({error.strerror}); its owner can share it "
                "with `ptacl share`"
            ) from None
        with file:
            connection = connect_reader(descriptor_path(file.fileno()), label=self._layout.notes)
            try:
                with readable_errors(self._layout.notes):
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
    def transaction(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """Change a copy and put it in the file's place, so that readers need no lock.

        The caller holds the lock.
        """
        private = self._layout.root / f".{self._layout.notes.name}.private"
        log = private.with_name(private.name + ".wal")
        try:
            for left_over in (private, log):
                left_over.unlink(missing_ok=True)
            if self._layout.notes.exists():
                self._merge_stray_log()
                shutil.copyfile(self._layout.notes, private)
            connection = connect_writer(private)
            try:
                with readable_errors(self._layout.notes):
                    execute(connection, "BEGIN TRANSACTION")
                    self._make_tables(connection)
                    yield connection
                    execute(connection, "COMMIT")
                    execute(connection, "CHECKPOINT")
            finally:
                connection.close()
            private.chmod(choose_file_mode(self._layout.root))
            sync(private)
            private.replace(self._layout.notes)
        except OSError as error:
            raise CohortError(
                f"{self._layout.notes}: could not be written ({error.strerror or error}); what was "
                "there before is intact: free some space, then try again"
            ) from None
        finally:
            for left_over in (private, log):
                left_over.unlink(missing_ok=True)

    def _merge_stray_log(self) -> None:
        """Of a writer of an earlier version that was killed."""
        if self._layout.notes.with_name(self._layout.notes.name + ".wal").exists():
            connect_writer(self._layout.notes).close()

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
                f"{self._layout.notes}: expected version {_NOTES_VERSION} of the notes, got "
                f"{version}; use the version of PTACL that wrote them"
            )


def has_table(connection: "duckdb.DuckDBPyConnection", name: str) -> bool:
    """Whether the notes that are open hold a table: older ones lack some."""
    query = "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?"
    return bool(execute(connection, query, [name])[0][0])
