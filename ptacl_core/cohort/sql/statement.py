"""What a person may ask of the store: one SELECT over its tables, checked on DuckDB's own AST.

The check runs in the console's process. It is one of three walls: the others are the settings
of `connect_reader` (no files, no extensions, no settings) and the process itself (memory
limit, deadline). What is not known here is refused: kinds of table, names of tables, functions.
The name of a common table expression holds where the engine lets it hold: those before it in its
WITH and what comes after see it, itself only when it is recursive. The engine's own list of the
tables of a statement must hold none but ours as well.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.sql.functions import ALLOWED_FUNCTIONS, OPERATORS
from ptacl_core.errors import QueryError
from ptacl_core.json_values import JsonValue

if TYPE_CHECKING:
    import duckdb

MAX_STATEMENT_CHARACTERS = 20_000
MAX_KNN_CALLS = 16

ALLOWED_TABLE_FUNCTIONS = frozenset({"knn", "range", "generate_series", "unnest"})

_TABLE_KINDS = frozenset(
    {"BASE_TABLE", "TABLE_FUNCTION", "JOIN", "SUBQUERY", "EXPRESSION_LIST", "EMPTY", "EMPTY_FROM"}
    | {"PIVOT", "SHOW_REF", "COLUMN_DATA"}
)

_BEHIND_KNN = {"knn_rows", "temp.knn_rows", "temp.main.knn_rows"}
"""What the engine finds behind `knn`; by these names nobody may ask, as the tree's check says."""
_OWN_PLACES = frozenset({"store", "main"})
_COMMON_NODES = ("CTE_NODE", "RECURSIVE_CTE_NODE")
_DEFINITIONS = ("query", "left", "right")
"""Parts of a node that defines a common table expression; the rest sees its name."""
_SESSION_NAMES = frozenset(
    {"current_catalog", "current_database", "current_role", "current_schema", "current_user"}
    | {"session_user", "user"}
)


@dataclass(frozen=True, slots=True)
class KnnCall:
    """One `knn('<patient>', k [, direction [, run]])` of a statement."""

    patient: str
    k: int
    direction: str
    run: str | None


def check_statement(
    connection: "duckdb.DuckDBPyConnection", statement: str, *, tables: frozenset[str]
) -> list[KnnCall]:
    """The `knn` calls of a statement that may run over `tables`, else QueryError."""
    if not statement.strip():
        raise QueryError("expected one SELECT statement, got an empty one")
    if len(statement) > MAX_STATEMENT_CHARACTERS:
        raise QueryError(
            f"expected at most {MAX_STATEMENT_CHARACTERS} characters of SQL, got {len(statement)}"
        )
    if "\0" in statement:
        raise QueryError("expected a SELECT statement, got a NUL character in it")
    tree = _parse(connection, statement)
    _check_engines_list(connection, statement, tables)
    checker = _Checker(tables)
    try:
        checker.check(tree, frozenset())
    except RecursionError:
        raise QueryError("the statement is nested too deeply; write it with fewer levels") from None
    if len(checker.calls) > MAX_KNN_CALLS:
        raise QueryError(f"expected at most {MAX_KNN_CALLS} knn calls, got {len(checker.calls)}")
    return list(dict.fromkeys(checker.calls))


def _parse(connection: "duckdb.DuckDBPyConnection", statement: str) -> JsonValue:
    """The syntax tree of one statement. Raises QueryError."""
    row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [statement]).fetchone()
    try:
        document = json.loads(row[0]) if row else {"error": True}
    except RecursionError:
        raise QueryError("the statement is nested too deeply; write it with fewer levels") from None
    if document.get("error"):
        kind, message = document.get("error_type", ""), str(document.get("error_message", ""))
        if kind == "not implemented":
            raise QueryError(
                "only SELECT is allowed here: the store is read-only, and statements that change "
                "data, settings or files are refused (PIVOT needs its values: ON name IN (…))"
            )
        raise QueryError(f"cannot be read as SQL: {message}")
    statements = document.get("statements")
    if not isinstance(statements, list) or len(statements) != 1:
        num_found = len(statements) if isinstance(statements, list) else 0
        raise QueryError(f"expected one statement, got {num_found}")
    return statements[0]


