"""erase, verify and selftest as a user types them, on a cohort that went through everything."""

import json
import os
import pty
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.erasure.app_state import get_session_path, get_state_dir
from ptacl_core.cohort.erasure.byte_search import binary_needle, search_directories, text_needles
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.errors import RecordError
from ptacl_core.ingest import new_files
from ptacl_core.progress import SILENT
from ptacl_core.shards import ShardReader
from ptacl_core.stages.preprocess import run as preprocess

PERSON = "S000007"
SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
pytestmark = pytest.mark.xdist_group("trained")


@pytest.fixture(autouse=True)
def outside(trained_cohort, tmp_path, monkeypatch):
    """Keys and the app's memory of this test alone."""
    shutil.copytree(os.environ["PTACL_KEYS"], tmp_path / "keys")  # of the cohort that was trained
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def cohort(trained_cohort, tmp_path):
    return Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))


def plant(cohort: Path) -> list[Path]:
    """The person in notes, exports and in what the app remembers; returns the latter's files."""
    with Cohort.open(cohort) as opened:
        opened.notes.add_note(PERSON, "a note")
        opened.notes.add_tag(PERSON, "look")
        opened.save_cohort("some", [("some", f"patient IN ('{PERSON}', 'S000001')")])
        opened.export("SELECT patient FROM overview", name="everybody", file_format="parquet")
        opened.export("SELECT patient, sex FROM overview", name="everybody")
        opened.sql(f"SELECT * FROM overview WHERE patient = '{PERSON}'")
        opened.build_index("tiny", "cmr")
    state = get_state_dir()
    state.mkdir(parents=True)
    files = [get_session_path(state, cohort), state / "clipboard.txt"]
    files[0].write_text(json.dumps({"patient": PERSON, "visit": 2}))
    files[1].write_text(f"{PERSON}\tlvef 55")
    (state / "session-of-another-cohort.json").write_text(json.dumps({"patient": PERSON}))
    return files


def find_needles(cohort: Path) -> list:
    """Their name, a piece of every embedding and a piece of both arrays."""
    needles = list(text_needles(PERSON))
    with Cohort.open(cohort) as opened:
        for modality in ("ecg", "cmr"):
            for space in ("projected", "pooled"):
                stored = opened.embeddings("tiny", modality, space)
                vector = stored.vectors[stored.patients.index(PERSON)]
                needles.append(binary_needle(vector.tobytes()[:32]))
    with ShardReader.open(cohort) as reader:
        row = np.array([reader.patients.index(PERSON)])
        needles.append(binary_needle(reader.read_ecg(row)[0, 3, 1000:1032].tobytes()))
        needles.append(binary_needle(reader.read_cine_bytes(row)[0, 20, 42].tobytes()))
    return needles


def test_erase_leaves_no_byte_in_the_whole_directory_nor_in_the_apps_memory(
    ptacl, cohort, tmp_path
):
    remembered = plant(cohort)
    needles = find_needles(cohort)
    before = search_directories([cohort, *remembered], needles)
    places = {hit.path.name for hit in before.hits}
    assert places >= {
        "cohort.duckdb",
        "notes.duckdb",
        "ecg.npy",
        "cine.npy",
        "manifest.parquet",
        "everybody.csv",
        "everybody.parquet",
        "clipboard.txt",
    }, "the search is blind"
    answer = ptacl("erase", cohort, PERSON, "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    document = json.loads(answer.out)
    assert document["is_complete"]
    assert document["people"] == 1
    assert document["removed_shard_rows"] == 2
    assert document["removed_rows"]["predictions"] == 10
    assert document["runs_trained_with_these_people"] in ([], ["tiny"])
    assert document["runs_that_may_hold_them"] == []
    assert document["matched"] == 1
    assert document["traces"] == []
    assert document["processes_that_hold_an_older_version"] == []
    after = search_directories([cohort, *remembered], needles)
    assert (after.hits, after.unread) == ((), ())
    assert not any(path.exists() for path in remembered)
    assert (get_state_dir() / "session-of-another-cohort.json").exists()
    certificate = Path(document["certificate"])
    assert PERSON not in certificate.read_text()
    assert PERSON not in answer.out + answer.err
    with ShardReader.open(cohort) as reader, Cohort.open(cohort) as opened:
        assert PERSON not in reader.patients
        assert opened.count() == len(reader.patients)
        assert opened.neighbours("S000001", k=200)
    assert ptacl("verify", cohort).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in cohort.rglob("*") if path.is_file()}
    again = ptacl("erase", cohort, PERSON, "--yes", "--json")
    assert again.exit_code == 0, again.err
    counts = {name: json.loads(again.out)[name] for name in ("matched", "already_gone", "people")}
    assert counts == {"matched": 0, "already_gone": 1, "people": 0}
    assert PERSON not in again.out + again.err
    after = {path: path.stat().st_mtime_ns for path in cohort.rglob("*") if path.is_file()}
    assert {path for path in after if before.get(path) != after[path]} <= set(
        cohort.glob(".*.lock")
    )
    simulated = ptacl("simulate", cohort, "--preset", "tiny", "--patients", 160)
    assert simulated.exit_code == 0, simulated.err
    with Cohort.open(cohort) as opened:
        assert opened.count(f"patient = '{PERSON}'") == 0


def test_erase_asks_first_and_needs_a_terminal_or_yes(ptacl, cohort):
    refused = subprocess.run(
        [sys.executable, "-P", "-c", _RUN, "erase", cohort, PERSON],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _RUN, "erase", cohort, PERSON],
        stdin=child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asked:
        os.write(parent, b"n\n")
        _, errors = asked.communicate(timeout=120)
    os.close(parent)
    os.close(child)
    assert asked.returncode == 2
    assert "nothing was changed" in errors
    with Cohort.open(cohort) as opened:
        assert opened.count(f"patient = '{PERSON}'") == 1


