# ruff: noqa: S608 - names in statements come from tables.py, never from input
"""Rows into tables of a private copy: columns and keys are checked, equal keys replaced."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import execute, readable_errors
from ptacl_core.cohort.identity.tombstones import refuse_erased
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.schema.tables import INTERNAL_TABLES, TABLE_BY_NAME
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class TableWriter:
    """Writes to one open copy; `changed` are the tables that were written to.

    Raises CohortError for unknown columns, missing or doubled keys, and people who were erased.
    """

    def __init__(
        self, connection: "duckdb.DuckDBPyConnection", file: Path, layout: CohortLayout
    ) -> None:
        self.changed: set[str] = set()
        self._connection = connection
        self._file = file
        self._layout = layout

    def replace_run(self, name: str, run: str, table: "pa.Table") -> int:
        """Put rows of a run in the place of those that the table has of it."""
        with readable_errors(self._file):
            execute(self._connection, f"DELETE FROM {name} WHERE run = ?", [run])
        return self.put(name, table)

    def put_row(self, name: str, row: Mapping[str, Any]) -> None:
        """Add or replace one row, also of a table that the store itself writes."""
        import pyarrow as pa

        table = pa.Table.from_pylist([dict(row)])
        self.put(name, table, is_internal=True)

    def put(
        self,
        name: str,
        table: "pa.Table",
        *,
        default_now: str | None = None,
        is_internal: bool = False,
    ) -> int:
        """Add or replace rows by the table's key; returns how many.

        `default_now` is a column that holds the time of writing where `table` lacks it.
        """
        spec = TABLE_BY_NAME[name]
        if name in INTERNAL_TABLES and not is_internal:
            raise CohortError(f"{name}: this table is written by the store itself")
        if table.num_rows == 0:
            return 0
        names = list(table.column_names)
        unknown = sorted(set(names) - set(spec.column_names))
        required = {column.name for column in spec.columns if column.is_required}
        missing = sorted(required - set(names))
        if unknown or missing or len(set(names)) != len(names):
            raise CohortError(
                f"{name}: expected columns among {list(spec.column_names)}, "
                f"got unknown {unknown}, missing {missing}"
            )
        if default_now is not None and default_now not in names:
            import pyarrow as pa

            moment = pa.array([now()] * table.num_rows, type=pa.timestamp("us"))
            table = table.append_column(default_now, moment)
            names.append(default_now)
        if spec.patient_column is not None:
            people = set(table.column(spec.patient_column).to_pylist())
            with readable_errors(self._file):
                refuse_erased(self._connection, self._layout, people - {None})
        self.changed.add(name)
        self._replace(name, spec.key, names, table)
        return table.num_rows

    def _replace(
        self, name: str, key: Sequence[str], names: Sequence[str], table: "pa.Table"
    ) -> None:
        keys = ", ".join(key)
        with readable_errors(self._file), self._registered(table):
            distinct = self._ask(f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM incoming)")
            if distinct != table.num_rows:
                raise CohortError(
                    f"{name}: {table.num_rows - distinct} rows repeat a key ({keys}); "
                    "give each key once"
                )
            nulls = self._ask(
                "SELECT count(*) FROM incoming WHERE "
                + " OR ".join(f"{column} IS NULL" for column in key)
            )
            if nulls:
                raise CohortError(f"{name}: {nulls} rows have an empty key ({keys})")
            match = " AND ".join(f"t.{column} = i.{column}" for column in key)
            if self._ask(f"SELECT count(*) FROM {name}"):
                execute(self._connection, f"DELETE FROM {name} t USING incoming i WHERE {match}")
            columns = ", ".join(f'"{column}"' for column in names)
            execute(
                self._connection, f"INSERT INTO {name} ({columns}) SELECT {columns} FROM incoming"
            )

    def ask(
        self, query: str, parameters: list[Any] | None = None, *, incoming: "pa.Table | None" = None
    ) -> Any:
        """The one value that a query gives; `incoming` is a table that it may name so."""
        with readable_errors(self._file):
            if incoming is None:
                return self._ask(query, parameters)
            with self._registered(incoming):
                return self._ask(query, parameters)

    def _ask(self, query: str, parameters: list[Any] | None = None) -> Any:
        rows = execute(self._connection, query, parameters or ())
        return rows[0][0] if rows else None

    @contextmanager
    def _registered(self, table: "pa.Table") -> Iterator[None]:
        self._connection.register("incoming", table)
        try:
            yield
        finally:
            self._connection.unregister("incoming")


def now() -> datetime:
    """The time of writing, UTC without a zone, as the store keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)