def _check_engines_list(
    connection: "duckdb.DuckDBPyConnection", statement: str, tables: frozenset[str]
) -> None:
    """The tables that the engine itself finds in the statement are ours.

    For some joins over views the engine cannot tell; the check of the statement's tree stands
    alone then.
    """
    import duckdb

    try:
        names = connection.get_table_names(statement, qualified=True)
    except duckdb.Error:
        return
    for name in names:
        table = name.partition(" AS ")[0].replace('"', "").casefold()
        *places, last = table.split(".")
        if table not in _BEHIND_KNN and not (last in tables and set(places) <= _OWN_PLACES):
            raise _not_ours(tables)


def _not_ours(tables: frozenset[str]) -> QueryError:
    return QueryError(
        "a table or view is not part of the store (or not open to queries); "
        f"there are: {', '.join(sorted(tables))}"
    )


class _Checker:
    def __init__(self, tables: frozenset[str]) -> None:
        self.tables = tables
        self.calls: list[KnnCall] = []

    def check(self, node: Any, known: frozenset[str]) -> None:
        """Check `node` and all below it; `known` are the common table expressions in scope."""
        if isinstance(node, list):
            for child in node:
                self.check(child, known)
            return
        if not isinstance(node, dict):
            return
        known = self._check_common_tables(node, known)
        self._check_kinds_of_tables(node)
        kind = node.get("type")
        if kind == "BASE_TABLE":
            self._check_base_table(node, known)
        elif kind == "TABLE_FUNCTION":
            self._check_table_function(node)
            for _, expression in _arguments(node["function"]):
                self.check(expression, known)
        elif kind == "SHOW_REF" and node.get("query") is None:
            raise QueryError("SHOW is not allowed; the catalogue lists the tables")
        elif kind == "COLUMN_REF":
            _check_column(node)
        elif kind == "VALUE_PARAMETER" or node.get("class") == "PARAMETER":
            raise QueryError("parameters ($1, ?) are not allowed; write the value")
        if "function_name" in node:
            self._check_function(node)
        for name, child in node.items():
            is_checked = name == "cte_map" or (kind == "TABLE_FUNCTION" and name == "function")
            is_checked |= kind in _COMMON_NODES and name in _DEFINITIONS
            if not is_checked:
                self.check(child, known)

    def _check_common_tables(
        self, node: Mapping[str, Any], known: frozenset[str]
    ) -> frozenset[str]:
        """Check what a node's common table expressions hold; the names that its rest sees."""
        common = node.get("cte_map")
        entries = common.get("map") if isinstance(common, dict) else None
        for entry in entries or ():
            name = str(entry.get("key", "")).casefold()
            self.check(entry.get("value"), known)
            known |= {name}
        if node.get("type") in _COMMON_NODES:
            name = str(node.get("cte_name") or node.get("ctename") or "").casefold()
            is_recursive = node.get("type") == "RECURSIVE_CTE_NODE"
            for part in _DEFINITIONS:
                # the first half of a recursive expression does not see it yet
                sees_itself = is_recursive and part == "right"
                self.check(node.get(part), known | ({name} if sees_itself else set()))
            known |= {name}
        return known - {""}

    def _check_kinds_of_tables(self, node: Mapping[str, Any]) -> None:
        if isinstance(node.get("from_table"), dict):
            self._check_table_kind(node["from_table"])
        if node.get("type") == "JOIN":
            self._check_table_kind(node.get("left"))
            self._check_table_kind(node.get("right"))
        if node.get("type") == "PIVOT":
            self._check_table_kind(node.get("source"))

    def _check_table_kind(self, node: Any) -> None:
        kind = node.get("type") if isinstance(node, dict) else None
        if kind not in _TABLE_KINDS:
            raise QueryError(f"this kind of table is not allowed in a query: {kind}")

    def _check_base_table(self, node: Mapping[str, Any], known: frozenset[str]) -> None:
        if node.get("at_clause") is not None:
            raise QueryError("AT is not allowed: the store has one version")
        name = str(node.get("table_name", ""))
        schema = str(node.get("schema_name") or "").casefold()
        catalog = str(node.get("catalog_name") or "").casefold()
        path = [str(part).casefold() for part in _qualified(node)]
        if not schema and not catalog and len(path) <= 1 and name.casefold() in known:
            return
        is_ours = name.casefold() in self.tables and schema in ("", "main")
        # `store.patients` parses with "store" as the schema
        is_ours |= name.casefold() in self.tables and schema == "store" and not catalog
        if not is_ours or catalog not in ("", "store") or not set(path[:-1]) <= {"store", "main"}:
            raise _not_ours(self.tables)

    def _check_table_function(self, node: Mapping[str, Any]) -> None:
        function = node.get("function")
        name = str(function.get("function_name", "")) if isinstance(function, dict) else ""
        if (
            not isinstance(function, dict)
            or name.casefold() not in ALLOWED_TABLE_FUNCTIONS
            or function.get("schema")
            or function.get("catalog")
        ):
            raise QueryError(
                f"the table function {name!r} is not allowed; there are: "
                f"{', '.join(sorted(ALLOWED_TABLE_FUNCTIONS))}"
            )
        if name.casefold() == "knn":
            self.calls.append(_read_knn(function))

    def _check_function(self, node: Mapping[str, Any]) -> None:
        name = str(node["function_name"]).casefold()
        if name == "knn":
            raise QueryError("knn is a table function: SELECT * FROM knn('<patient>', 10)")
        # DuckDB 1.5 writes `main` before the functions that its own syntax stands for: [1], EXTRACT
        is_elsewhere = (node.get("schema") or "main") != "main"
        is_elsewhere |= (node.get("catalog") or "system") != "system"
        if is_elsewhere or not (name in ALLOWED_FUNCTIONS or name in OPERATORS):
            raise QueryError(f"the function {name!r} is not allowed in a query")


