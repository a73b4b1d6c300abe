"""The console's process: checks a statement, runs it over the store, sends the rows.

Started by `console.Console`; holds a connection that can read the store and nothing else.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import connect_reader
from ptacl_core.cohort.sql.exports import encode_value
from ptacl_core.cohort.sql.statement import KnnCall, check_statement
from ptacl_core.errors import QueryError
from ptacl_core.safety.processes.worker import Message

if TYPE_CHECKING:
    import duckdb

_HIDDEN = frozenset({"tombstones"})
_MEMORY_LIMIT = "1GB"
_ROWS_PER_BATCH = 2048
_BYTES_PER_ANSWER = 2 * 2**20


class _State:
    connection: "duckdb.DuckDBPyConnection | None" = None
    tables: frozenset[str] = frozenset()
    statement: str = ""
    calls: tuple[KnnCall, ...] = ()
    reader: Any = None
    left: int | None = None


_STATE = _State()


def handle(request: Message, payload: bytes) -> tuple[Mapping[str, object], bytes]:
    """Answer one request of the console."""
    operation = request["operation"]
    if operation == "open":
        return _open(request["store"]), b""
    if operation == "prepare":
        return _prepare(request["statement"]), b""
    if operation == "fetch":
        return _fetch(json.loads(payload), request["max_rows"]), b""
    if operation == "stream":
        return _start_stream(json.loads(payload), request["max_rows"])
    if operation == "next":
        return _next_batches()
    raise QueryError(f"unknown operation {operation!r}")


def _open(store: str) -> dict[str, list[str]]:
    connection = connect_reader(store, label=Path("cohort.duckdb"), memory_limit=_MEMORY_LIMIT)
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'store' AND "
        "schema_name = 'main' UNION ALL SELECT view_name FROM duckdb_views() "
        "WHERE database_name = 'store' AND schema_name = 'main' AND NOT internal"
    ).fetchall()
    connection.execute(
        "CREATE TEMP TABLE knn_rows (call_patient VARCHAR, call_k BIGINT, call_direction VARCHAR, "
        "call_run VARCHAR, patient VARCHAR, visit INTEGER, rank INTEGER, similarity DOUBLE)"
    )
    connection.execute(
        "CREATE TEMP MACRO knn(patient := NULL, k := NULL, direction := 'ecg-cmr', run := NULL) "
        "AS TABLE SELECT t.patient, t.visit, t.rank, t.similarity FROM temp.knn_rows t "
        "WHERE t.call_patient = patient AND t.call_k = k AND t.call_direction = direction "
        "AND t.call_run IS NOT DISTINCT FROM run"
    )
    _STATE.connection = connection
    _STATE.tables = frozenset(str(row[0]).casefold() for row in rows) - _HIDDEN
    return {"tables": sorted(_STATE.tables)}


def _prepare(statement: str) -> dict[str, list[dict[str, str | int | None]]]:
    import duckdb

    connection = _connection()
    try:
        _STATE.calls = tuple(check_statement(connection, statement, tables=_STATE.tables))
    except duckdb.Error as error:
        raise QueryError(f"cannot be read as SQL: {_first_line(error)}") from None
    _STATE.statement = statement
    return {
        "knn": [
            {"patient": call.patient, "k": call.k, "direction": call.direction, "run": call.run}
            for call in _STATE.calls
        ]
    }


def _fetch(neighbours: list[list[Any]], max_rows: int | None) -> dict[str, object]:
    import duckdb

    connection = _connection()
    _fill_knn(connection, neighbours)
    try:
        cursor = connection.execute(_STATE.statement)
        columns = [str(column[0]) for column in cursor.description or ()]
        types = [str(column[1]) for column in cursor.description or ()]
        rows = cursor.fetchall() if max_rows is None else cursor.fetchmany(max_rows + 1)
    except duckdb.Error as error:
        raise QueryError(_first_line(error)) from None
    is_truncated = max_rows is not None and len(rows) > max_rows
    kept = rows if max_rows is None else rows[:max_rows]
    return {
        "columns": columns,
        "types": types,
        "rows": [[encode_value(value) for value in row] for row in kept],
        "is_truncated": is_truncated,
    }


def _start_stream(
    neighbours: list[list[Any]], max_rows: int | None
) -> tuple[dict[str, list[str]], bytes]:
    """Begin a statement whose rows `next` gives; the schema of its rows as an Arrow stream."""
    import duckdb
    import pyarrow as pa

    connection = _connection()
    _fill_knn(connection, neighbours)
    try:
        relation = connection.sql(_STATE.statement)
        if relation is None:  # pyright: ignore[reportUnnecessaryComparison] - the stubs leave it out
            raise QueryError("the statement has no rows to give")
        columns, types = (
            [str(column) for column in relation.columns],
            [str(t) for t in relation.types],
        )
        _STATE.reader = relation.to_arrow_reader(_ROWS_PER_BATCH)
    except duckdb.Error as error:
        raise QueryError(_first_line(error)) from None
    _STATE.left = max_rows
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _STATE.reader.schema):
        pass
    return {"columns": columns, "types": types}, sink.getvalue().to_pybytes()


def _next_batches() -> tuple[dict[str, bool], bytes]:
    """The next batches, of a few megabytes together, and whether they were the last."""
    import duckdb
    import pyarrow as pa

    reader, sink = _STATE.reader, pa.BufferOutputStream()
    num_bytes, is_last, is_truncated = 0, False, False
    with pa.ipc.new_stream(sink, reader.schema) as stream:
        while num_bytes < _BYTES_PER_ANSWER and not is_last:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                is_last = True
                break
            except (duckdb.Error, pa.ArrowException) as error:
                raise QueryError(_first_line(error)) from None
            if _STATE.left is not None:
                is_truncated = batch.num_rows > _STATE.left
                batch = batch.slice(0, _STATE.left)
                _STATE.left -= batch.num_rows
                is_last = is_truncated
            stream.write_batch(batch)
            num_bytes += batch.nbytes
    if is_last:
        _STATE.reader = None
    return {"is_last": is_last, "is_truncated": is_truncated}, sink.getvalue().to_pybytes()


def _fill_knn(connection: "duckdb.DuckDBPyConnection", rows: list[list[Any]]) -> None:
    connection.execute("DELETE FROM temp.knn_rows")
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        types = (
            "VARCHAR",
            "BIGINT",
            "VARCHAR",
            "VARCHAR",
            "VARCHAR",
            "INTEGER",
            "INTEGER",
            "DOUBLE",
        )
        unnested = ", ".join(f"unnest(?::{type_name}[])" for type_name in types)
        connection.execute(f"INSERT INTO temp.knn_rows SELECT {unnested}", columns)


def _connection() -> "duckdb.DuckDBPyConnection":
    if _STATE.connection is None:
        raise QueryError("the console has no store open")
    return _STATE.connection


def _first_line(error: Exception) -> str:
    return str(error).split("\n\n", 1)[0].strip()
