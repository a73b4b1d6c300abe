"""R43: the schema is what its migrations make; stores of every release open in this one."""

import gzip
import json
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.engine import connect_writer, execute
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.schema import migrations as schema
from ptacl_core.cohort.schema.tables import TABLES
from ptacl_core.errors import CohortVersionError

RELEASES = sorted(Path(__file__).with_name("releases").iterdir())


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str, bool]]]:
    rows = execute(
        connection,
        "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() "
        "WHERE NOT internal ORDER BY table_name, column_index",
    )
    columns: dict[str, list[tuple[str, str, bool]]] = {}
    for table, name, kind, is_nullable in rows:
        columns.setdefault(table, []).append((name, kind, bool(is_nullable)))
    return columns


def test_the_migrations_make_exactly_the_tables_that_are_documented(tmp_path: Path) -> None:
    migrated = connect_writer(tmp_path / "migrated.duckdb")
    assert schema.read_schema_version(migrated) == 0
    applied = schema.migrate(migrated, file=tmp_path)
    assert applied == [migration.version for migration in schema.MIGRATIONS]
    assert applied == list(range(1, len(applied) + 1))
    assert schema.migrate(migrated, file=tmp_path) == []
    declared = connect_writer(tmp_path / "declared.duckdb")
    for table in TABLES:
        execute(declared, table.create_sql())
    assert _columns(migrated) == _columns(declared)
    migrated.close()
    declared.close()


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_a_cohort_of_an_older_release_opens(release: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(release, tmp_path / "cohort"))
    packed = path / "cohort.duckdb.gz"
    (path / "cohort.duckdb").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    verify_cohort(path, repair=True)
    expected = json.loads((path / "expected.json").read_text())
    with Cohort.open(path) as cohort:
        assert [row["patient"] for row in cohort.patients()] == expected["patients"]
        near = cohort.neighbours(expected["patients"][0], k=2)
        assert [neighbour.patient for neighbour in near] == expected["neighbours"]
        assert cohort.predictions(expected["patients"][0])[0].value == expected["prediction"]
    with Cohort.write(path, purpose="newer") as writer:
        writer.put_patients(pa.table({"patient": ["new"]}))
    with Cohort.open(path) as cohort:
        assert cohort.count() == len(expected["patients"]) + 1


def test_plain_hashes_of_files_in_an_older_store_become_keyed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for has_key in (True, False):
        monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "keys"))
        path = Path(shutil.copytree(RELEASES[0], tmp_path / f"cohort-{has_key}"))
        packed, store = path / "cohort.duckdb.gz", path / "cohort.duckdb"
        store.write_bytes(gzip.decompress(packed.read_bytes()))
        query = "SELECT patient, modality, {} FROM recordings WHERE {} IS NOT NULL"
        with duckdb.connect(str(store), read_only=True) as former:
            plain = former.execute(query.format("file_sha256", "file_sha256")).fetchall()
        assert plain
        key = open_key(CohortLayout(path), create=True)
        if not has_key:
            monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "none"))
        verify_cohort(path, repair=True)
        with Cohort.open(path) as cohort:
            keyed = cohort.fetch(query.format("file_hash", "file_hash"))
        expected = [(*row[:2], key.file_hash(row[2])) for row in plain] if has_key else []
        assert sorted(keyed) == sorted(expected)


def test_an_older_schema_is_brought_up_to_date_by_the_next_writer(
    cohort_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that is added tomorrow is applied, once, to a store of today."""
    extra = schema.Migration(
        schema.SCHEMA_VERSION + 1,
        "a column",
        ("ALTER TABLE patients ADD COLUMN smoker BOOLEAN",),
    )
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, extra))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", extra.version)
    monkeypatch.setattr("ptacl_core.cohort.opened_store.SCHEMA_VERSION", extra.version)
    with pytest.raises(CohortVersionError, match="verify --repair"):
        Cohort.open(cohort_path)
    assert "schema" in {defect.code for defect in verify_cohort(cohort_path).defects}
    verify_cohort(cohort_path, repair=True)
    with Cohort.open(cohort_path) as cohort:
        assert cohort.count() == 65
        assert cohort.sql("SELECT count(*) FROM patients WHERE smoker IS NULL").rows == ((60,),)


def test_files_are_written_in_the_storage_format_of_the_design(cohort_path: Path) -> None:
    with Cohort.open(cohort_path) as cohort:
        cohort.notes.add_tag("sim-000001", "x")
    layout = CohortLayout(cohort_path)
    for file in (layout.store, layout.notes):
        connection = duckdb.connect()
        connection.execute(f"ATTACH '{file}' AS f (READ_ONLY)")
        tags = connection.execute(
            "SELECT tags FROM duckdb_databases() WHERE database_name = 'f'"
        ).fetchall()[0][0]
        connection.close()
        assert "v1.5.0" in tags["storage_version"]


def test_the_store_opens_in_a_plain_client_and_in_data_frames(cohort_path: Path) -> None:
    file = cohort_path / "cohort.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        frame = connection.execute("SELECT * FROM overview").df()
        table = connection.sql("SELECT patient, vector FROM embeddings_24").to_arrow_table()
        views = connection.execute("SELECT count(*) FROM prediction_provenance").fetchall()
    assert frame.shape[0] == 65
    assert frame["lvef_pct"].notna().sum() == 60
    assert table.num_rows == 120
    assert views == [(60,)]


def test_query_prints_the_tables_views_and_columns_that_are_there(ptacl, cohort_path: Path) -> None:
    answer = ptacl("query", cohort_path, "--schema")
    assert (answer.exit_code, answer.err) == (0, "")
    views, _, tables = answer.out.partition("## Tables")
    printed: dict[str, list[tuple[str, str]]] = {}
    columns: list[tuple[str, str]] = []
    for line in tables.splitlines():
        if line.startswith("### "):
            columns = printed.setdefault(line.removeprefix("### "), [])
        elif line.startswith("| ") and not line.startswith("| column "):
            name, kind, meaning = (cell.strip() for cell in line.strip("|").split("|"))
            assert meaning
            columns.append((name, kind.removesuffix("!")))
    printed["embeddings_24"] = [
        (name, kind.replace("512", "24")) for name, kind in printed.pop("embeddings_512")
    ]
    with duckdb.connect(str(cohort_path / "cohort.duckdb"), read_only=True) as store:
        for name, columns in printed.items():
            described = store.execute(f"DESCRIBE {name}").fetchall()
            assert [(row[0], row[1]) for row in described] == columns, name
        there = store.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    named = {line.split("`")[1] for line in views.splitlines() if line.startswith("- `")}
    assert named == {"overview"} | {row[0] for row in there}
    for name in named:  # what is printed can be asked
        asked = ptacl("query", cohort_path, f"SELECT count(*) AS rows FROM {name}", "--json")
        assert asked.exit_code == 0, asked.err
    nothing = ptacl("query", cohort_path)
    assert nothing.exit_code == 2
    assert "--schema" in nothing.err