_RUN = (
    f"import sys; sys.path.append({str(SAMPLES.parents[1])!r}); "
    "from ptacl_core.cli.main import main; main()"
)


def test_an_erased_person_comes_back_by_no_way_of_importing(ptacl, tmp_path):
    source = tmp_path / "hospital"
    source.mkdir()
    for name in ("HR06000", "E07500"):
        for ending in (".hea", ".mat"):
            shutil.copy(SAMPLES / f"{name}{ending}", source)
    (source / "HR06000_report.txt").write_text("of no use")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("patient,visit,ecg,cmr\nHR06000,2,HR06000.hea,\n")
    phenotypes = tmp_path / "phenotypes.csv"
    phenotypes.write_text("eid,24103-2.0\nHR06000,60\nE07500,55\n")
    archive = tmp_path / "hospital.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in source.iterdir():
            packed.write(path, path.name)
    cohort = tmp_path / "cohort"
    imported = ptacl("preprocess", source, "--cohort", cohort, "--workers", 1, "--identities")
    assert imported.exit_code == 0, imported.err
    assert not any("HR06000" in text for text in (imported.out, imported.err))
    identities = cohort / "identities.duckdb"
    assert identities.stat().st_mode & 0o777 == 0o600
    paths = {hit.path for hit in search_directories([cohort], text_needles("HR06000")).hits}
    assert paths == {identities}
    erased = ptacl("erase", cohort, "HR06000", "--yes", "--json")
    assert erased.exit_code == 0, erased.err
    assert json.loads(erased.out)["removed_shard_rows"] == 1
    ways = {
        "folder": lambda: preprocess.run(source, cohort, num_workers=1),
        "archive": lambda: preprocess.run(archive, cohort, num_workers=1),
        "pairs": lambda: preprocess.run(source, cohort, pairs=pairs, num_workers=1),
        "tables": lambda: preprocess.run(source, cohort, phenotypes=phenotypes, num_workers=1),
        "array job": lambda: [
            preprocess.run(source, cohort, num_workers=1, part=(part, 2)) for part in range(2)
        ],
    }
    for way, bring in ways.items():
        bring()
        with ShardReader.open(cohort) as reader, Cohort.open(cohort) as opened:
            assert len(set(reader.patients)) == 1, way
            assert len({row["patient"] for row in opened.patients()}) == 1, way
        rejected = pq.read_table(cohort / "shards" / "rejected.parquet")
        assert len(set(rejected.column("patient").to_pylist()) - {""}) <= 1, way
    with pytest.raises(RecordError, match="1 people who withdrew"):
        new_files.add_files(cohort, [source / "HR06000.hea"], PreprocessSettings(), progress=SILENT)
    assert search_directories([cohort], text_needles("HR06000")).hits == ()


def test_verify_names_every_damage_and_repairs_what_is_derived(ptacl, cohort):
    whole = ptacl("verify", cohort, "--json")
    assert whole.exit_code == 0, whole.out
    assert json.loads(whole.out)["is_whole"]
    weights = cohort / "runs" / "tiny" / "checkpoints" / "align" / "final" / "weights.safetensors"
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    array = cohort / "shards" / "part-00000" / "ecg.npy"
    array_kept = array.read_bytes()
    array.write_bytes(array_kept[:-7])
    readout = cohort / "runs" / "tiny" / "readout"
    tensors = next(readout.glob("*.safetensors"))
    tensors_kept = tensors.read_bytes()
    tensors.write_bytes(tensors_kept[:-1])
    answer = ptacl("verify", cohort)
    assert answer.exit_code == 2
    assert "readout [runs/tiny/readout]" in answer.out
    assert "checkpoint [runs/tiny/checkpoints/align/final]" in answer.out
    assert "shard [shards/part-00000/ecg.npy]" in answer.out
    assert ptacl("verify", cohort, "--repair").exit_code == 2  # neither is derived
    weights.write_bytes(kept)
    tensors.write_bytes(tensors_kept)
    array.write_bytes(array_kept)
    (cohort / "shards" / "manifest.parquet").unlink()
    (cohort / "manifest.json").write_text("{}")
    (cohort / "shards" / "part-00009").mkdir(mode=0o700)
    repaired = ptacl("verify", cohort, "--repair", "--json")
    assert repaired.exit_code == 0, repaired.out
    codes = {defect["code"] for defect in json.loads(repaired.out)["repaired"]}
    assert codes >= {"manifest", "shard_manifest", "shard_cut_off"}
    assert ptacl("verify", cohort).exit_code == 0
    nowhere = ptacl("verify", cohort / "runs")
    assert nowhere.exit_code == 2
    assert nowhere.err.count("\n") == 1


def test_selftest_prints_the_counts_of_every_goal(ptacl, monkeypatch):
    from ptacl_core.cohort.health import self_test

    run = self_test.run_self_test
    monkeypatch.setattr(
        self_test, "run_self_test", lambda progress: run(progress, only={"R12", "R36"})
    )
    answer = ptacl("selftest", "--json")
    assert answer.exit_code == 0, answer.err
    checks = json.loads(answer.out)["checks"]
    assert [goal["goal"] for goal in checks] == ["R12", "R36"]
    assert all(goal["num_passed"] == goal["num_tried"] > 0 for goal in checks)
    table = ptacl("selftest")
    assert "6/6    held     R12" in table.out
    assert table.out.endswith("2 of 2 goals held\n")
