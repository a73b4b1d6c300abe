# ruff: noqa: S608 - names in statements are those of the store's own catalogue, quoted
"""Stores made anew without some people: deleted rows stay in a DuckDB file, so none is edited."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_core import __version__
from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_vectors
from ptacl_core.cohort.engine import (
    connect_writer,
    execute,
    quote_name,
    quote_text,
    readable_errors,
)
from ptacl_core.cohort.schema.migrations import migrate
from ptacl_core.cohort.schema.tables import embedding_table
from ptacl_core.cohort.schema.views import build_derived
from ptacl_core.cohort.search.vectors import compute_fingerprint
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    import duckdb

ERASED = "[erased]"
_FITTED_TABLES = ("predictions", "out_of_distribution", "evaluation_predictions")
"""Rows of everybody that a fit on some people gave: enough of them give the fit again."""


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    columns: tuple[tuple[str, str], ...]

    @property
    def has_patient(self) -> bool:
        return any(name == "patient" for name, _ in self.columns)


def rebuild_store(
    source: Path,
    target: Path,
    *,
    without: Sequence[str],
    tombstones: Sequence[str],
    version: int,
    fitted_with_them: Sequence[str] = (),
    purpose: str,
    marks: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Write the store `source` to a new file `target` without some people.

    `marks` are runs with the number of people of their training who left; of the runs
    `fitted_with_them` everybody's predictions go too. Returns how many rows of these people each
    table lost. Text that names them elsewhere becomes "[erased]".
    Raises CohortError, also when anything of them is left.
    """
    connection = connect_writer(target)
    try:
        with readable_errors(target):
            migrate(connection, file=target)
            execute(connection, f"ATTACH {quote_text(str(source))} AS old (READ_ONLY)")
            removed = {
                table.name: _copy_table(
                    connection, table, without, fitted_with_them=fitted_with_them
                )
                for table in _tables(connection)
                if table.name not in ("overview", "schema_version", "store_version")
            }
            execute(connection, "DETACH old")
            _renumber_embeddings(connection)
            execute(
                connection,
                "INSERT INTO tombstones SELECT fresh, $2::TIMESTAMP FROM "
                "(SELECT unnest($1::VARCHAR[]) AS fresh) "
                "WHERE fresh NOT IN (SELECT tombstone FROM tombstones)",
                [list(tombstones), _now()],
            )
            for run, num_people in (marks or {}).items():
                execute(
                    connection,
                    "UPDATE runs SET withdrawn_people = ? WHERE run = ?",
                    [num_people, run],
                )
            build_derived(connection)
            execute(
                connection,
                "INSERT INTO store_version VALUES (?, ?, ?, ?)",
                [version, purpose, __version__, _now()],
            )
            refuse_mentions(connection, without, file=source)
            execute(connection, "CHECKPOINT")
    finally:
        connection.close()
    return {name: count for name, count in removed.items() if count}


def refuse_mentions(
    connection: "duckdb.DuckDBPyConnection", people: Sequence[str], *, file: Path
) -> None:
    """Raise CohortError when any column of any table still names one of `people`."""
    if not people:
        return
    pattern = name_pattern(people)
    for table in _tables(connection, catalog=None):
        for column, kind in table.columns:
            if "VARCHAR" not in kind:
                continue
            mentions = execute(
                connection,
                f"SELECT count(*) FROM {quote_name(table.name)} "
                f"WHERE regexp_matches(CAST({quote_name(column)} AS VARCHAR), ?)",
                [pattern],
            )[0][0]
            if mentions:
                raise CohortError(
                    f"{file}: {mentions} rows of {table.name}.{column} still name an erased "
                    "person; nothing was published"
                )


def name_pattern(people: Sequence[str]) -> str:
    """A regular expression (RE2) that finds any of `people` as whole words."""
    names = "|".join(re.escape(person) for person in sorted(people))
    return rf"(^|[^A-Za-z0-9_-])({names})($|[^A-Za-z0-9_-])"


def scrub_expression(column: str, people: Sequence[str]) -> str:
    """SQL that gives the text of `column` with `people` made unrecognisable."""
    pattern = quote_text(name_pattern(people))
    quoted = quote_name(column)
    # twice: neighbouring names share the character between them
    once = f"regexp_replace({quoted}, {pattern}, '\\1{ERASED}\\3', 'g')"
    return f"regexp_replace({once}, {pattern}, '\\1{ERASED}\\3', 'g')"


