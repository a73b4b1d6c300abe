"""`ptacl reproduce` on a tiny cohort: killed, resumed, reported."""

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ptacl_core.config.reproduction import load_plan, load_size, name_run, plan_run
from ptacl_core.documents.reproduction import MethodAlignment, RetrievalSection
from ptacl_core.recipes.reproduce.archive import Archive, choose_restored
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.stages.evaluate.measure_row import load_row

pytestmark = pytest.mark.xdist_group("trained")
ROWS = "mae,global,ptacl"
NUM_SEEDS = 2
KEYS = ("mae", "global", "ptacl")
COMMAND = "from ptacl_core.cli.main import main; main()"


def weights_times(cohort):
    """Run → when its final weights were written."""
    return {
        str(path.relative_to(cohort)): path.stat().st_mtime_ns
        for path in cohort.glob("runs/reproduce-*/checkpoints/*/final/weights.safetensors")
    }


@pytest.fixture(scope="module")
def cohort(trained_cohort, tmp_path_factory):
    """A copy, since other tests read the runs of the original."""
    copy = tmp_path_factory.mktemp("reproduced") / "cohort"
    shutil.copytree(trained_cohort, copy)
    return copy


@pytest.fixture(scope="module")
def killed(cohort):
    """The cohort after a reproduction that kill -9 ended while it trained its second run."""
    arguments = ["reproduce", cohort, "--rows", ROWS, "--seeds", NUM_SEEDS, "--size", "tiny"]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "run 2/3: train" in line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL
    return cohort


@pytest.fixture(scope="module")
def resumed(killed):
    """What the same call gives afterwards, and when weights were written before it."""
    from ptacl_core.recipes.reproduce import run as reproduce

    before = weights_times(killed)
    summary = reproduce.run(
        killed, rows=ROWS.split(","), num_seeds=NUM_SEEDS, size="tiny", num_resamples=200
    )
    return summary, before


def test_what_was_finished_before_the_kill_is_not_trained_again(killed, resumed):
    _, before = resumed
    after = weights_times(killed)
    assert len(before) >= 2
    assert {path: after[path] for path in before} == before
    stages = {"mae": 2, "global": 1, "ptacl": 1}
    assert len(after) == NUM_SEEDS * sum(stages.values())


def test_every_row_has_both_seeds_intervals_and_the_papers_figure(resumed):
    document = resumed[0].document.as_dict()
    rows = {row["key"]: row for row in document["rows"]}
    bars = {"ridge-mean-beat", "ridge-pixels", "linear-ecg", "linear-cmr"}
    assert set(rows) == {
        "demographics", *bars, *(f"{key}-{m}" for key in KEYS for m in ("ecg", "cmr"))
    }  # fmt: skip
    assert {key for key, row in rows.items() if row["num_trainings"] is None} == {
        "demographics", *bars
    }  # fmt: skip
    for row in rows.values():
        mean = row["mean"]
        assert mean["low"] < mean["r2"] < mean["high"]
        scores = [row["phenotypes"][name]["r2"] for name in PHENOTYPE_NAMES]
        assert mean["r2"] == pytest.approx(sum(scores) / 10)
    ptacl = {**rows["ptacl-ecg"]["phenotypes"], "mean": rows["ptacl-ecg"]["mean"]}
    assert len(ptacl["mean"]["per_seed"]) == NUM_SEEDS
    assert ptacl["mean"]["seed_sd"] > 0
    assert ptacl["lvm_g"]["published"] == 0.616
    assert rows["ptacl-cmr"]["phenotypes"]["lvm_g"]["published"] is None
    assert rows["mae-cmr"]["phenotypes"]["lvm_g"]["published"] == 0.824
    for cell in ptacl.values():
        share = None if cell["r2"] < 0 else pytest.approx(cell["r2"] / cell["ceiling"])
        assert cell["share_of_ceiling"] == share


def test_the_seeds_differ_and_share_their_pretraining(killed, resumed):
    first, second = (load_row(killed, name_run("tiny", s, "ptacl"), "ptacl-ecg") for s in (0, 1))
    assert first.patients == second.patients
    assert abs(first.predicted - second.predicted).max() > 0
    config = (killed / "runs" / name_run("tiny", 1, "ptacl") / "config.toml").read_text()
    assert 'ecg = "reproduce-tiny-s1-mae"' in config


