"""Names in a statement mean what the engine takes them for; hidden tables are out of reach."""

import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.sql.functions import ALLOWED_FUNCTIONS
from ptacl_core.errors import QueryError
from tests.unit.cohort.hidden_routes import count_answered, list_routes

HIDDEN = ("tombstones", "pragma_database_list", "duckdb_settings", "sqlite_master")
SHADOWS = (
    "WITH a AS (SELECT * FROM {t}), {t} AS (SELECT 1) SELECT * FROM a",
    "WITH {t} AS (SELECT * FROM {t}) SELECT * FROM {t}",
    "WITH a AS MATERIALIZED (SELECT * FROM {t}), {t} AS MATERIALIZED (SELECT 1) SELECT * FROM a",
    "WITH a AS (WITH {t} AS (SELECT 1) SELECT 1) SELECT * FROM {t}",
    "SELECT * FROM (WITH {t} AS (SELECT 1 AS x) SELECT x FROM {t}) q, {t}",
    "SELECT (WITH {t} AS (SELECT 1 AS x) SELECT x FROM {t}), (SELECT count(*) FROM {t})",
    "WITH RECURSIVE {t} AS (SELECT * FROM {t} UNION ALL SELECT * FROM {t}) SELECT * FROM {t}",
    "WITH a AS (SELECT 1), b AS (SELECT * FROM {t}), {t} AS (SELECT * FROM b) SELECT * FROM {t}",
    "(WITH {t} AS (SELECT 1 AS x) SELECT x FROM {t}) UNION ALL SELECT 1 FROM {t}",
    "SELECT 1 WHERE EXISTS (WITH a AS (SELECT * FROM {t}), {t} AS (SELECT 1) SELECT * FROM a)",
    "WITH {t} AS (SELECT 1) SELECT * FROM main.{t}",
    "WITH {t} AS (SELECT 1) SELECT * FROM store.main.{t}",
    "WITH {t} AS (SELECT 1) SELECT * FROM overview, LATERAL (SELECT * FROM store.{t}) q",
    "DESCRIBE {t}",
    "SUMMARIZE {t}",
    "SELECT * FROM (DESCRIBE {t})",
    "TABLE {t}",
    "PIVOT {t} ON x IN ('a') USING count(*)",
    "UNPIVOT {t} ON x INTO NAME n VALUE v",
)
ALLOWED = (
    "WITH a AS (SELECT patient FROM overview), b AS (SELECT * FROM a) SELECT count(*) FROM b",
    "WITH tombstones AS (SELECT 1 AS x) SELECT x FROM tombstones",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE x < 5) "
    "SELECT max(x) FROM r",
    "WITH overview AS (SELECT 1 AS x) SELECT x FROM overview",
    "SELECT (WITH t AS (SELECT 3 AS x) SELECT x FROM t) + (SELECT count(*) FROM patients)",
    "WITH a AS (SELECT 1 AS x) SELECT * FROM a UNION ALL SELECT * FROM a",
)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_no_shadow_of_a_name_opens_a_hidden_table(cohort: Cohort, hidden: str) -> None:
    for shadow in SHADOWS:
        with pytest.raises(QueryError):
            cohort.run_statement(shadow.format(t=hidden), max_rows=5)


def test_expressions_that_hide_nothing_are_answered(cohort: Cohort) -> None:
    for statement in ALLOWED:
        assert cohort.run_statement(statement, max_rows=5).rows, statement


def test_functions_that_tell_of_machine_session_or_engine_are_unknown(cohort: Cohort) -> None:
    telling = {
        "current_setting", "getenv", "version", "current_schemas", "current_query", "txid_current",
        "pg_postmaster_start_time", "in_search_path", "which_secret", "getvariable", "write_log",
        "query", "query_table", "json_execute_serialized_sql", "nextval", "stats", "setseed",
        "current_catalog", "current_user", "obj_description", "col_description", "error",
    }  # fmt: skip
    assert not telling & ALLOWED_FUNCTIONS
    for name in sorted(telling):
        with pytest.raises(QueryError):
            cohort.run_statement(f"SELECT {name}()", max_rows=1)
        with pytest.raises(QueryError):
            cohort.run_statement(f"SELECT {name}('x') FROM overview", max_rows=1)


def test_hidden_things_are_out_of_reach_by_every_route(cohort: Cohort) -> None:
    """A part of the routes, another one for each hidden thing; scripts/soak has them all."""
    routes = list_routes()
    assert len(routes) >= 1000
    chosen = routes[::13]
    for statement in chosen:
        with pytest.raises(QueryError):
            cohort.run_statement(statement, max_rows=5)
    assert count_answered(str(cohort.layout.store), routes[:60:2]) >= 20
    assert cohort.run_statement("SELECT 42", max_rows=1).rows == ((42,),)
