"""ECGs and an echo's measurements, no cine anywhere: preprocess → train → evaluate → predict → app.

The invented data set is laid out as MIMIC-IV-ECG; `echo_cohort.py` holds its truth.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.output.report import write_report
from ptacl_core.api.model import load_model
from ptacl_core.checkpoint import load_document
from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import prepare_ecg
from ptacl_core.trained.ecg_graph import EcgGraph
from ptacl_core.trained.ecg_model import EcgModel
from tests.pipeline.echo_cohort import EchoSource, make_source
from tests.pipeline.no_patient import derive, least_gap, read_matrices

NUM_PEOPLE = 220
RUN = "ecg"
NAMES = ["echo_lvef", "lvef_below_50", "la_volume"]
TRAIN = (
    "--preset", "tiny", "--set", 'stages=["ecg"]', "--set", "health.reconstruction_share=9",
    "--set", "health.min_effective_rank=1", "--run", RUN,
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> EchoSource:
    return make_source(tmp_path_factory.mktemp("echo"), num_people=NUM_PEOPLE)


@pytest.fixture(scope="module")
def cohort(source, tmp_path_factory) -> Path:
    """Preprocessed with its targets, an ECG encoder pretrained, embedded."""
    from ptacl_core.config.run_presets import load_run_settings
    from ptacl_core.stages.embed import run as embed
    from ptacl_core.stages.preprocess import run as preprocess
    from ptacl_core.stages.train import run as train

    path = tmp_path_factory.mktemp("cohorts") / "echo"
    key = path.with_name("fixed.key")
    key.write_text("5a" * 32)  # pseudonyms, and with them the splits, are the same in every session
    preprocess.run(source.folder, path, targets=source.definitions, num_workers=1, key_from=key)
    overrides = [TRAIN[at + 1] for at, word in enumerate(TRAIN) if word == "--set"]
    settings = load_run_settings("tiny", overrides=overrides)
    train.run(path, settings, run_name=RUN)
    embed.run(path)
    return path


@pytest.fixture(scope="module")
def evaluation(cohort) -> EvaluationDocument:
    from ptacl_core.recipes import evaluate

    return evaluate.run(cohort, num_resamples=200)


def test_an_echo_goes_to_the_ecg_nearest_to_it(cohort, source, ptacl):
    with Cohort.open(cohort) as store:
        values = store.target_values(name="echo_lvef")
        assert sorted(value.value for value in values) == sorted(source.lvef.values())
        assert all(-41 <= (value.days_apart or 0) <= 41 for value in values)
    listed = json.loads(ptacl("targets", "list", cohort, "--json").out)["targets"]
    assert [target["name"] for target in listed] == NAMES
    assert sum(listed[0]["people"].values()) == NUM_PEOPLE
    assert listed[1]["mean"] == pytest.approx(
        np.mean([value < 50 for value in source.lvef.values()]), abs=0.05
    )


def test_figures_of_test_people_stand_above_sex_and_age(evaluation, ptacl, cohort):
    assert not evaluation.rows and not evaluation.retrieval
    lvef, low = (evaluation.as_dict()["targets"][name] for name in NAMES[:2])
    assert lvef["r2"]["low"] > 0.2 and lvef["gain"]["low"] > 0.2
    covered = lvef["coverage"]
    assert covered["low"] <= covered["nominal"] <= covered["high"]
    assert low["auc"]["low"] > 0.6 and low["brier"]["value"] < low["brier_of_prevalence"]
    assert low["slope"]["low"] < 1 < low["slope"]["high"]
    assert low["baseline"]["value"] == pytest.approx(0.5)
    with Cohort.open(cohort) as store:
        figures = {(f.phenotype, f.metric) for f in store.evaluation(RUN) if f.section == "targets"}
    assert {("echo_lvef", "r2"), ("lvef_below_50", "auc")} <= figures
    assert "echo_lvef" in (cohort / "runs" / RUN / "model_card.md").read_text()
    printed = ptacl("evaluate", cohort, "--resamples", 100).out
    assert "AUC" in printed and "Research use only" in printed


def test_a_prediction_has_an_interval_and_says_research_use(cohort, source, ptacl, evaluation):
    file = next(source.folder.rglob("*.hea"))
    (answer,) = json.loads(ptacl("predict", file, "--cohort", cohort, "--json").out)
    assert answer["accepted"] and answer["phenotypes"] == {} and answer["neighbours"]
    targets = answer["targets"]
    assert list(targets) == NAMES
    assert all(t["low"] <= t["value"] <= t["high"] for t in targets.values())
    assert targets["lvef_below_50"]["unit"] == "probability"
    assert 0 < targets["lvef_below_50"]["low"] < targets["lvef_below_50"]["high"] < 1
    printed = ptacl("predict", file, "--cohort", cohort).out
    assert "LVEF below 50 %" in printed and "Research use only" in printed
    assert ptacl("verify", cohort).exit_code == 0


def test_the_app_and_the_report_show_them(cohort):
    reader = CohortReader.open(cohort)
    try:
        patient = reader.load_page(limit=1).rows[0].patient
        view = reader.load_patient(patient)
        assert [value.name for value in view.targets] == NAMES
        assert view.has_predictions and view.neighbours and view.cine is None
        page = write_report(view, name="shown")
    finally:
        reader.close()
    assert "LVEF below 50 %" in page and "Research use only" in page


def test_the_checklist_and_the_data_sheet_tell_them(evaluation, ptacl, cohort):
    answer = ptacl("report", cohort, RUN, "--checklist", "tripod-ai", "--json")
    assert answer.exit_code == 0, answer.err
    items = {item["number"]: str(item["answer"]) for item in json.loads(answer.out)["items"]}
    for name in NAMES:
        assert name in items["23a"]
    assert "events) area under the curve" in items["23a"]
    assert "retrieval" not in items["12e"] and "phenotypes" not in items["15"]
    assert "read from files" in items["5a"] and "held-out" not in items["5a"]
    sheet = json.loads(ptacl("report", cohort, "--data-sheet", "--egress", "--json").out)
    variables = {variable["name"]: variable for variable in sheet["variables"]}
    assert variables["echo_lvef"]["present"] == NUM_PEOPLE
    assert 0 < variables["lvef_below_50"]["mean"] < 1
    assert sheet["formats"]["cmr"] == {}


def test_a_packed_model_answers_the_same_without_the_cohort(
    cohort, source, tmp_path, ptacl, evaluation
):
    packed = tmp_path / "echo.ptacl"
    answer = ptacl("pack", cohort, RUN, "--out", packed, "--accept-membership")
    assert answer.exit_code == 0, answer.err
    assert "loss of the targets" in answer.err
    file = next(source.folder.rglob("*.hea"))
    (here,) = json.loads(ptacl("predict", file, "--cohort", cohort, "--json").out)
    (there,) = json.loads(ptacl("predict", file, "--model", packed, "--json").out)
    assert there["targets"] == here["targets"] and there["phenotypes"] == {}
    assert load_model(packed).predict([file]).rows().to_arrow().column("phenotype").to_pylist() == (
        NAMES
    )
    graph = EcgGraph(EcgModel.of_file(packed, device="cpu")).eval()
    assert [name for name, _unit in graph.targets] == NAMES
    signal = np.asarray(prepare_ecg(read_ecg(file)).unfiltered_mv, np.float32)
    with torch.no_grad():
        outputs = [part.numpy() for part in graph(torch.from_numpy(signal))]
    for column, name in enumerate(NAMES):
        ends = [there["targets"][name][end] for end in ("value", "low", "high")]
        np.testing.assert_allclose([part[column] for part in outputs[1:4]], ends, rtol=1e-4)
    shown = json.loads(ptacl("unpack", "--show", packed, "--json").out)
    assert [own["target"]["name"] for own in shown["document"]["own_targets"]] == NAMES
    assert "baseline" in shown["evaluation"]["targets"]["echo_lvef"]["figures"]
    with Cohort.open(cohort) as store:
        vectors = store.embeddings(RUN, "ecg", "pooled").vectors.astype(np.float64)
        values = np.array([value.value for value in store.target_values()]).reshape(-1, 2)
    matrices, maps = read_matrices(tmp_path)
    for points in (vectors, values):
        assert least_gap(points, derive(matrices, maps, points.shape[1])) > 1e-3
    refused = ptacl("validate", packed, cohort)
    assert refused.exit_code == 2 and "Traceback" not in refused.err


def test_fine_tuning_takes_the_cohorts_targets(cohort, tmp_path, ptacl):
    copy = tmp_path / "tuned"
    shutil.copytree(cohort, copy)
    trained = ptacl(
        "train", copy, "--preset", "tiny", "--run", "tuned", "--set", 'stages=["finetune"]',
        "--set", f"pretrained_from.ecg={RUN}", "--set", "finetune.start=pretrain",
        "--set", "finetune.targets=cohort", "--set", "finetune.pooling=mean",
    )  # fmt: skip
    assert trained.exit_code == 0, trained.err
    document = load_document(copy / "runs" / "tuned" / "checkpoints" / "finetune-ecg" / "final")
    assert list(document.target_names) == NAMES
    assert document.target_units == ("%", "probability", "mL")
    assert ptacl("embed", copy, "--run", "tuned").exit_code == 0
    with Cohort.open(copy) as store:
        kinds = {run.run: run.kind for run in store.runs()}
        names = store.fetch("SELECT DISTINCT name FROM predictions WHERE run = 'tuned'")
    assert kinds == {RUN: "ecg", "tuned": "finetune-ecg"}
    assert {row[0] for row in names} == set(NAMES)
    assert ptacl("verify", copy).exit_code == 0


def test_shuffled_labels_predict_nothing(cohort, tmp_path):
    """The control: the same people and ECGs, every value another person's."""
    from ptacl_core.stages.evaluate import run as evaluate

    shuffled = tmp_path / "shuffled"
    shutil.copytree(cohort, shuffled)
    with Cohort.open(shuffled) as store:
        values = store.target_values(name="echo_lvef")
    order = np.random.default_rng(3).permutation(len(values))
    with Cohort.write(shuffled, purpose="shuffle") as writer:
        import pyarrow as pa

        writer.put_target_values(
            pa.table(
                {
                    "patient": [value.patient for value in values],
                    "visit": pa.array([value.visit for value in values], pa.int32()),
                    "name": [value.name for value in values],
                    "value": [values[at].value for at in order],
                }
            )
        )
    shutil.rmtree(shuffled / "runs" / RUN / "readout")
    document = evaluate.run(shuffled, run=RUN, num_resamples=200)
    lvef, low = (document.as_dict()["targets"][name] for name in NAMES[:2])
    assert lvef["r2"]["value"] < 0.1 and lvef["gain"]["low"] < 0.05
    assert low["auc"]["low"] < 0.5 < low["auc"]["high"]
    assert low["brier"]["value"] > low["brier_of_prevalence"] - 0.03
    assert lvef["coverage"]["high"] > lvef["coverage"]["nominal"]


