-- One attempt a line to reach what is not the store's rows, or to change anything.
-- {dir}: a folder with secret.csv, secret.txt, secret.json; {store}: the store's file.
# files: read
SELECT * FROM read_csv('{dir}/secret.csv')
SELECT * FROM read_csv_auto('{dir}/secret.csv')
SELECT * FROM '{dir}/secret.csv'
SELECT * FROM "{dir}/secret.csv"
FROM '{dir}/secret.csv'
SELECT * FROM read_text('{dir}/secret.txt')
SELECT * FROM read_blob('{dir}/secret.txt')
SELECT * FROM read_json('{dir}/secret.json')
SELECT * FROM read_json_auto('{dir}/secret.json')
SELECT * FROM read_json_objects('{dir}/secret.json')
SELECT * FROM read_ndjson('{dir}/secret.json')
SELECT * FROM '{dir}/secret.json'
SELECT * FROM sniff_csv('{dir}/secret.csv')
SELECT * FROM glob('{dir}/*')
SELECT * FROM glob('/etc/*')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_csv('/etc/passwd', sep=':')
SELECT * FROM read_blob('{store}')
SELECT octet_length(content) FROM read_blob('{store}')
SELECT * FROM read_blob('/proc/self/environ')
SELECT * FROM read_text('/proc/self/cmdline')
SELECT * FROM read_blob('/proc/self/maps')
SELECT * FROM read_blob('/dev/stdin')
SELECT * FROM read_parquet('{dir}/secret.parquet')
SELECT * FROM parquet_scan('{dir}/secret.parquet')
SELECT * FROM parquet_metadata('{dir}/secret.parquet')
SELECT * FROM parquet_schema('{dir}/secret.parquet')
SELECT * FROM parquet_file_metadata('{dir}/secret.parquet')
SELECT * FROM parquet_kv_metadata('{dir}/secret.parquet')
SELECT * FROM '{dir}/secret.parquet'
SELECT * FROM READ_TEXT('{dir}/secret.txt')
SELECT * FROM "read_text"('{dir}/secret.txt')
SELECT * FROM main.read_text('{dir}/secret.txt')
SELECT * FROM system.main.read_text('{dir}/secret.txt')
SELECT (SELECT content FROM read_text('{dir}/secret.txt'))
SELECT 1 WHERE EXISTS (SELECT 1 FROM read_text('{dir}/secret.txt'))
SELECT * FROM overview WHERE patient IN (SELECT content FROM read_text('{dir}/secret.txt'))
WITH t AS (SELECT * FROM read_text('{dir}/secret.txt')) SELECT * FROM t
WITH t AS MATERIALIZED (SELECT * FROM read_text('{dir}/secret.txt')) SELECT * FROM t
WITH RECURSIVE t(n) AS (SELECT content FROM read_text('{dir}/secret.txt') UNION ALL SELECT n FROM t WHERE false) SELECT * FROM t
SELECT 'x' UNION ALL SELECT content FROM read_text('{dir}/secret.txt')
SELECT 'x' EXCEPT SELECT content FROM read_text('{dir}/secret.txt')
SELECT * FROM overview o JOIN read_text('{dir}/secret.txt') r ON true
SELECT * FROM overview o, LATERAL (SELECT * FROM read_text('{dir}/secret.txt')) r
SELECT * FROM overview o POSITIONAL JOIN read_text('{dir}/secret.txt')
SELECT * FROM (VALUES ((SELECT content FROM read_text('{dir}/secret.txt')))) v
SELECT list_transform([1], lambda x: (SELECT content FROM read_text('{dir}/secret.txt')))
SELECT sum(1) FILTER (WHERE (SELECT count(*) FROM read_text('{dir}/secret.txt')) > 0) FROM overview
SELECT row_number() OVER (ORDER BY (SELECT content FROM read_text('{dir}/secret.txt'))) FROM overview
SELECT CASE WHEN true THEN (SELECT content FROM read_text('{dir}/secret.txt')) END
SELECT * FROM overview ORDER BY (SELECT content FROM read_text('{dir}/secret.txt'))
SELECT * FROM overview LIMIT (SELECT count(*) FROM read_text('{dir}/secret.txt'))
SELECT patient FROM overview GROUP BY patient HAVING (SELECT count(*) FROM read_text('{dir}/secret.txt')) > 0
SELECT patient FROM overview QUALIFY (SELECT count(*) FROM read_text('{dir}/secret.txt')) > 0
SELECT * FROM (PIVOT read_text('{dir}/secret.txt') ON filename USING first(content))
SELECT * FROM (UNPIVOT read_text('{dir}/secret.txt') ON content)
FROM (FROM read_text('{dir}/secret.txt'))
TABLE "{dir}/secret.csv"
SELECT * FROM (DESCRIBE SELECT * FROM '{dir}/secret.csv')
SELECT * FROM (SUMMARIZE SELECT * FROM '{dir}/secret.csv')
DESCRIBE SELECT * FROM '{dir}/secret.csv'
SUMMARIZE '{dir}/secret.csv'
SELECT * FROM (SHOW TABLES)
SHOW TABLES
SHOW ALL TABLES
WITH "{dir}/secret.csv" AS (SELECT 1) SELECT * FROM main."{dir}/secret.csv"
SELECT * FROM (WITH "{dir}/secret.csv" AS (SELECT 1) SELECT 1), "{dir}/secret.csv"
SELECT * FROM "{dir}"."secret.csv"
SELECT * FROM overview, '{dir}/secret.csv'
SELECT * FROM read_duckdb('{store}')
SELECT * FROM '{store}'
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM pandas_scan(0)
SELECT * FROM seq_scan('overview')
# text that is run as SQL
SELECT * FROM query('SELECT * FROM read_text(''{dir}/secret.txt'')')
SELECT * FROM query('SELECT 42')
SELECT * FROM query_table('overview')
SELECT * FROM query_table(['overview', 'runs'])
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 42'))
SELECT json_serialize_sql('SELECT 42')
SELECT json_deserialize_sql(json_serialize_sql('SELECT 42'))
SELECT json_serialize_plan('SELECT 42')
# writing
COPY (SELECT 1) TO '{dir}/out.csv'
COPY overview TO '{dir}/out.parquet' (FORMAT parquet)
COPY (SELECT unhex('41') AS b) TO '{store}.wal' (FORMAT blob)
COPY overview FROM '{dir}/secret.csv'
COPY FROM DATABASE store TO other
EXPORT DATABASE '{dir}/export'
IMPORT DATABASE '{dir}/export'
ATTACH '{dir}/new.duckdb' AS n
ATTACH '{store}' AS again
ATTACH ':memory:' AS m
DETACH store
USE memory
CREATE TABLE t (a INTEGER)
CREATE TEMP TABLE t AS SELECT 1
CREATE OR REPLACE TABLE overview AS SELECT 1
CREATE VIEW v AS SELECT 1
CREATE MACRO m(a) AS a
CREATE TEMP MACRO knn(a, b) AS TABLE SELECT 1
CREATE SCHEMA s
CREATE SEQUENCE q
CREATE TYPE ty AS ENUM ('a')
CREATE INDEX i ON patients (patient)
CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')
INSERT INTO patients (patient) VALUES ('x')
INSERT INTO store.patients (patient) VALUES ('x')
UPDATE patients SET sex = 'x'
DELETE FROM patients
TRUNCATE patients
DROP TABLE patients
DROP VIEW findings
ALTER TABLE patients ADD COLUMN c INTEGER
MERGE INTO patients USING runs ON true WHEN MATCHED THEN DELETE
WITH d AS (DELETE FROM patients RETURNING *) SELECT * FROM d
COMMENT ON TABLE patients IS 'x'
BEGIN TRANSACTION
COMMIT
ROLLBACK
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint()
SELECT nextval('q')
SELECT currval('q')
# settings, extensions, the session
SET threads = 8
SET enable_external_access = true
SET GLOBAL enable_external_access = true
SET disabled_filesystems = ''
RESET disabled_filesystems
SET lock_configuration = false
SET memory_limit = '100GB'
SET VARIABLE v = 1
SELECT getvariable('v')
SET search_path = 'temp'
SET SESSION schema = 'temp'
PRAGMA database_list
PRAGMA table_info('patients')
PRAGMA enable_profiling
PRAGMA version
CALL pragma_version()
CALL enable_logging(storage = 'file')
CALL duckdb_settings()
INSTALL httpfs
LOAD httpfs
LOAD '{dir}/secret.txt'
FORCE INSTALL json
UPDATE EXTENSIONS
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM pragma_database_size()
SELECT * FROM pragma_storage_info('patients')
SELECT * FROM pragma_table_info('patients')
SELECT * FROM pragma_user_agent()
SELECT * FROM pragma_platform()
SELECT * FROM pragma_version()
SELECT * FROM pragma_metadata_info()
SELECT * FROM which_secret('s3://x', 's3')
SELECT * FROM enable_profiling()
SELECT * FROM test_all_types()
SELECT * FROM test_vector_types(NULL::INTEGER)
SELECT * FROM information_schema.tables
SELECT * FROM information_schema.columns
SELECT * FROM pg_catalog.pg_settings
SELECT * FROM pg_catalog.pg_class
SELECT * FROM pg_tables
SELECT * FROM sqlite_master
SELECT * FROM sqlite_schema
SELECT * FROM system.information_schema.tables
SELECT * FROM temp.knn_rows
SELECT * FROM knn_rows
SELECT * FROM memory.main.anything
SELECT * FROM tombstones
SELECT * FROM store.main.tombstones
SELECT * FROM identities
SELECT current_setting('threads')
SELECT current_setting('temp_directory')
SELECT current_query()
SELECT current_database()
SELECT current_schemas(true)
SELECT current_user
SELECT session_user()
SELECT version()
SELECT getenv('HOME')
SELECT GETENV('PATH')
SELECT "getenv"('HOME')
SELECT main.getenv('HOME')
SELECT list_transform(['HOME'], lambda x: getenv(x))
SELECT in_search_path('main', 'main')
SELECT txid_current()
SELECT write_log('x')
SELECT pg_sleep(1)
SELECT sleep_ms(1000)
SELECT inet_server_addr()
SELECT stats(patient) FROM overview
SELECT setseed(0.5)
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
EXPLAIN ANALYZE DELETE FROM patients
SELECT $1
SELECT ?
SELECT 1; DROP TABLE patients
SELECT 1; SELECT 2
SELECT 1; COPY (SELECT 1) TO '{dir}/out.csv'
;
SELECT
# network
SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')
SELECT * FROM 'https://127.0.0.1:1/x.parquet'
SELECT * FROM read_parquet('s3://bucket/x.parquet')
SELECT * FROM read_text('hf://datasets/x/y')
ATTACH 'http://127.0.0.1:1/x.duckdb' AS h
SELECT * FROM read_json('gcs://bucket/x.json')
# neighbours
SELECT * FROM knn((SELECT patient FROM overview LIMIT 1), 3)
SELECT o.patient FROM overview o, LATERAL knn(o.patient, 3)
SELECT * FROM knn('sim-000001', 3.5)
SELECT * FROM knn('sim-000001', -1)
SELECT * FROM knn('sim-000001', 1000000000)
SELECT * FROM knn('sim-000001', 3, 'sideways')
SELECT * FROM knn('sim-000001', 3, run := (SELECT 1))
SELECT * FROM knn(3, 3)
SELECT * FROM knn('nobody-here', 3)
SELECT * FROM knn('sim-000001')
SELECT knn('sim-000001', 3)
SELECT * FROM temp.main.knn('sim-000001', 3)
SELECT * FROM knn(NULL, 3)
SELECT * FROM knn('sim-000001', 3, NULL)
