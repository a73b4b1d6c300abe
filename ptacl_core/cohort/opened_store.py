"""One version of a store, opened for reading; it stays what it is whatever is published."""

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import connect_reader, descriptor_path, execute, readable_errors
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.publication import open_published, read_manifest
from ptacl_core.cohort.rows import SqlRow
from ptacl_core.cohort.schema.migrations import SCHEMA_VERSION, read_schema_version
from ptacl_core.cohort.sql.console import Console
from ptacl_core.errors import CohortVersionError

if TYPE_CHECKING:
    import duckdb


CLOSE_DEADLINE_S = 5.0
"""How long a call of another thread may take to end after it was interrupted."""


class OpenedStore:
    """An open store file, a connection per thread, the console, and what was read before.

    Raises CohortError when the cohort is damaged, CohortVersionError when it is of another
    version.
    """

    def __init__(self, layout: CohortLayout) -> None:
        self.layout = layout
        self.description = CohortDescription.read(layout)
        self.cache: dict[object, Any] = {}
        self._local = threading.local()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._file = open_published(layout)
        try:
            self._connection = connect_reader(
                descriptor_path(self._file.fileno()), label=layout.store
            )
            try:
                self.version = self._check_versions()
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            self._file.close()
            raise
        self.console = Console(self._file.fileno())
        self._end = weakref.finalize(
            self, _close, self.console, self.cache, self._connection, self._cursors, self._file
        )

    def close(self) -> None:
        """Close everything, also under a call of another thread, which then raises CohortError.

        Calling it again does nothing. A forgotten store closes itself.
        """
        self._end()

    def is_stale(self) -> bool:
        """True when a newer version of the store has been published since this one was opened."""
        return read_manifest(self.layout)[-1].version > self.version

    @property
    def descriptor(self) -> int:
        """The open file, for child processes that read this version."""
        return self._file.fileno()

    def fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        with self.cursor() as cursor:
            return execute(cursor, query, parameters)

    def fetch_dicts(self, query: str, parameters: Sequence[Any] = ()) -> list[SqlRow]:
        """As `fetch`, every row a dictionary of its columns."""
        with self.cursor() as cursor:
            cursor.execute(query, list(parameters))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    @contextmanager
    def cursor(self) -> "Iterator[duckdb.DuckDBPyConnection]":
        """This thread's cursor."""
        with readable_errors(self.layout.store):
            cursor = getattr(self._local, "cursor", None)
            if cursor is None:
                cursor = self._connection.cursor()
                execute(cursor, "USE store")
                self._local.cursor = cursor
                self._cursors.append(cursor)
            yield cursor

    def _check_versions(self) -> int:
        with readable_errors(self.layout.store):
            schema = read_schema_version(self._connection)
            if schema == SCHEMA_VERSION:
                rows = execute(self._connection, "SELECT max(version) FROM store_version")
                return int(rows[0][0] or 0)
        raise CohortVersionError(
            f"{self.layout.store}: expected schema version {SCHEMA_VERSION}, got {schema}; "
            "run 'ptacl verify --repair' to bring an older store up to date, or use the "
            "version of PTACL that wrote a newer one"
        )


def _close(
    console: Console,
    cache: dict[object, Any],
    connection: "duckdb.DuckDBPyConnection",
    cursors: "list[duckdb.DuckDBPyConnection]",
    file: BufferedReader,
) -> None:
    console.close()
    for kept in cache.values():
        if hasattr(kept, "close"):
            kept.close()
    cache.clear()
    for opened in (*cursors, connection):
        _close_connection(opened)
    file.close()


def _close_connection(connection: "duckdb.DuckDBPyConnection") -> None:
    """DuckDB does not close under a call of another thread: interrupt it, wait for its end."""
    import duckdb

    deadline_s = time.monotonic() + CLOSE_DEADLINE_S
    while True:
        try:
            connection.interrupt()
        except duckdb.ConnectionException:
            return  # it is closed already
        try:
            connection.close()
        except duckdb.Error:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.005)
        else:
            return