def _check_column(node: Mapping[str, Any]) -> None:
    """Names without parentheses that the engine takes for functions about the session."""
    names = node.get("column_names") or node.get("names") or []
    if len(names) == 1 and str(names[0]).casefold() in _SESSION_NAMES:
        raise QueryError(f"the name {str(names[0])!r} is not allowed in a query")


def _qualified(node: Mapping[str, Any]) -> list[str]:
    qualified = node.get("qualified_name")
    return list(qualified.get("path", ())) if isinstance(qualified, dict) else []


def _arguments(function: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name (empty: positional) and expression of every argument, of DuckDB 1.5 and 2.0."""
    for argument in function.get("arguments") or ():
        yield str(argument.get("name") or ""), argument.get("expression")
    for child in function.get("children") or ():
        alias = child.get("alias") if isinstance(child, dict) else None
        yield str(alias or ""), child


def _read_knn(function: Mapping[str, Any]) -> KnnCall:
    names = ["patient", "k", "direction", "run"]
    values: dict[str, object] = {}
    for position, (name, expression) in enumerate(_arguments(function)):
        key = name.casefold() or (names[position] if position < len(names) else "")
        if key not in names or key in values:
            raise QueryError(f"knn: expected {_KNN_FORM}, got too many or unknown arguments")
        values[key] = _constant(expression)
    patient = values.get("patient")
    if not isinstance(patient, str) or "k" not in values:
        raise QueryError(f"knn: expected {_KNN_FORM}: the patient as text, then k")
    k = values["k"]
    if isinstance(k, bool) or not isinstance(k, int):
        raise QueryError(f"knn: k must be a whole number, got {k!r}")
    direction, run = values.get("direction", "ecg-cmr"), values.get("run")
    if not isinstance(direction, str) or not (run is None or isinstance(run, str)):
        raise QueryError(f"knn: expected {_KNN_FORM}: direction and run as text")
    return KnnCall(patient, k, direction, run)


_KNN_FORM = "knn('<patient>', k [, direction [, run]])"


def _constant(expression: Any) -> Any:
    if isinstance(expression, dict) and expression.get("class") == "CONSTANT":
        literal = expression.get("literal")
        if isinstance(literal, dict):
            kind, text = literal.get("kind"), str(literal.get("text", ""))
            if kind == "STRING":
                return text
            if kind == "INTEGER":
                return int(text)
            return None if kind == "NULL" else float("nan")
        value = expression.get("value")
        if isinstance(value, dict):
            type_id = (value.get("type") or {}).get("id")
            is_plain = type_id in ("VARCHAR", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "NULL")
            if value.get("is_null"):
                return None
            return value.get("value") if is_plain else float("nan")
    raise QueryError(
        "knn: its arguments must be constants written in the statement (no columns, expressions "
        "or casts), because neighbours are found before the statement runs"
    )
