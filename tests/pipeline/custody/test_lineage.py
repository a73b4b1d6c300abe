"""R39: from any figure to weights, data, code, settings and file, in two SQL steps at most."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from ptacl_core import __version__
from ptacl_core.cohort import CohortLayout
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.runs.folder import load_run_config
from ptacl_core.shards import ShardReader

pytestmark = pytest.mark.xdist_group("trained")

PERSON = "S000007"
FIGURES = (
    "predictions",
    "prediction_errors",
    "prediction_provenance",
    "out_of_distribution",
    "embedding_sets",
    "embeddings_16",
    "evaluation_results",
    "evaluation_documents",
    "regression_results",
    "retrieval_results",
)
"""Every table and view with figures that a run made: what screens and commands show."""


@pytest.fixture
def cohort(trained_cohort, tmp_path, monkeypatch):
    shutil.copytree(os.environ["PTACL_KEYS"], tmp_path / "keys")  # of the cohort that was trained
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "keys"))
    return Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))


@pytest.fixture
def ask(ptacl, cohort) -> Callable[[str], list[dict[str, Any]]]:
    """Rows of one statement, as `ptacl query` answers it."""

    def run(statement: str) -> list[dict[str, Any]]:
        answer = ptacl("query", cohort, statement, "--format", "json")
        assert answer.exit_code == 0, answer.err
        return json.loads(answer.out)

    return run


def compute_sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_prediction_leads_to_the_very_files_in_one_query(ask, ptacl, cohort):
    statement = (
        "SELECT file_hash, checkpoint_sha256, data_sha256, code_version, run_config_json, "
        "preprocessing_settings_json FROM prediction_provenance "
        f"WHERE patient = '{PERSON}' AND name = 'lvef_pct'"
    )
    (lineage,) = ask(statement)
    run = cohort / "runs" / "tiny"
    weights = run / "checkpoints" / "align" / "final" / "weights.safetensors"
    assert lineage["checkpoint_sha256"] == compute_sha256(weights)
    assert lineage["data_sha256"] == compute_sha256(cohort / "shards" / "manifest.parquet")
    assert lineage["code_version"] == __version__
    assert json.loads(lineage["run_config_json"]) == load_run_config(run).model_dump(mode="json")
    with ShardReader.open(cohort) as reader:
        row = np.array([reader.patients.index(PERSON)])
        stored = {
            "ecg": hashlib.sha256(reader.read_ecg(row).tobytes()).hexdigest(),
            "cmr": hashlib.sha256(reader.read_cine_bytes(row).tobytes()).hexdigest(),
        }
        preprocessing = reader.preprocessing.model_dump(mode="json")
    key = open_key(CohortLayout(cohort))
    stored = {modality: key.file_hash(plain) for modality, plain in stored.items()}
    assert lineage["file_hash"] == stored["ecg"]
    assert json.loads(lineage["preprocessing_settings_json"]) == preprocessing
    recordings = ask(f"SELECT modality, file_hash FROM recordings WHERE patient = '{PERSON}'")
    assert {recording["modality"]: recording["file_hash"] for recording in recordings} == stored
    # who leaves later changes the data that are there, not those that the run was trained on
    assert ptacl("erase", cohort, "S000001", "--yes").exit_code == 0
    (later,) = ask(statement)
    assert later == lineage
    assert later["data_sha256"] != compute_sha256(cohort / "shards" / "manifest.parquet")


def test_every_figure_of_a_run_leads_to_weights_data_code_and_settings(ask):
    for table in FIGURES:
        (counts,) = ask(
            "SELECT count(*) AS rows, count(r.checkpoint_sha256) AS weights, count(r.data_sha256) "
            "AS data, count(r.code_version) AS code, count(r.config_json) AS config "
            f"FROM {table} f LEFT JOIN runs r ON r.run = f.run"
        )
        assert counts["rows"] > 0, table
        assert set(counts.values()) == {counts["rows"]}, table
    (files,) = ask(
        "SELECT count(*) AS predictions, count(file_hash) AS files FROM prediction_provenance"
    )
    assert files["predictions"] == files["files"] > 0


def test_no_plain_hash_of_a_recording_is_shown_to_sql_or_leaves_the_shards(ptacl, cohort):
    with ShardReader.open(cohort) as reader:
        plain = {
            digest
            for name in ("ecg_sha256", "cmr_sha256")
            for digest in reader.table.column(name).to_pylist()
        }
    assert len(plain) > 100
    with duckdb.connect(str(cohort / "cohort.duckdb"), read_only=True) as store:
        cells = {
            cell
            for (name,) in store.execute(
                "SELECT table_name FROM information_schema.tables"
            ).fetchall()
            for row in store.execute(f'SELECT * FROM "{name}"').fetchall()
            for cell in row
            if isinstance(cell, str)
        }
    assert not plain & cells
    assert not [cell for cell in cells if "sha256" in cell and any(one in cell for one in plain)]
    answer = ptacl("query", cohort, "FROM prediction_provenance", "--format", "parquet")
    assert answer.exit_code == 0, answer.err
    needles = [digest.encode() for digest in plain] + [bytes.fromhex(digest) for digest in plain]
    seen = b"".join(
        path.read_bytes()
        for path in cohort.rglob("*")
        if path.is_file() and "shards" not in path.relative_to(cohort).parts
    )
    assert not [needle for needle in needles if needle in seen]