def _copy_table(
    connection: "duckdb.DuckDBPyConnection",
    table: _Source,
    without: Sequence[str],
    *,
    fitted_with_them: Sequence[str],
) -> int:
    """Copy what stays of a table; returns how many rows were of the people who leave."""
    name = quote_name(table.name)
    match = re.fullmatch(r"embeddings_(\d+)", table.name)
    if match:
        execute(connection, embedding_table(int(match[1])).create_sql())
        execute(connection, "PRAGMA force_compression='uncompressed'")
    known = execute(
        connection,
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = ? "
        "AND database_name = current_catalog()",
        [table.name],
    )[0][0]
    if not known:
        definitions = ", ".join(f"{quote_name(field)} {kind}" for field, kind in table.columns)
        execute(connection, f"CREATE TABLE {name} ({definitions})")
    columns = ", ".join(quote_name(column) for column, _ in table.columns)
    values = ", ".join(
        scrub_expression(column, without)
        if kind == "VARCHAR" and column != "patient" and without
        else quote_name(column)
        for column, kind in table.columns
    )
    theirs = "false"
    if table.has_patient and without:
        theirs = f"patient IN ({', '.join(quote_text(person) for person in without)})"
    condition = f" WHERE NOT ({theirs})"
    if table.name in _FITTED_TABLES and fitted_with_them:
        runs = ", ".join(quote_text(run) for run in fitted_with_them)
        condition += f" AND run NOT IN ({runs})"
    execute(
        connection,
        f"INSERT INTO {name} ({columns}) SELECT {values} FROM old.main.{name}{condition}",
    )
    if match:
        execute(connection, "CHECKPOINT")
        execute(connection, "PRAGMA force_compression='auto'")
    removed = execute(connection, f"SELECT count(*) FROM old.main.{name} WHERE {theirs}")
    return int(removed[0][0])


def _tables(
    connection: "duckdb.DuckDBPyConnection", *, catalog: str | None = "old"
) -> list[_Source]:
    rows = execute(
        connection,
        "SELECT t.table_name, c.column_name, c.data_type FROM duckdb_tables() t "
        "JOIN duckdb_columns() c ON c.database_name = t.database_name "
        "AND c.schema_name = t.schema_name AND c.table_name = t.table_name "
        "WHERE t.database_name = coalesce(?, current_catalog()) AND t.schema_name = 'main' "
        "AND NOT t.temporary ORDER BY t.table_name, c.column_index",
        [catalog],
    )
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, []).append((column, kind))
    return [_Source(name, tuple(columns)) for name, columns in tables.items()]


def _renumber_embeddings(connection: "duckdb.DuckDBPyConnection") -> None:
    sets = execute(connection, "SELECT run, modality, space, dim FROM embedding_sets")
    for run, modality, space, dim in sets:
        key = [run, modality, space]
        name = f"embeddings_{int(dim)}"
        execute(
            connection,
            f"UPDATE {name} SET position = n.fresh FROM (SELECT patient, visit, row_number() "
            f"OVER (ORDER BY position) - 1 AS fresh FROM {name} "
            "WHERE run = $1 AND modality = $2 AND space = $3) n "
            f"WHERE {name}.run = $1 AND {name}.modality = $2 AND {name}.space = $3 "
            f"AND n.patient = {name}.patient AND n.visit = {name}.visit "
            f"AND {name}.position <> n.fresh",
            key,
        )
        count = execute(
            connection,
            f"SELECT count(*) FROM {name} WHERE run = ? AND modality = ? AND space = ?",
            key,
        )[0][0]
        if not count:
            execute(
                connection,
                "DELETE FROM embedding_sets WHERE run = ? AND modality = ? AND space = ?",
                key,
            )
            continue
        execute(
            connection,
            "UPDATE embedding_sets SET num_vectors = ? "
            "WHERE run = ? AND modality = ? AND space = ?",
            [count, *key],
        )
        keys, vectors = read_vectors(connection, EmbeddingKey(run, modality, space))
        fingerprint = compute_fingerprint(
            [row_key[0] for row_key in keys], [row_key[1] for row_key in keys], vectors
        )
        execute(
            connection,
            "UPDATE embedding_sets SET fingerprint = ? "
            "WHERE run = ? AND modality = ? AND space = ?",
            [fingerprint, *key],
        )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
