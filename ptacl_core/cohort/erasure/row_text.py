# ruff: noqa: S608 - names in statements are those that the file itself lists, quoted
"""The text and numbers in the rows of a DuckDB file, which the file itself keeps compressed."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.cohort.engine import (
    connect_reader,
    descriptor_path,
    execute,
    quote_name,
    readable_errors,
)
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    import duckdb

_ROWS_AT_ONCE = 20_000
_ATTEMPTS = 10
_PAUSE_S = 0.2


def read_text_of_rows(path: Path) -> Iterator[BinaryIO]:
    """Every column of every table of `path` that holds text, in pieces, one value a line.

    Raises CohortError when the file cannot be read, also not after waiting for its writer.
    Arrays of numbers are not here: the store keeps them uncompressed, as the file's own bytes.
    """
    with path.open("rb") as file:
        connection = _connect(file.fileno(), path)
        try:
            with readable_errors(path):
                columns = execute(
                    connection,
                    "SELECT schema_name, table_name, c.column_name FROM duckdb_columns() c "
                    "JOIN duckdb_tables() t USING (database_name, schema_name, table_name) "
                    "WHERE database_name = current_catalog() AND contains(c.data_type, 'VARCHAR') "
                    "ORDER BY ALL",
                )
                for schema, table, column in columns:
                    place = f"{quote_name(schema)}.{quote_name(table)}"
                    yield from _read_column(connection, place, quote_name(column))
        finally:
            connection.close()


def read_numbers_of_rows(path: Path) -> Iterator[Int64[Array, " row"]]:
    """Every column of whole numbers of every table of `path`, in pieces. Raises CohortError."""
    with path.open("rb") as file:
        connection = _connect(file.fileno(), path)
        try:
            with readable_errors(path):
                columns = execute(
                    connection,
                    "SELECT schema_name, table_name, c.column_name FROM duckdb_columns() c "
                    "JOIN duckdb_tables() t USING (database_name, schema_name, table_name) "
                    "WHERE database_name = current_catalog() AND c.data_type IN "
                    "('INTEGER', 'BIGINT', 'UINTEGER', 'UBIGINT', 'HUGEINT') ORDER BY ALL",
                )
                for schema, table, column in columns:
                    place = f"{quote_name(schema)}.{quote_name(table)}"
                    result = connection.execute(
                        f"SELECT DISTINCT {quote_name(column)} FROM {place} WHERE "
                        f"{quote_name(column)} BETWEEN 0 AND {np.iinfo(np.int64).max}"
                    )
                    while rows := result.fetchmany(_ROWS_AT_ONCE):
                        yield np.array([row[0] for row in rows], np.int64)
        finally:
            connection.close()


def _connect(descriptor: int, path: Path) -> "duckdb.DuckDBPyConnection":
    for attempt in range(_ATTEMPTS):
        try:
            return connect_reader(descriptor_path(descriptor), label=path)
        except CohortError:
            if attempt + 1 == _ATTEMPTS:
                raise
            time.sleep(_PAUSE_S)
    raise AssertionError("unreachable")


def _read_column(
    connection: "duckdb.DuckDBPyConnection", table: str, column: str
) -> Iterator[BinaryIO]:
    """The different values of a column, so that a long table is not a long search."""
    result = connection.execute(
        f"SELECT DISTINCT {column}::VARCHAR FROM {table} WHERE {column} IS NOT NULL"
    )
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        yield io.BytesIO("\n".join(row[0] for row in rows).encode())