def test_planned_differences_of_what_was_asked_for_have_verdicts(resumed):
    document = resumed[0].document.as_dict()
    pairs = {(pair["first"], pair["second"]): pair for pair in document["comparisons"]}
    assert set(pairs) == {
        ("ptacl", "global"),
        ("ptacl", "mae"),
        ("global", "mae"),
        ("ptacl", "demographics"),
    }
    # A few steps learn nothing: such rows are shown, named, and compared with nothing.
    untrained = {row["key"] for row in document["rows"] if row["failures"]}
    assert {"mae-ecg", "mae-cmr"} <= untrained
    for (first, second), pair in pairs.items():
        names = {f"{first}-ecg", f"{second}-ecg"} & untrained
        for figure in pair["figures"].values():
            assert (figure["verdict"] == "not comparable") == bool(names)
            assert not figure["verdict"].startswith("separated")
    assert pairs["ptacl", "mae"]["figures"]["mean"]["why"].endswith("MAE did not train")
    assert "not reproduced: random-ecg" in document["trend"]["why_not"]
    assert document["nested"][0]["key"] == "ptacl"
    assert document["headlines"][0]["key"] == "nested"


def test_retrieval_and_alignment_come_from_the_evaluations(killed, resumed):
    document = resumed[0].document.as_dict()
    methods = {method["key"]: method for method in document["retrieval"]["methods"]}
    assert set(methods) == {"global", "ptacl"}
    precisions = [
        json.loads(
            (killed / "runs" / name_run("tiny", seed, "ptacl") / "evaluation/evaluation.json")
            .read_text()
        )["retrieval"]["excluded"]["lvm_g"]["p_at_10"]
        for seed in range(NUM_SEEDS)
    ]  # fmt: skip
    cell = methods["ptacl"]["own"]["excluded"]["lvm_g"]["p_at_10"]
    assert cell["value"] == pytest.approx(sum(precisions) / NUM_SEEDS)
    assert cell["low"] <= cell["value"] <= cell["high"]
    kinds = {entry["key"]: entry["kind"] for entry in document["alignment"]}
    assert kinds == {"global": "global only", "ptacl": "soft"}
    assert document["left_out"] == []


def test_the_report_is_whole_and_names_no_patient(killed, resumed):
    folder = resumed[0].folder
    page = (folder / "report.html").read_text()
    text = (folder / "report.md").read_text()
    for written in (page, text):
        assert "Research use only" in written
        assert "evidence about the code, never about hearts" in written
        assert "the paper, UK Biobank" in written
        assert not any(patient in written for patient in ("S0000", "S0001"))
    for name in ("table-2-forest", "differences-forest", "alignment-maps", "coverage"):
        assert f"figures/{name}.svg" in text
        assert (folder / "figures" / f"{name}.svg").exists()
    assert page.count("<svg") >= 5
    assert (folder / "report.html").stat().st_mode & 0o777 == 0o600


def test_every_run_has_a_model_card(killed, resumed):
    cards = [
        (killed / "runs" / name_run("tiny", seed, key) / "model_card.md").read_text()
        for seed in range(NUM_SEEDS)
        for key in KEYS
    ]
    for card in cards:
        for section in ("Intended use", "Out of scope", "Limits", "Provenance", "Training"):
            assert f"## {section}" in card
        assert "Research use only" in card
    assert "mae-ecg" in cards[0]
    assert "Coverage of the 90 % intervals" in cards[2]


def test_a_finished_reproduction_only_reports(killed, resumed, ptacl):
    before = weights_times(killed)
    answer = ptacl(
        "reproduce", killed, "--rows", "mae", "--seeds", NUM_SEEDS, "--size", "tiny",
        "--out", killed / "elsewhere", "--json",
    )  # fmt: skip
    assert answer.exit_code == 0, answer.err
    document = json.loads(answer.out)
    assert document["methods"] == ["mae"]
    assert document["retrieval"]["why_not"]
    assert (killed / "elsewhere" / "report.html").exists()
    assert weights_times(killed) == before


