"""What `ptacl evaluate`, `predict` and `drift` say of a trained run, as a user asks for it."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.evaluate import r2
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES

SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "samples" / "HR06000.hea"
pytestmark = pytest.mark.xdist_group("trained")


@pytest.fixture(scope="module")
def evaluation(trained_cohort):
    return trained_cohort / "runs" / "tiny" / "evaluation"


@pytest.fixture(scope="module")
def document(evaluation):
    return json.loads((evaluation / "evaluation.json").read_text())


def change_manifest(cohort: Path, target: Path, change) -> Path:
    """The cohort with other rows in its manifest; arrays are linked, the rest is copied."""

    def link_arrays(source: str, destination: str) -> None:
        (os.link if source.endswith(".npy") else shutil.copy2)(source, destination)

    shutil.copytree(cohort, target, copy_function=link_arrays)
    manifest = target / "shards" / "manifest.parquet"
    table = pq.read_table(manifest)
    rows = [change(index, row) for index, row in enumerate(table.to_pylist())]
    manifest.unlink()
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), manifest)
    return target


def test_networks_are_rows_with_their_own_predictions(document):
    rows = {row["key"]: row for row in document["rows"]}
    assert list(rows) == [
        "demographics", "ridge-mean-beat", "ridge-pixels", "linear-ecg", "linear-cmr",
        "random-ecg", "random-cmr", "pretrained-ecg", "pretrained-cmr",
        "aligned-ecg", "aligned-cmr", "finetuned-ecg", "supervised-ecg", "supervised-cmr",
    ]  # fmt: skip
    kinds = {key: row["evaluation"] for key, row in rows.items()}
    assert (kinds["aligned-ecg"], kinds["finetuned-ecg"]) == ("LP", "FN+AP")
    assert kinds["supervised-cmr"] == "FN"
    for name, cell in document["regression"]["ecg"].items():
        whole = rows["aligned-ecg"]["phenotypes"][name]
        assert cell == {key: whole[key] for key in ("r2", "low", "high")}


def test_the_document_leads_with_the_nested_question_and_says_what_it_is(document):
    assert (document["kind"], document["version"]) == ("ptacl-evaluation", 1)
    assert [headline["key"] for headline in document["headlines"]] == ["nested", "labels"]
    assert document["nested"][0]["key"] == "ecg"
    assert document["nested"][0]["question"].startswith("What does the ECG add to sex")
    again = EvaluationDocument.parse(document, source="evaluation.json")
    assert again.as_dict() == document
    assert len(document["provenance"]["data_sha256"]) == 64


def test_health_is_by_run_and_stage(document, trained_cohort):
    stages = document["health"]["tiny"]
    assert set(stages) >= {"ecg", "cmr", "align", "supervised-ecg"}
    assert stages["align"]["splits"].keys() == {"training", "validation", "test"}
    for stage in stages.values():
        assert stage["learned"] == (not stage["reasons"])
    with Cohort.open(trained_cohort) as cohort, cohort.opened.cursor() as cursor:
        rows = cursor.execute(
            "SELECT variant, value FROM evaluation_results WHERE run = 'tiny' "
            "AND section = 'health' AND metric = 'learned'"
        ).fetchall()
    assert {name: bool(value) for name, value in rows} == {
        name: stage["learned"] for name, stage in stages.items()
    }


def test_figures_follow_from_the_rows_of_the_store(document, evaluation, trained_cohort):
    with Cohort.open(trained_cohort) as cohort, cohort.opened.cursor() as cursor:
        frame = cursor.execute("SELECT * FROM evaluation_predictions WHERE run = 'tiny'").df()
        retrieval = cursor.execute("SELECT * FROM evaluation_retrieval WHERE run = 'tiny'").df()
    assert set(frame.variant) == {row["key"] for row in document["rows"]}
    for row in document["rows"]:
        part = frame[(frame.variant == row["key"]) & (frame.phenotype == "lvm_g")]
        assert len(part) == document["patients"]["test"]
        value = float(r2(part.observed.to_numpy(), part.predicted.to_numpy()))
        assert value == pytest.approx(row["phenotypes"]["lvm_g"]["r2"])
    finetuned = frame[
        (frame.variant == "finetuned-ecg") & (frame.phenotype == "lvef_pct")
    ].predicted
    assert finetuned.between(30, 90).all()
    assert not list(evaluation.glob("*.parquet"))
    part = retrieval[
        (retrieval.direction == "ecg-cmr")
        & (retrieval.own == "excluded")
        & (retrieval.phenotype == "lvm_g")
    ]
    assert part.p_at_5.mean() == pytest.approx(document["retrieval"]["excluded"]["lvm_g"]["p_at_5"])


def test_every_control_is_in_the_document(document):
    controls = document["alignment"]["controls"]
    assert set(controls) == {
        "shifted_frames", "other_patient", "no_positions", "permuted_tokens", "irregular_rhythm"
    }  # fmt: skip
    num_pairs = document["alignment"]["patients"]
    for name in ("shifted_frames", "other_patient", "no_positions", "permuted_tokens"):
        control = controls[name]
        assert control["n"] == (min(num_pairs, 32) if name == "shifted_frames" else num_pairs)
        low, high = control["top1_interval"]
        assert low <= control["top1"] <= high
        assert control["top1"] <= control["within1"]
    rhythms = controls["irregular_rhythm"], controls["irregular_rhythm"]["regular"]
    assert sum(rhythm["n"] for rhythm in rhythms) == num_pairs
    assert len(controls["shifted_frames"]["shifts"]) == 13


def test_strict_training_ends_with_1_when_a_stage_has_not_learned(ptacl, trained_cohort, document):
    failed = {name for name, stage in document["health"]["tiny"].items() if not stage["learned"]}
    assert failed, "a few steps learn nothing"
    command = ("train", trained_cohort, "--preset", "tiny", "--run", "tiny", "--resume", "--json")
    answer = ptacl(*command, "--strict")
    assert answer.exit_code == 1
    assert "has NOT LEARNED" in answer.err
    health = json.loads(answer.out)["health"]
    assert failed <= {name for name, stage in health.items() if not stage["learned"]} | {"align"}
    assert ptacl(*command).exit_code == 0


def test_evaluating_again_gives_the_same_document(ptacl, trained_cohort, document):
    answer = ptacl("evaluate", trained_cohort, "--run", "tiny", "--resamples", 100, "--json")
    assert answer.exit_code == 0, answer.err
    again = json.loads(answer.out)
    for evaluation in (again, document):
        evaluation["provenance"].pop("code")  # the checkout may be edited while the tests run
    assert again == document


def test_the_document_has_the_agreed_shape(document):
    for modality in ("ecg", "cmr"):
        for name in PHENOTYPE_NAMES:
            figure = document["regression"][modality][name]
            assert figure["low"] <= figure["r2"] <= figure["high"]
    for own in ("included", "excluded"):
        scores = document["retrieval"][own]["lvef_pct"]
        for k in (1, 3, 5, 10, 15):
            assert 0 <= scores[f"p_at_{k}"] <= 1
        assert scores["mean_rank"] >= 1
        assert 0 < scores["random_p_at_1"] < 1
    alignment = document["alignment"]
    assert len(alignment["map"]) == 13
    assert all(len(row) == 13 for row in alignment["map"])
    assert 0 <= alignment["top1"] <= alignment["within1"] <= 1
    assert document["coverage_summary"]["read_out"].startswith("the read-out")


def test_labels_that_are_absent_or_constant_are_said_and_do_no_harm(
    ptacl, trained_cohort, tmp_path
):
    def spoil(index, row):
        return row | {"rvef_pct": None, "lvsv_ml": 90.0, "sex": "F" if index % 2 else None}

    cohort = change_manifest(trained_cohort, tmp_path / "spoilt", spoil)
    answer = ptacl("evaluate", cohort, "--run", "tiny", "--resamples", 100)
    assert answer.exit_code == 0, answer.err
    assert "rvef_pct cannot be judged: no label present" in answer.out
    assert "lvsv_ml cannot be judged: the phenotype is constant (90)" in answer.out
    assert "Demographics" in answer.out
    assert "Research use only" in answer.out
    text = (cohort / "runs" / "tiny" / "evaluation" / "evaluation.json").read_text()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))
    assert document["rows"][0]["phenotypes"]["rvef_pct"]["r2"] is None
    assert "rvef_pct" not in document["retrieval"]["included"]
    assert document["subgroups"]["sex"]["unknown"]["n"] > 0


def test_predict_tells_whose_intervals_and_z_scores(ptacl, trained_cohort):
    command = ("predict", SAMPLE, "--cohort", trained_cohort, "--run", "tiny", "--json")
    plain = json.loads(ptacl(*command).out)[0]
    assert plain["interval_group"] == "all"
    assert plain["phenotypes"]["lvm_g"]["z_score"] is None
    assert plain["z_score_note"] == "none: sex, age, height, weight of the person not given"
    outside = plain["out_of_distribution"]
    assert outside["score"] == pytest.approx(max(outside["mahalanobis"], outside["nearest"]))
    around = plain["neighbour_phenotypes"]["lvm_g"]
    assert around["n"] == 50
    assert around["low"] <= around["median_low"] <= around["median"]
    assert around["median"] <= around["median_high"] <= around["high"]
    assert "saliency" not in plain
    wrong = ptacl(*command, "--person", "sex=F,shoes=42")
    assert wrong.exit_code == 2
    assert "shoes=42" in wrong.err


def test_the_store_tells_whose_intervals_predictions_have(ptacl, trained_cohort):
    question = "SELECT interval_group, count(*) AS n FROM predictions WHERE run = 'tiny' GROUP BY 1"
    rows = json.loads(ptacl("query", trained_cohort, question, "--format", "json").out)
    assert [row["interval_group"] for row in rows] == ["all"]


def test_saliency_names_every_lead_and_phase(ptacl, trained_cohort):
    command = ("predict", SAMPLE, "--cohort", trained_cohort, "--run", "tiny", "--saliency")
    answer = json.loads(ptacl(*command, "--json").out)[0]
    leads, steps = answer["saliency"]["leads"], answer["saliency"]["steps"]
    assert tuple(leads) == tuple(steps) == PHENOTYPE_NAMES
    assert tuple(leads["lvef_pct"]) == LEAD_NAMES
    assert len(steps["lvef_pct"]) == 13
    assert np.ptp(list(leads["lvm_g"].values())) > 0
    printed = ptacl(*command).out
    assert "one lead flat" in printed
    assert "one phase of every beat bridged" in printed


def test_drift_finds_nothing_between_a_cohort_and_itself(ptacl, trained_cohort):
    answer = ptacl("drift", trained_cohort, trained_cohort, "--run", "tiny", "--json")
    assert answer.exit_code == 0, answer.err
    document = json.loads(answer.out)
    assert document["shifted"] == []
    assert document["covariates"]["age_years"]["psi"] == 0
    assert document["embeddings"]["mmd"]["p_value"] > 0.05


def test_drift_says_that_intervals_fail_on_a_shifted_cohort(ptacl, trained_cohort, tmp_path):
    def shift(_, row):
        larger = {name: row[name] + 120 for name in ("lvedv_ml", "rvedv_ml") if row[name]}
        return row | larger | {"age_years": row["age_years"] + 15}

    other = change_manifest(trained_cohort, tmp_path / "other", shift)
    answer = ptacl("drift", trained_cohort, other, "--run", "tiny", "--permutations", 20, "--json")
    assert answer.exit_code == 0, answer.err
    document = json.loads(answer.out)
    assert {"lvedv_ml", "rvedv_ml", "age_years"} <= {shift["name"] for shift in document["shifted"]}
    assert not document["phenotypes"]["lvm_g"]["is_shifted"]
    summary = document["embeddings"]["coverage_summary"]
    assert summary["verdict"] == "failed"
    assert "lvedv_ml" in {failure["phenotype"] for failure in summary["failed"]}
    assert "FAILED" in document["text"]
    assert "DRIFT in" in ptacl("drift", trained_cohort, other, "--run", "tiny").out


def test_drift_of_a_folder_that_is_no_cohort_is_one_line(ptacl, trained_cohort, tmp_path):
    answer = ptacl("drift", trained_cohort, tmp_path / "nowhere")
    assert answer.exit_code == 2
    assert "nowhere: expected a cohort directory" in answer.err
