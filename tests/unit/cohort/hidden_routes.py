"""Statements that try to reach what is hidden from people, by every place where a table may stand.

Each route is tried with each hidden thing; `list_routes` gives them all. They are no syntax errors:
most of them are answered on a connection without our check (`count_answered`).
"""

import duckdb

HIDDEN = (
    "tombstones",
    '"TombStones"',
    "main.tombstones",
    "store.main.tombstones",
    '"store"."main"."tombstones"',
    "duckdb_settings()",
    "duckdb_databases()",
    "pragma_database_list",
    "information_schema.tables",
    "pg_catalog.pg_tables",
    "sqlite_master",
    "temp.knn_rows",
)
ROUTES = (
    "SELECT * FROM {t}",
    "FROM {t}",
    "FROM {t} SELECT *",
    "TABLE {t}",
    "SELECT count(*) FROM {t}",
    "SELECT COLUMNS(*) FROM {t}",
    "SELECT q FROM {t} AS q",
    "SELECT q.* FROM {t} AS q",
    "SELECT (SELECT count(*) FROM {t})",
    "SELECT EXISTS (FROM {t})",
    "SELECT NOT EXISTS (SELECT 1 FROM {t} WHERE false)",
    "SELECT ARRAY(SELECT 1 FROM {t})",
    "SELECT 1 WHERE 1 IN (SELECT 1 FROM {t})",
    "SELECT 1 WHERE 1 = ANY (SELECT 1 FROM {t})",
    "SELECT 1 WHERE 1 < ALL (SELECT 1 FROM {t})",
    "SELECT * FROM patients, {t}",
    "SELECT * FROM patients JOIN {t} ON true",
    "SELECT * FROM patients LEFT JOIN LATERAL (SELECT * FROM {t}) q ON true",
    "SELECT * FROM patients POSITIONAL JOIN {t}",
    "SELECT * FROM patients SEMI JOIN {t} ON true",
    "SELECT * FROM patients ANTI JOIN {t} ON true",
    "SELECT * FROM patients CROSS JOIN {t}",
    "SELECT * FROM (VALUES (1)) v(x), LATERAL (FROM {t})",
    "SELECT * FROM (FROM {t})",
    "SELECT * FROM (FROM (FROM (FROM {t})))",
    "WITH a AS (FROM {t}) FROM a",
    "WITH a AS NOT MATERIALIZED (FROM {t}) FROM a",
    "WITH a AS MATERIALIZED (FROM {t}) FROM a",
    "WITH a AS (WITH b AS (FROM {t}) FROM b) FROM a",
    "WITH a(x) AS (SELECT (SELECT count(*) FROM {t})) FROM a",
    "WITH a AS (SELECT 1) SELECT * FROM a, {t}",
    "WITH a AS (SELECT 1) SELECT (WITH a AS (FROM {t}) SELECT count(*) FROM a)",
    "WITH patients AS (FROM {t}) FROM patients",
    "WITH RECURSIVE a AS (SELECT 1 AS x FROM {t} UNION SELECT x FROM a) FROM a",
    "WITH RECURSIVE a AS (SELECT 1 AS x UNION SELECT x FROM a, {t}) FROM a",
    "WITH RECURSIVE a(x, y) USING KEY (x) AS (SELECT 1, 1 UNION SELECT x, y FROM a, {t}) FROM a",
    "(SELECT 1 FROM {t}) UNION SELECT 2",
    "SELECT 2 UNION ALL (SELECT 1 FROM {t})",
    "SELECT 1 EXCEPT SELECT 2 FROM {t}",
    "SELECT 1 INTERSECT ALL SELECT 1 FROM {t}",
    "SELECT 1 AS x UNION ALL BY NAME SELECT 1 AS y FROM {t}",
    "SELECT 1 ORDER BY (SELECT count(*) FROM {t})",
    "SELECT 1 LIMIT (SELECT count(*) FROM {t})",
    "SELECT 1 OFFSET (SELECT count(*) FROM {t})",
    "SELECT sum(1) FILTER (WHERE EXISTS (FROM {t})) FROM patients",
    "SELECT count(*) OVER (PARTITION BY (SELECT count(*) FROM {t})) FROM patients",
    "SELECT patient FROM patients QUALIFY row_number() OVER () <= (SELECT count(*) FROM {t})",
    "SELECT patient FROM patients GROUP BY ALL HAVING EXISTS (FROM {t})",
    "SELECT patient FROM patients GROUP BY patient, (SELECT count(*) FROM {t})",
    "SELECT CASE WHEN EXISTS (FROM {t}) THEN 1 END",
    "SELECT list_transform([1], x -> x + (SELECT count(*) FROM {t}))",
    "SELECT [x FOR x IN (SELECT list(1) FROM {t})]",
    "SELECT struct_pack(a := (SELECT count(*) FROM {t}))",
    "SELECT {{'a': (SELECT count(*) FROM {t})}}",
    "SELECT map([1], [(SELECT count(*) FROM {t})])",
    "SELECT CAST((SELECT count(*) FROM {t}) AS VARCHAR)",
    "SELECT 'a' || (SELECT count(*) FROM {t})",
    "SELECT 1 BETWEEN 0 AND (SELECT count(*) FROM {t})",
    "SELECT * REPLACE ((SELECT count(*) FROM {t}) AS patient) FROM patients",
    "SELECT * FROM {t} TABLESAMPLE 1 ROWS",
    "SELECT * FROM {t} USING SAMPLE 1",
    "SELECT * FROM {t} LIMIT 1",
    "DESCRIBE {t}",
    "DESCRIBE SELECT * FROM {t}",
    "SUMMARIZE {t}",
    "SUMMARIZE FROM {t}",
    "SHOW {t}",
    "FROM (DESCRIBE {t})",
    "FROM (SUMMARIZE {t})",
    "EXPLAIN FROM {t}",
    "EXPLAIN ANALYZE FROM {t}",
    "PIVOT {t} ON 1 USING count(*)",
    "PIVOT (SELECT 1 AS x FROM {t}) ON x IN (1) USING count(*)",
    "FROM (PIVOT (SELECT 1 AS x FROM {t}) ON x IN (1) USING count(*))",
    "UNPIVOT (SELECT 1 AS x FROM {t}) ON x",
    "VALUES ((SELECT count(*) FROM {t}))",
    "FROM (VALUES ((SELECT count(*) FROM {t}))) v(x)",
    "FROM range((SELECT count(*) FROM {t}))",
    "FROM unnest((SELECT list(1) FROM {t}))",
    "FROM knn('sim-000001', (SELECT count(*) FROM {t}))",
    "FROM query('FROM {t}')",
    "FROM query_table('{t}')",
    "FROM query_table(['patients', '{t}'])",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM {t}'))",
    "SELECT json_serialize_plan('FROM {t}')",
    "COPY (FROM {t}) TO '/dev/stdout'",
    "CREATE TEMP VIEW v AS FROM {t}",
    "CREATE TEMP TABLE v AS FROM {t}",
    "CREATE TEMP MACRO m() AS TABLE FROM {t}",
    "CREATE TEMP MACRO m() AS (SELECT count(*) FROM {t})",
    "PREPARE p AS FROM {t}",
    "INSERT INTO temp.knn_rows (call_k) SELECT count(*) FROM {t}",
    "SELECT 1; FROM {t}",
    "FROM {t}; SELECT 1",
    "/* a */ FROM/**/{t}",
    "-- a\nFROM {t}",
)
TELLING = (
    *(f"SELECT {name}('{argument}')" for name in ("current_setting", "getenv", "getvariable")
      for argument in ("home_directory", "HOME", "PATH", "PTACL_KEYS", "secret_directory", "x")),
    *(f"SELECT {name}()" for name in (
        "version", "pg_backend_pid", "current_query", "current_schemas", "inet_server_addr",
        "txid_current", "pg_conf_load_time", "pg_postmaster_start_time", "current_database",
        "current_catalog", "current_schema", "current_user", "session_user", "user",
        "current_connection_id", "current_transaction_id", "current_query_id", "sha256_file",
    )),
    *(f"SELECT {name}" for name in (
        "current_database", "current_catalog", "current_schema", "current_user", "session_user",
        '"current_user"', "CURRENT_ROLE",
    )),
    *(f"FROM {name}()" for name in (
        "duckdb_tables", "duckdb_views", "duckdb_columns", "duckdb_functions", "duckdb_secrets",
        "duckdb_extensions", "duckdb_memory", "duckdb_temporary_files", "duckdb_logs",
        "duckdb_log_contexts", "duckdb_variables", "duckdb_prepared_statements", "duckdb_types",
        "duckdb_schemas", "duckdb_sequences", "duckdb_indexes", "duckdb_constraints",
        "duckdb_dependencies", "duckdb_optimizers", "duckdb_keywords",
        "duckdb_connections", "duckdb_external_file_cache", "pragma_version", "pragma_platform",
        "pragma_user_agent", "pragma_database_size", "pragma_metadata_info", "pragma_collations",
        "pragma_show", "which_secret", "summary", "test_all_types", "icu_calendar_names",
    )),
    *(f"FROM {name}('{place}')" for name in (
        "read_text", "read_blob", "read_csv", "read_csv_auto", "read_parquet", "parquet_scan",
        "parquet_metadata", "parquet_schema", "parquet_file_metadata", "read_json",
        "read_json_auto", "read_ndjson", "read_json_objects", "sniff_csv", "glob", "read_duckdb",
        "parquet_kv_metadata", "storage_info", "pragma_storage_info", "pragma_table_info",
        "seq_scan", "arrow_scan", "pandas_scan", "python_map_function", "sql_auto_complete",
        "checkpoint", "force_checkpoint",
    ) for place in ("/etc/passwd", "/proc/self/environ", "tombstones")),
    *(f"FROM '{place}'" for place in (
        "/etc/passwd", "/proc/self/environ", "/proc/self/cmdline", "identities.duckdb",
        "lineage.duckdb", "a.csv", "a.parquet", "a.json", "a.db", "file:///etc/passwd",
    )),
    *(f"{verb} '{place}' AS x" for verb in ("ATTACH", "ATTACH OR REPLACE")
      for place in ("identities.duckdb", ":memory:", "/tmp/x.duckdb")),
)  # fmt: skip


def list_routes() -> list[str]:
    """Every attempt, each once."""
    reached = [route.format(t=hidden) for hidden in HIDDEN for route in ROUTES]
    return list(dict.fromkeys([*reached, *TELLING]))


def count_answered(store: str, attempts: list[str]) -> int:
    """How many are answered on a connection that has nothing of ours but a table behind `knn`."""
    answered = 0
    for attempt in attempts:
        connection = duckdb.connect(":memory:")
        try:
            connection.execute(f"ATTACH '{store}' AS store (READ_ONLY)")
            connection.execute("USE store")
            connection.execute("CREATE TEMP TABLE knn_rows (call_k BIGINT)")
            connection.execute(attempt).fetchall()
        except (duckdb.Error, RuntimeError, UnicodeDecodeError):
            continue
        else:
            answered += 1
        finally:
            connection.close()
    return answered