def test_who_leaves_takes_their_values_along(cohort, source, tmp_path, ptacl):
    copy = tmp_path / "left"
    shutil.copytree(cohort, copy)
    with Cohort.open(copy) as store:
        gone = store.target_values(name="la_volume")[0].patient
    assert ptacl("erase", copy, gone, "--yes").exit_code == 0
    with Cohort.open(copy) as store:
        assert store.target_values(patient=gone) == []
        assert len({value.patient for value in store.target_values()}) == NUM_PEOPLE - 1
        left = store.fetch("SELECT count(DISTINCT patient) FROM predictions WHERE name = ?",
                           ["echo_lvef"])  # fmt: skip
    assert left == [(NUM_PEOPLE - 1,)]
    assert ptacl("verify", copy).exit_code == 0


def test_what_contradicts_itself_is_one_line(cohort, tmp_path, ptacl):
    for text, words in (
        ("[targets.echo_lvef]\nkind = 'binary'\n", "remove COHORT echo_lvef"),
        ("[targets.lvef_pct]\n", "is built in"),
        ("[targets.x]\nrule = 'nothing < 3'\n", "needs a continuous target"),
        ("[targets.x]\nunits = 'mL'\n", "unknown key 'units'"),
        ("[targets.x]\nlow = 5\nhigh = 2\n", "low must lie below high"),
        ("[targets.'X y']\n", "expected a name"),
        ("targets = 3\n", "at least one section"),
        ("[targets.x\n", "expected TOML"),
    ):
        file = tmp_path / "wrong.toml"
        file.write_text(text)
        answer = ptacl("targets", "add", cohort, file)
        assert answer.exit_code == 2, text
        assert words in " ".join(answer.err.split()), answer.err
        assert "Traceback" not in answer.err


def test_targets_come_by_person_later_and_go_again(cohort, source, tmp_path, ptacl):
    copy = tmp_path / "later"
    shutil.copytree(cohort, copy)
    people = list(source.lvef)
    table = tmp_path / "valves.csv"
    rows = [f"{person},{'yes' if at % 3 else 'no'}" for at, person in enumerate(people)]
    table.write_text("subject_id,valve\n" + "\n".join([*rows, "99999999,yes", f"{people[0]},?"]))
    file = tmp_path / "valve.toml"
    file.write_text("[targets.valve]\nkind = 'binary'\ntitle = 'Valve disease'\n")
    answer = ptacl("targets", "add", copy, file, table)
    assert answer.exit_code == 0, answer.err
    said = " ".join(answer.err.split())
    assert "1 rows of people without an ECG here" in said
    assert "valve: 1 cells are not 0 or 1" in said
    assert "valve" in answer.out and "echo_lvef" in answer.out
    assert ptacl("targets", "remove", copy, "echo_lvef").exit_code == 2  # a rule needs it
    assert ptacl("targets", "remove", copy, "valve").exit_code == 0
    with Cohort.open(copy) as store:
        assert [target.name for target in store.targets()] == NAMES
        assert store.target_values(name="valve") == []
