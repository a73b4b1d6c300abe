"""ptacl withdraw, as a data manager uses it on a trained cohort: who leaves, who stays out."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.identity.lineage import find_runs, read_marks, read_stages
from ptacl_core.cohort.identity.lineage_file import lineage_file
from ptacl_core.cohort.identity.register import register_file
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.errors import CheckpointError, CohortLockedError
from ptacl_core.progress import SILENT
from ptacl_core.runs.lineage import STOP_FILE, check_may_train, list_run_stages
from ptacl_core.runs.trainings import settle_trainings
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.shards import ShardReader
from tests.pipeline.no_patient import derive, least_gap, read_matrices

pytestmark = pytest.mark.xdist_group("trained")
TRAINED = "S000003"


@pytest.fixture
def cohort(trained_cohort, tmp_path, monkeypatch):
    shutil.copytree(os.environ["PTACL_KEYS"], tmp_path / "keys")
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))  # with others' runs


def people_of(cohort: Path, split: str) -> list[str]:
    with ShardReader.open(cohort) as reader:
        pairs = zip(reader.patients, reader.splits, strict=True)
        return sorted({patient for patient, part in pairs if part == split})


def test_a_list_takes_members_out_and_keeps_the_others_on_the_register(ptacl, cohort, tmp_path):
    member = people_of(cohort, "train")[0]
    point = points_of(cohort, "tiny", {member})
    former = ReadOut.load(cohort / "runs" / "tiny" / "readout")
    listed = tmp_path / "w99999_20260101.csv"
    listed.write_text(f"{member}\r\n9000555\r\n9000556\r\n")
    answer = ptacl("withdraw", cohort, listed, "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    document = json.loads(answer.out)
    assert {name: document[name] for name in ("listed", "matched", "already_gone")} == {
        "listed": 3, "matched": 1, "already_gone": 0
    }  # fmt: skip
    assert document["not_yet_seen"] == 2
    assert "tiny" in document["runs_trained_with_these_people"]
    assert document["is_complete"], document
    register = register_file(CohortLayout(cohort))
    assert register.stat().st_mode & 0o777 == 0o600
    assert "9000555" not in register.read_text()
    assert member not in answer.out + answer.err
    with Cohort.open(cohort) as opened:
        assert next(run for run in opened.runs() if run.run == "tiny").withdrawn_people == 1
        assert member in opened.find_erased([member, "S000001"])
    assert "trained" in ptacl("query", cohort, "SELECT withdrawn_people AS trained FROM runs").out
    fresh = ReadOut.load(cohort / "runs" / "tiny" / "readout")
    assert gap_to_sums(cohort, "tiny", former, point) < 1e-4, "the test is blind"
    assert gap_to_sums(cohort, "tiny", fresh, point) > 0.05
    assert distance_from_fit(cohort, "tiny", former.probe) > 1e-6, "the test is blind"
    assert distance_from_fit(cohort, "tiny", fresh.probe) < 1e-9
    packed = ptacl("pack", cohort, "tiny", "--out", tmp_path / "tiny.ptacl")
    assert packed.exit_code == 2
    assert "withdrew since" in packed.err
    before = register.read_bytes()
    shutil.rmtree(cohort / "runs" / "tiny" / "readout")  # as a call leaves it that is killed there
    again = json.loads(ptacl("withdraw", cohort, listed, "--yes", "--json").out)
    assert (again["matched"], again["already_gone"], again["not_yet_seen"]) == (0, 1, 2)
    assert register.read_bytes() == before
    refitted = ReadOut.load(cohort / "runs" / "tiny" / "readout")
    assert np.array_equal(refitted.probe.coefficients, fresh.probe.coefficients)
    verified = ptacl("verify", cohort)
    assert verified.exit_code == 0, verified.out


def test_simulated_people_leave_in_every_spelling(ptacl, cohort, tmp_path):
    first, second, third, *_ = people_of(cohort, "test")
    listed = tmp_path / "list.txt"
    listed.write_text(f"'{first}'\n{second.lower()}\n{third}.xml\n")
    answer = ptacl("withdraw", cohort, listed, "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    assert json.loads(answer.out)["matched"] == 3
    assert not {first, second, third} & set(people_of(cohort, "test"))


def test_without_the_key_it_says_that_it_cannot_tell(ptacl, cohort, tmp_path, monkeypatch):
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "nowhere"))
    answer = ptacl("erase", cohort, TRAINED, "--yes")
    assert answer.exit_code == 2
    assert "cannot be told" in answer.err
    assert "not in this cohort" not in answer.err
    assert not register_file(CohortLayout(cohort)).exists()


def test_predict_refuses_a_file_of_a_withdrawn_person_and_tells_of_the_mark(
    ptacl, cohort, tmp_path
):
    sample = Path(__file__).resolve().parents[2] / "assets" / "samples" / "HR06000.hea"
    member = people_of(cohort, "train")[0]
    listed = tmp_path / "list.txt"
    listed.write_text(f"hr06000\n{member}\n")
    assert ptacl("withdraw", cohort, listed, "--yes").exit_code == 0
    answer = ptacl("predict", sample, "--cohort", cohort, "--json")
    assert answer.exit_code == 2
    assert "withdrew" in json.loads(answer.out)[0]["error"]
    assert "trained with people who withdrew" in answer.err


def test_lineage_is_right_whatever_happens_after_the_training(ptacl, cohort):
    layout = CohortLayout(cohort)
    assert lineage_file(layout).stat().st_mode & 0o777 == 0o600
    stages = {stage.stage for stage in read_stages(layout)}
    assert stages >= {"ecg", "cmr", "align", "readout"}
    simulated = ptacl("simulate", cohort, "--preset", "tiny", "--patients", 160)
    assert simulated.exit_code == 0, simulated.err
    key, existing = open_key(layout), list_run_stages(layout)
    for split, is_used in (("train", True), ("val", True), ("test", False)):
        people = people_of(cohort, split)[:1]
        trained = find_runs(layout, key=key, people=people, existing=existing).trained
        assert ("tiny" in trained) is is_used
    lineage_file(layout).unlink()
    people = people_of(cohort, "train")[:1]
    old = find_runs(layout, key=key, people=people, existing=existing)
    assert old.trained == ()
    assert "tiny" in old.unknown


def test_a_training_under_way_is_refused_or_stopped_and_told_why(cohort):
    layout = CohortLayout(cohort)
    lock = cohort / "runs" / "tiny" / "trainer.lock"
    with hold_lock(lock, purpose="training"):
        with pytest.raises(CohortLockedError, match=r"tiny \(process .*--stop-training"):
            settle_trainings(layout, {"tiny"}, may_stop=False, progress=SILENT)
        settle_trainings(layout, {"other"}, may_stop=False, progress=SILENT)
        lineage_file(layout).rename(cohort / "away")  # nobody knows who is in it
        with pytest.raises(CohortLockedError):
            settle_trainings(layout, set(), may_stop=False, progress=SILENT)
        (cohort / "away").rename(lineage_file(layout))
    (cohort / "runs" / "tiny" / STOP_FILE).write_text("withdrawn")
    with (
        ShardReader.open(cohort) as reader,
        pytest.raises(CheckpointError, match="people in it were withdrawn"),
    ):
        check_may_train(cohort, "tiny", reader, SILENT)


_TRAIN = (
    "import sys; sys.path.append(sys.argv.pop(1)); from ptacl_core.cli.main import main; main()"
)


def test_a_stopped_training_says_why_and_is_marked(ptacl, cohort):
    root = str(Path(__file__).resolve().parents[2])
    steps = "pretrain_ecg.optimisation.steps=100000"
    command = [sys.executable, "-P", "-c", _TRAIN, root, "train", str(cohort), "--preset", "tiny"]
    with subprocess.Popen(
        [*command, "--run", "second", "--stage", "ecg", "--set", steps],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as training:
        metrics = cohort / "runs" / "second" / "metrics.jsonl"
        while training.poll() is None and not metrics.exists():
            pass
        person = people_of(cohort, "train")[0]
        refused = ptacl("erase", cohort, person, "--yes")
        assert refused.exit_code == 2, refused.err
        assert "second (process" in refused.err
        answer = ptacl("erase", cohort, person, "--yes", "--stop-training", "--json")
        _, errors = training.communicate(timeout=120)
    assert answer.exit_code == 0, answer.err
    assert training.returncode == 2
    assert "were withdrawn while it ran" in errors
    document = json.loads(answer.out)
    assert set(document["runs_trained_with_these_people"]) >= {"second", "tiny"}
    assert read_marks(CohortLayout(cohort)).keys() >= {"second", "tiny"}
    going_on = ptacl(
        "train", cohort, "--preset", "tiny", "--run", "second", "--resume", "--set", steps
    )
    assert going_on.exit_code == 2
    assert "withdrawn" in going_on.err


def test_no_file_of_a_run_holds_a_row_of_a_training_patient(cohort):
    """Every row of numbers under runs/, also through the linear maps that lie beside it."""
    with Cohort.open(cohort) as opened:
        embeddings = [
            opened.embeddings("tiny", modality, space)
            for modality in ("ecg", "cmr")
            for space in ("pooled", "projected")
        ]
    for run in (cohort / "runs").iterdir():  # those of other tests are of the same kinds
        if run.name != "tiny":
            shutil.rmtree(run)
    matrices, maps = read_matrices(cohort / "runs")
    assert len(matrices) > 50
    assert not [
        path for kind in ("parquet", "npy", "npz") for path in cohort.glob(f"runs/**/*.{kind}")
    ]
    train = set(people_of(cohort, "train"))
    for stored in embeddings:
        rows = np.flatnonzero([patient in train for patient in stored.patients])
        points = stored.vectors[rows].astype(np.float64)
        assert least_gap(points, derive(matrices, maps, points.shape[1])) > 1e-3
        square = (points.shape[1],) * 2
        for whitening in [matrix for matrix in maps if matrix.shape == square]:
            planted = (points[:1] - points.mean(axis=0)) @ whitening
            maps_and_mean = [*maps, points.mean(axis=0)[None]]
            derived = derive([planted], maps_and_mean, points.shape[1])
            assert least_gap(points, derived) < 1e-5, "the test is blind"


def points_of(cohort: Path, run: str, people: set[str]) -> np.ndarray:
    """Pooled ECG embeddings of some people."""
    with Cohort.open(cohort) as opened:
        stored = opened.embeddings(run, "ecg", "pooled")
    return stored.vectors[[patient in people for patient in stored.patients]].astype(np.float64)


def gap_to_sums(cohort: Path, run: str, readout: ReadOut, points: np.ndarray) -> float:
    """How near the mean of all less the others comes to those who left, or to their mean."""
    rest = points_of(cohort, run, set(people_of(cohort, "train")))
    targets = np.concatenate([points, points.mean(axis=0)[None]])
    gaps = []
    for left in range(1, 2 * len(points) + 2):
        mean = ((len(rest) + left) * readout.detector.mean - rest.sum(axis=0)) / left
        gaps.append(np.linalg.norm((targets - mean) / rest.std(axis=0), axis=1).min())
    return float(min(gaps))


def distance_from_fit(cohort: Path, run: str, probe) -> float:
    """How far a probe is from solving the normal equations of those who are there.

    From one that solves them with one person more, that person follows: what is left over is
    their features times their residual.
    """
    with Cohort.open(cohort) as opened, ShardReader.open(cohort) as reader:
        stored = opened.embeddings(run, "ecg", "pooled")
        place = {key: at for at, key in enumerate(zip(stored.patients, stored.visits, strict=True))}
        rows = [
            row
            for row, split in enumerate(reader.splits)
            if split == "train" and (reader.patients[row], reader.visits[row]) in place
        ]
        at = [place[reader.patients[row], reader.visits[row]] for row in rows]
        features = np.c_[stored.vectors[at].astype(np.float64), np.ones(len(at))]
        labels = reader.phenotypes(np.asarray(rows))
    moment = features.T @ labels
    left = features.T @ (features @ np.r_[probe.coefficients, probe.intercept[None]]) - moment
    return float(np.linalg.norm(left) / np.linalg.norm(moment))
