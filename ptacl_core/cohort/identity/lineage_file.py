# ruff: noqa: S608 - names in statements are those of this file
"""The file of the lineage: its tables, and how it is written anew at every change.

It is rewritten whole, one process at a time, so that removed rows leave no bytes.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import (
    connect_reader,
    connect_writer,
    descriptor_path,
    execute,
    quote_text,
    readable_errors,
)
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError, CohortLockedError
from ptacl_core.safety.files.atomic import atomic_path
from ptacl_core.safety.files.lock import hold_lock

if TYPE_CHECKING:
    import duckdb

FILE_NAME = "lineage.duckdb"
_LOCK_NAME = ".lineage.lock"
_WAIT_S = 60.0

_TABLES: Mapping[str, str] = {
    "stages": "run VARCHAR NOT NULL, stage VARCHAR NOT NULL, started_at TIMESTAMP NOT NULL, "
    "is_known BOOLEAN NOT NULL, num_people BIGINT NOT NULL, data_sha256 VARCHAR, "
    "weights_sha256 VARCHAR",
    "members": "run VARCHAR NOT NULL, stage VARCHAR NOT NULL, person BLOB NOT NULL",
    "parents": "run VARCHAR NOT NULL, stage VARCHAR NOT NULL, parent VARCHAR NOT NULL",
    "files": "run VARCHAR NOT NULL, part VARCHAR NOT NULL, sha256 VARCHAR NOT NULL, "
    "recorded_at TIMESTAMP NOT NULL",
    "withdrawals": "run VARCHAR NOT NULL, num_people BIGINT NOT NULL, "
    "is_certain BOOLEAN NOT NULL, erased_at TIMESTAMP NOT NULL",
}


def lineage_file(layout: CohortLayout) -> Path:
    """Where the lineage of a cohort lies."""
    return layout.root / FILE_NAME


def read_rows(
    layout: CohortLayout, query: str, parameters: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Rows of a query; none where there is no lineage yet. Raises CohortError."""
    file = lineage_file(layout)
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CohortError(
            f"{file}: cannot be read ({error.strerror}); it is open to the cohort's owner alone"
        ) from None
    with stream:
        connection = connect_reader(descriptor_path(stream.fileno()), label=file)
        try:
            with readable_errors(file):
                return execute(connection, query, parameters)
        finally:
            connection.close()


def change_tables(
    layout: CohortLayout, change: Callable[["duckdb.DuckDBPyConnection"], None]
) -> None:
    """Write the file anew with a change applied, one process at a time. Raises CohortError."""
    from ptacl_core.cohort.notes.notebook import note_file

    file = lineage_file(layout)
    is_new = not file.exists()
    with _hold_in_turn(layout):
        try:
            with atomic_path(file, mode=0o600) as temporary:
                temporary.unlink()
                connection = connect_writer(temporary)
                try:
                    with readable_errors(file):
                        _copy(connection, file)
                        change(connection)
                        execute(connection, "CHECKPOINT")
                finally:
                    connection.close()
                _rewrite_without_holes(temporary)
        except OSError as error:
            raise CohortError(
                f"{file}: could not be written ({error.strerror or error}); free some space, then "
                "run the same command again"
            ) from None
    if is_new and layout.description.exists():
        note_file(layout, "lineage")


def _copy(connection: "duckdb.DuckDBPyConnection", source: Path) -> None:
    for table, columns in _TABLES.items():
        execute(connection, f"CREATE TABLE {table} ({columns})")
    if source.exists():
        execute(connection, f"ATTACH {quote_text(str(source))} AS old (READ_ONLY)")
        rows = execute(
            connection,
            "SELECT table_name FROM information_schema.tables WHERE table_catalog = 'old'",
        )
        for table in {str(row[0]) for row in rows} & _TABLES.keys():
            execute(connection, f"INSERT INTO {table} SELECT * FROM old.{table}")
        execute(connection, "DETACH old")


def _rewrite_without_holes(file: Path) -> None:
    """Copy once more, so that rows deleted by a change leave no bytes in free blocks."""
    first = file.with_name(file.name + ".first")
    file.rename(first)
    try:
        connection = connect_writer(file)
        try:
            with readable_errors(file):
                _copy(connection, first)
                execute(connection, "CHECKPOINT")
        finally:
            connection.close()
    finally:
        first.unlink(missing_ok=True)


@contextmanager
def _hold_in_turn(layout: CohortLayout) -> Iterator[None]:
    deadline = time.monotonic() + _WAIT_S
    while True:
        lock = hold_lock(layout.root / _LOCK_NAME, purpose="lineage")
        try:
            lock.__enter__()
        except CohortLockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
            continue
        try:
            yield
        finally:
            lock.__exit__(None, None, None)
        return
