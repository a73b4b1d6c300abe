"""Typed queries and bulk writes."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort, CohortLayout, describe_schema
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.errors import CohortError, QueryError
from ptacl_core.records import PHENOTYPE_NAMES

NAME = "sim-000003"


def test_an_empty_cohort_has_the_version_and_folders_of_the_design(tmp_path: Path) -> None:
    path = tmp_path / "new"
    with Cohort.create(path, name='é "x"', source="files", preprocessing_hash="ff") as cohort:
        assert cohort.description.name == 'é "x"'
        assert cohort.description.source == "files"
        assert cohort.count() == 0
        assert cohort.patients() == []
        assert cohort.runs() == []
        with pytest.raises(CohortError, match="no embeddings yet"):
            cohort.latest_run()
    assert {"shards", "runs", "exports"} <= {file.name for file in path.iterdir()}
    with pytest.raises(CohortError, match="there is a cohort already"):
        Cohort.create(path, name="x", source="files", preprocessing_hash="ff")


def test_patients_page_through_the_overview(cohort: Cohort) -> None:
    assert cohort.count() == 65  # 60 people, 5 of them twice
    first = cohort.patients(limit=2)
    second = cohort.patients(limit=2, offset=2)
    assert [(row["patient"], row["visit"]) for row in first + second] == [
        ("sim-000000", 0),
        ("sim-000000", 1),
        ("sim-000001", 0),
        ("sim-000001", 1),
    ]
    assert {"sex", "split", "has_ecg", "has_cmr", *PHENOTYPE_NAMES} <= set(first[0])
    assert first[0]["has_ecg"] is True
    assert first[0]["num_findings"] == 2


def test_patients_can_be_filtered_and_ordered(cohort: Cohort) -> None:
    rows = cohort.patients("sex = 'F' AND lvef_pct > 55", "lvef_pct DESC")
    values = [row["lvef_pct"] for row in rows]
    assert rows
    assert values == sorted(values, reverse=True)
    assert all(row["sex"] == "F" and row["lvef_pct"] > 55 for row in rows)
    assert cohort.count("sex = 'F' AND lvef_pct > 55") == len(rows)


def test_a_filter_may_use_neighbours(cohort: Cohort) -> None:
    near = {neighbour.patient for neighbour in cohort.neighbours(NAME, k=5)}
    predicate = f"visit = 0 AND patient IN (SELECT patient FROM knn('{NAME}', 5))"
    assert {row["patient"] for row in cohort.patients(predicate)} == near


@pytest.mark.parametrize(
    ("filter_sql", "order_by"),
    [("nonsense = 1", None), ("true); DROP TABLE runs; --", None), (None, "evil; drop")],
)
def test_bad_filters_and_orders_are_refused(
    cohort: Cohort, filter_sql: str | None, order_by: str | None
) -> None:
    with pytest.raises(QueryError):
        cohort.patients(filter_sql, order_by)


def test_one_patient_with_everything_known_about_them(cohort: Cohort) -> None:
    assert cohort.patient(NAME)["visit"] == 0
    assert cohort.patient(NAME, 1)["visit"] == 1
    with pytest.raises(CohortError, match="no such patient") as caught:
        cohort.patient("sim-999999")
    assert "999999" not in str(caught.value)
    recordings = cohort.recordings(NAME)
    assert [(recording.visit, recording.modality) for recording in recordings] == [
        (0, "ecg"),
        (0, "cmr"),
        (1, "ecg"),
        (1, "cmr"),
    ]
    assert recordings[0].findings[0].leads == ("V1",)
    assert recordings[0].heart_rate_bpm == 63.0
    phenotypes = cohort.phenotypes(NAME)
    assert tuple(phenotype.name for phenotype in phenotypes) == PHENOTYPE_NAMES
    assert phenotypes[3].unit == "%"
    prediction = cohort.predictions(NAME)[0]
    assert prediction.low < prediction.value < prediction.high
    assert cohort.predictions(NAME, "other") == []
    assert cohort.out_of_distribution("sim-000000")[0].is_flagged
    assert cohort.shard_rows("ecg", [NAME])[0].row == 3
    assert len(cohort.shard_rows("ecg")) == 60
    assert cohort.splits()[NAME] == "train"


def test_runs_and_evaluation_come_back_as_written(cohort: Cohort) -> None:
    run = cohort.runs()[0]
    assert (run.run, run.split_name, run.seed) == ("align-1", "default", 1)
    assert json.loads(run.config_json or "") == {"sigma": 0.1}
    result = cohort.evaluation("align-1")[0]
    assert (result.metric, result.value, result.low, result.high) == ("r2", 0.35, 0.3, 0.4)
    assert cohort.evaluation_document("align-1") == {"version": "1", "run": "align-1"}
    assert cohort.evaluation_document("none") is None


def test_embeddings_come_back_bit_for_bit(cohort: Cohort) -> None:
    embeddings = cohort.embeddings("align-1", "ecg")
    expected = np.random.default_rng([0, 24]).standard_normal((60, 24)).astype(np.float32)
    assert np.array_equal(embeddings.vectors, expected)
    assert embeddings.patients[3] == NAME
    assert embeddings.vectors.dtype == np.float32
    with pytest.raises(CohortError, match="has no embeddings of cmr"):
        cohort.embeddings("other", "cmr")


def test_new_embeddings_join_the_old_ones_and_replace_their_equals(cohort_path: Path) -> None:
    vectors = np.ones((2, 24), np.float32)
    with Cohort.write(cohort_path, purpose="embed") as writer:
        writer.put_embeddings("align-1", "ecg", "projected", ["a-new", NAME], [0, 0], vectors)
    with Cohort.open(cohort_path) as cohort:
        embeddings = cohort.embeddings("align-1", "ecg")
        assert len(embeddings.patients) == 61
        assert embeddings.patients == tuple(sorted(embeddings.patients))
        assert embeddings.patients[0] == "a-new"
        assert np.array_equal(embeddings.vectors[0], vectors[0])
        assert np.array_equal(embeddings.vectors[embeddings.patients.index(NAME)], vectors[1])
        assert cohort.sql(
            "SELECT num_vectors FROM embedding_sets WHERE modality = 'ecg' AND space = 'projected'"
        ).rows == ((61,),)


def test_writing_twice_changes_nothing_but_the_version(cohort_path: Path) -> None:
    table = pa.table({"patient": ["sim-000000"], "sex": ["M"]})
    counts = []
    for _ in range(2):
        with Cohort.write(cohort_path, purpose="again") as writer:
            writer.put_patients(table)
        with Cohort.open(cohort_path) as cohort:
            counts.append((cohort.count(), cohort.patient("sim-000000")["sex"], cohort.version))
    assert counts == [(65, "M", 3), (65, "M", 4)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"patient": ["a", "a"]}, "repeat a key"),
        ({"patient": [None]}, "empty key"),
        ({"sex": ["M"]}, "missing"),
        ({"patient": ["a"], "colour": ["x"]}, "unknown"),
    ],
)
def test_tables_that_do_not_fit_are_refused_and_nothing_changes(
    cohort_path: Path, table: dict[str, list[str | None]], expected: str
) -> None:
    with (
        pytest.raises(CohortError, match=expected),
        Cohort.write(cohort_path, purpose="bad") as writer,
    ):
        writer.put_patients(pa.table({"patient": ["good"]}))
        writer.put_patients(pa.table({name: pa.array(v, pa.string()) for name, v in table.items()}))
    with Cohort.open(cohort_path) as cohort:
        assert cohort.version == 2
        assert cohort.count("patient = 'good'") == 0


def test_all_visits_of_a_person_are_in_one_part_of_a_split(cohort_path: Path) -> None:
    moved = pa.table({"split_name": ["default"], "patient": ["sim-000000"], "split": ["test"]})
    with (
        pytest.raises(CohortError, match="a run was trained on"),
        Cohort.write(cohort_path, purpose="split") as writer,
    ):
        writer.put_splits(moved)
    with Cohort.open(cohort_path) as cohort:
        doubled = cohort.sql(
            "SELECT split_name, patient FROM splits GROUP BY ALL HAVING count(*) > 1"
        )
        assert doubled.rows == ()
        per_person = "SELECT patient FROM overview GROUP BY patient HAVING count(DISTINCT split)<>1"
        assert cohort.sql(per_person).rows == ()


def test_a_prediction_leads_to_file_weights_and_settings_in_one_query(
    cohort_path: Path,
) -> None:
    key = open_key(CohortLayout(cohort_path), create=True)
    with Cohort.write(cohort_path, purpose="file") as writer:
        recording = {"patient": NAME, "visit": 0, "modality": "ecg", "is_accepted": True}
        row = {**recording, "file_sha256": "e" * 64, "preprocessing_hash": "abc123"}
        writer.put_recordings(pa.Table.from_pylist([row]))
    with Cohort.open(cohort_path) as cohort:
        result = cohort.sql(
            "SELECT file_hash, checkpoint_sha256, preprocessing_settings_json, run_config_json, "
            "code_version, shard, shard_row, split FROM prediction_provenance "
            f"WHERE patient = '{NAME}' AND name = 'lvef_pct'"
        )
    provenance = dict(zip(result.columns, result.rows[0], strict=True))
    assert provenance["file_hash"] == key.file_hash("e" * 64)
    assert provenance["checkpoint_sha256"] == "c" * 64
    assert json.loads(str(provenance["preprocessing_settings_json"])) == {
        "wavelet": "db6",
        "level": 8,
    }
    assert (provenance["shard"], provenance["shard_row"], provenance["split"]) == (
        "part-00000",
        3,
        "train",
    )
    assert provenance["code_version"]


def test_the_schema_is_described_and_the_description_is_true(cohort: Cohort) -> None:
    text = describe_schema()
    columns = cohort.fetch(
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE database_name = 'store' AND NOT internal"
    )
    for table, column in columns:
        if table.startswith("embeddings_") or table == "overview":
            continue
        views = cohort.fetch("SELECT view_name FROM duckdb_views() WHERE NOT internal")
        if (table,) not in views:
            assert f"| {column} |" in text.split(f"### {table}\n")[1].split("###")[0]
        else:
            assert f"`{table}`" in text


def test_importing_the_package_imports_neither_numpy_nor_duckdb_nor_torch() -> None:
    code = (
        "import sys, ptacl_core.cohort; "
        "assert not {'numpy', 'duckdb', 'pyarrow', 'torch', 'scipy'} & set(sys.modules); "
        "from ptacl_core.cohort import Cohort; "
        "assert not {'duckdb', 'pyarrow', 'torch', 'scipy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


def test_a_run_that_has_not_learned_is_never_the_latest(cohort_path: Path) -> None:
    def write(learned: bool, *, is_control: bool) -> None:
        with Cohort.write(cohort_path, purpose="test") as writer:
            stages = {"align": learned, "ecg": False}
            writer.put_health("align-1", stages, is_control=is_control)

    write(True, is_control=False)
    with Cohort.open(cohort_path) as opened:
        assert opened.latest_run() == "align-1"
    for learned, is_control in ((False, False), (True, True)):
        write(learned, is_control=is_control)
        with (
            Cohort.open(cohort_path) as opened,
            pytest.raises(CohortError, match=r"fit to be taken unasked \(align-1\)"),
        ):
            opened.latest_run()
