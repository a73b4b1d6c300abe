"""DuckDB opened so that it can do no more than the store needs, and its errors in our words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptacl_core.errors import CohortError, CohortVersionError

if TYPE_CHECKING:
    import duckdb

STORAGE_FORMAT = "v1.5.0"
"""Storage format of every file we write: DuckDB 1.5 and 2.0 read it."""

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


def connect_reader(
    file: str, *, label: Path, threads: int = 2, memory_limit: str = "2GB"
) -> "duckdb.DuckDBPyConnection":
    """A connection that reads `file` and nothing else, whatever statement it is given.

    The file is attached read-only as `store` to a database in memory, so that two versions
    of one path can be open in a process; then files, extensions and settings are shut off.
    Raises CohortError, naming `label`, when the file is missing, damaged or no store.
    """
    import duckdb

    with readable_errors(label):
        connection = duckdb.connect(":memory:", config=_CONFIG)
        try:
            connection.execute("SET enable_progress_bar=false")
            connection.execute(f"SET threads={threads}")
            connection.execute(f"SET memory_limit='{memory_limit}'")
            connection.execute("SET temp_directory=''")
            connection.execute(f"ATTACH {quote_text(file)} AS store (READ_ONLY)")
            connection.execute("USE store")
            connection.execute("SET enable_external_access=false")
            connection.execute("SET disabled_filesystems='LocalFileSystem'")
            connection.execute("SET lock_configuration=true")
        except BaseException:
            connection.close()
            raise
        return connection


def read_every_row(connection: "duckdb.DuckDBPyConnection") -> None:
    """Read every value of every table, so that the engine compares the sums of its blocks."""
    tables = execute(
        connection,
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_catalog()",
    )
    for (table,) in tables:
        name = quote_name(table)
        execute(connection, f"SELECT bit_xor(hash({name})) FROM {name}")  # noqa: S608 - its own


def connect_writer(file: Path) -> "duckdb.DuckDBPyConnection":
    """A connection that writes `file` in our storage format. Raises CohortError."""
    import duckdb

    config = {
        **_CONFIG,
        "storage_compatibility_version": STORAGE_FORMAT,
        "threads": 2,
        "preserve_insertion_order": True,
    }
    with readable_errors(file):
        connection = duckdb.connect(str(file), config=config)
        connection.execute("SET enable_progress_bar=false")
        return connection


def execute(
    connection: "duckdb.DuckDBPyConnection", statement: str, parameters: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Execute a statement to its end and return its rows.

    DuckDB 2 refuses other work on a connection whose last result has not been fetched.
    """
    return connection.execute(statement, list(parameters)).fetchall()


def descriptor_path(descriptor: int) -> str:
    """A path to an open file: it stays this version whatever is renamed over its name."""
    return f"/proc/self/fd/{descriptor}"


def refuse_stray_wal(store: Path) -> None:
    """Refuse a write-ahead log beside a published store: opening it would replay its rows."""
    wal = store.with_name(store.name + ".wal")
    if wal.exists():
        raise CohortError(
            f"{store}: expected no write-ahead log beside the published store, found {wal.name}; "
            "another program has the store open for writing, or left it so: close it, or run "
            "'ptacl verify --repair', which restores the published state"
        )


@contextmanager
def readable_errors(file: Path) -> Iterator[None]:
    """Turn errors of the engine into CohortError; the message names the file, never a value."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise _explain(file, error) from None
    except (MemoryError, UnicodeDecodeError) as error:
        raise CohortError(
            f"{file}: the store cannot be read ({type(error).__name__}); run 'ptacl verify'"
        ) from None


def quote_text(text: str) -> str:
    """`text` as an SQL string."""
    if "\0" in text:
        raise CohortError("text for the store must not hold a NUL character")
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    if "\0" in name:
        raise CohortError("a name in the store must not hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def _explain(file: Path, error: Exception) -> CohortError:
    text = str(error)
    lowered = text.lower()
    if lowered.startswith(("interrupt error", "connection error: connection already closed")):
        return CohortError(f"{file}: the cohort was closed while it was read")
    if "storage version" in lowered or "newer version of duckdb" in lowered:
        return CohortVersionError(
            f"{file}: written in a storage format that this DuckDB cannot read; "
            "install the version of duckdb that PTACL names"
        )
    if "no space left" in lowered or "could not write" in lowered or "file too large" in lowered:
        return CohortError(f"{file}: the disk is full or not writable; free some space, try again")
    if "does not exist" in lowered and not file.exists():
        return CohortError(f"{file}: expected a store, found no file; run 'ptacl verify --repair'")
    if "lock on file" in lowered or "conflicting lock" in lowered:
        return CohortError(
            f"{file}: another program has the store open for writing; close it, then try again"
        )
    return CohortError(
        f"{file}: the store cannot be used ({type(error).__name__}); it is damaged or no store "
        "of PTACL: run 'ptacl verify' to see what is wrong"
    )
