"""R39: from any figure to weights, data, code, settings and file, in two SQL steps at most."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptacl_core import __version__
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
        "SELECT file_sha256, checkpoint_sha256, data_sha256, code_version, run_config_json, "
        "preprocessing_settings_json FROM prediction_provenance "
        f"WHERE patient = '{PERSON}' AND name = 'lvef_pct'"
    )
    (found,) = ask(statement)
    run = cohort / "runs" / "tiny"
    weights = run / "checkpoints" / "align" / "final" / "weights.safetensors"
    assert found["checkpoint_sha256"] == compute_sha256(weights)
    assert found["data_sha256"] == compute_sha256(cohort / "shards" / "manifest.parquet")
    assert found["code_version"] == __version__
    assert json.loads(found["run_config_json"]) == load_run_config(run).model_dump(mode="json")
    with ShardReader.open(cohort) as reader:
        row = np.array([reader.patients.index(PERSON)])
        stored = {
            "ecg": hashlib.sha256(reader.read_ecg(row).tobytes()).hexdigest(),
            "cmr": hashlib.sha256(reader.read_cine_bytes(row).tobytes()).hexdigest(),
        }
        preprocessing = reader.preprocessing.model_dump(mode="json")
    assert found["file_sha256"] == stored["ecg"]
    assert json.loads(found["preprocessing_settings_json"]) == preprocessing
    recordings = ask(f"SELECT modality, file_sha256 FROM recordings WHERE patient = '{PERSON}'")
    assert {each["modality"]: each["file_sha256"] for each in recordings} == stored
    # who leaves later changes the data that are there, not those that the run was trained on
    assert ptacl("erase", cohort, "S000001", "--yes").exit_code == 0
    (later,) = ask(statement)
    assert later == found
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
        "SELECT count(*) AS predictions, count(file_sha256) AS files FROM prediction_provenance"
    )
    assert files["predictions"] == files["files"] > 0