def test_a_wrong_row_or_number_of_seeds_is_one_line(killed, ptacl):
    answer = ptacl("reproduce", killed, "--rows", "mae,nothing")
    assert answer.exit_code == 2
    assert "no row 'nothing'; there are random, simclr" in answer.err
    assert ptacl("reproduce", killed, "--seeds", 0).exit_code == 2


@pytest.fixture(scope="module")
def archived(killed, resumed, tmp_path_factory):
    """The finished runs as an archive, and a cohort of the same patients without any run."""
    from ptacl_core.recipes.reproduce import run as reproduce

    folder = tmp_path_factory.mktemp("archive")
    reproduce.run(
        killed, rows=ROWS.split(","), num_seeds=NUM_SEEDS, size="tiny", num_resamples=200,
        archive=folder / "runs",
    )  # fmt: skip
    fresh = folder / "cohort"
    shutil.copytree(killed, fresh, ignore=shutil.ignore_patterns("reproduce-*"))
    return folder / "runs", fresh


def test_a_fresh_cohort_reports_from_the_archive_without_training(archived, resumed):
    from ptacl_core.recipes.reproduce import run as reproduce

    archive, fresh = archived
    with zipfile.ZipFile(next(archive.iterdir())) as packed:
        sizes = [(member.file_size, member.compress_size) for member in packed.infolist()]
    assert sum(after for _, after in sizes) < 0.6 * sum(before for before, _ in sizes)
    names = {path.name for path in archive.iterdir()}
    assert len(names) == NUM_SEEDS * len(KEYS)
    document = reproduce.run(
        fresh, rows=ROWS.split(","), num_seeds=NUM_SEEDS, size="tiny", num_resamples=200,
        archive=archive,
    ).document  # fmt: skip
    assert not list(fresh.glob("runs/reproduce-*"))
    assert isinstance(document.retrieval, RetrievalSection)
    assert document.provenance.from_archive == tuple(sorted(Path(name).stem for name in names))
    before = {row.key: row for row in resumed[0].document.rows}
    for row in document.rows:
        assert row.mean.r2 == pytest.approx(before[row.key].mean.r2, abs=0.01)
    assert document.retrieval.methods == resumed[0].document.retrieval.methods
    for entry, same in zip(document.alignment, resumed[0].document.alignment, strict=True):
        for name in ("top1", "centred_top1", "others_behind", "own_rank"):
            assert getattr(entry, name) == pytest.approx(getattr(same, name), abs=1e-6)
        assert isinstance(entry, MethodAlignment)
        assert entry.map == same.map
    assert document.alignment_comparisons


def test_runs_of_other_patients_or_settings_are_not_taken(archived):
    archive = Archive(archived[0], archived[1], archived[1] / "restored")
    name = name_run("tiny", 0, "ptacl")
    with zipfile.ZipFile(archived[0] / f"{name}.zip") as packed:
        patients = json.loads(packed.read("run.json"))["identity"]["patients_hash"]
    settings = plan_run(load_plan(), load_size("tiny"), "ptacl", seed=0, device="cpu")
    assert archive.has(name, settings, patients_hash=patients, steps=["train"])
    other = settings.model_copy(update={"seed": 7})
    assert not archive.has(name, other, patients_hash=patients, steps=["train"])
    assert not archive.has(name, settings, patients_hash="0" * 16, steps=["train"])
    assert not archive.has(name, settings, patients_hash=patients, steps=["measure another"])


def test_a_source_is_made_again_where_what_starts_from_it_is_missing():
    takes = {"mae": (), "ptacl": ("mae", "mae"), "ptacl-finetuned": ("mae", "ptacl")}
    archived = {(0, "mae"): True, (0, "ptacl"): True, (0, "ptacl-finetuned"): False}
    assert choose_restored(archived, takes) == frozenset()
    archived = {(0, "mae"): True, (0, "ptacl"): False, (1, "mae"): True, (1, "ptacl"): True}
    assert choose_restored(archived, takes) == {(1, "mae"), (1, "ptacl")}
