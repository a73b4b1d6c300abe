"""Real files through `ptacl preprocess`: pairs, reasons, resuming, and no identifier left."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.erasure.byte_search import search_directories, text_needles
from ptacl_core.errors import RecordError
from ptacl_core.io import read_ecg
from ptacl_core.shards import ShardReader
from ptacl_core.stages.preprocess import run as preprocess
from ptacl_core.stages.preprocess.summary import PreprocessSummary

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "assets" / "samples"
CMR = ROOT / "tests" / "data" / "cmr"
ECG_NAMES = ("HR06000", "E07500", "JS20000")


@pytest.fixture(scope="module", autouse=True)
def keys(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTACL_KEYS", str(tmp_path_factory.mktemp("keys")))
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "hospital"
    folder.mkdir()
    for name in ECG_NAMES:
        for ending in (".hea", ".mat"):
            shutil.copy(SAMPLES / f"{name}{ending}", folder)
    cine = next(path for path in sorted(CMR.rglob("*.nii.gz")))
    shutil.copy(cine, folder / "HR06000_cine.nii.gz")
    (folder / "broken.xml").write_text("<RestingECG><Waveform>")
    (folder / "notes.txt").write_text("HR06000 was late for the appointment")
    with (folder / "pairs.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient", "visit", "ecg", "cmr"])
        writer.writerow(["HR06000", "2", "HR06000.hea", "HR06000_cine.nii.gz"])
        writer.writerow(["E07500", "2", "E07500.hea", ""])
        writer.writerow(["JS20000", "2", "broken.xml", ""])
    with (folder / "phenotypes.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["eid", "24100-2.0", "24101-2.0", "24102-2.0", "24103-2.0", "31-0.0"])
        writer.writerow(["HR06000", 150, 60, 90, 60, 0])
    return folder


@pytest.fixture(scope="module")
def paired(source, tmp_path_factory) -> tuple[Path, PreprocessSummary]:
    cohort = tmp_path_factory.mktemp("cohorts") / "paired"
    summary = preprocess.run(
        source,
        cohort,
        pairs=source / "pairs.csv",
        phenotypes=source / "phenotypes.csv",
        num_workers=1,
        preview=cohort.parent / "sheet.png",
    )
    return cohort, summary


def test_pairs_are_counted_and_the_broken_file_has_its_reason(paired):
    _, summary = paired
    assert summary.accepted == {"ecg": 2, "cmr": 1, "pairs": 1}
    assert summary.rejected == 1
    assert list(summary.reasons) == ["unreadable_file"]


def test_phenotypes_reach_the_pair_by_patient_and_visit(paired):
    cohort, _ = paired
    with ShardReader.open(cohort) as reader:
        rows = reader.rows(needs=("ecg", "cmr"))
        assert len(rows) == 1
        assert reader.column("lvef_pct", rows).tolist() == [60.0]
        assert reader.covariates(rows)[0, 0] == 0.0
        assert reader.visits[rows[0]] == 2
        assert reader.read_ecg(rows).shape == (1, 12, 5000)
        assert reader.read_cine(rows).shape == (1, 50, 84, 84)


def test_measurements_and_formats_are_stored_with_the_recording(paired):
    cohort, _ = paired
    with Cohort.open(cohort) as opened:
        recordings = {
            recording.modality: recording
            for row in opened.patients()
            for recording in opened.recordings(row["patient"])
            if row["has_cmr"]
        }
    assert recordings["ecg"].format == "wfdb"
    assert recordings["ecg"].qrs_ms == pytest.approx(92, abs=15)
    assert recordings["cmr"].format == "nifti"
    assert {len(recording.file_hash or "") for recording in recordings.values()} == {64}


def test_no_identifier_is_left_anywhere_in_the_cohort(paired):
    cohort, _ = paired
    for name in ECG_NAMES:
        search = search_directories([cohort], text_needles(name))
        assert (search.hits, search.unread) == ((), ()), name
    assert not (cohort / "identities.duckdb").exists()
    for row in pq.read_table(cohort / "shards" / "rejected.parquet").to_pylist():
        assert not any(name in json.dumps(row) for name in ECG_NAMES)


def test_a_second_call_does_nothing_again(paired, source):
    cohort, _ = paired
    before = sorted(path.name for path in (cohort / "shards").iterdir())
    summary = preprocess.run(
        source,
        cohort,
        pairs=source / "pairs.csv",
        phenotypes=source / "phenotypes.csv",
        num_workers=1,
    )
    assert summary.accepted == {"ecg": 0, "cmr": 0, "pairs": 0}
    assert sorted(path.name for path in (cohort / "shards").iterdir()) == before


def test_the_preview_shows_stored_cines_after_resuming_too(paired, source, tmp_path):
    cohort, _ = paired
    again = tmp_path / "again.png"
    preprocess.run(source, cohort, pairs=source / "pairs.csv", num_workers=1, preview=again)
    assert again.read_bytes() == (cohort.parent / "sheet.png").read_bytes()
    with Image.open(again) as sheet:
        assert np.asarray(sheet).std() > 20


KILLED = """
import os, signal, sys
from pathlib import Path
from ptacl_core.progress import SilentProgress
from ptacl_core.stages.preprocess import run as preprocess

class Dies(SilentProgress):
    left = 2
    def advance(self, *arguments, **options):
        if arguments[0] == "preprocess":
            Dies.left -= 1
            if not Dies.left:
                os.kill(os.getpid(), signal.SIGKILL)

preprocess.ROWS_PER_SHARD = 1
preprocess.run(Path(sys.argv[1]), Path(sys.argv[2]), num_workers=1, progress=Dies())
"""


def test_a_killed_job_goes_on_where_it_was(source, tmp_path):
    cohort = tmp_path / "cohort"
    killed = subprocess.run([sys.executable, "-P", "-c", KILLED, source, cohort], check=False)
    assert killed.returncode == -signal.SIGKILL
    written = {path: path.stat().st_mtime_ns for path in (cohort / "shards").glob("*/ecg.npy")}
    assert len(written) == 2
    summary = preprocess.run(source, cohort, num_workers=1)
    assert summary.accepted["ecg"] == len(ECG_NAMES) - 2
    with ShardReader.open(cohort) as reader:
        assert reader.num_rows == len(set(zip(reader.patients, reader.visits, strict=True)))
        assert len(reader.rows(needs=("ecg",))) == len(ECG_NAMES)
        assert len(reader.rows(needs=("cmr",))) == 1
        assert np.isfinite(reader.read_ecg(reader.rows(needs=("ecg",))).astype(float)).all()
    assert {path: path.stat().st_mtime_ns for path in written} == written


def test_a_person_overrides_the_heart_centre(source, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        "patient,ecg,cmr,centre_row,centre_column\nA,,HR06000_cine.nii.gz,40.5,50\n"
        "B,HR06000.hea,,,\n"
    )
    cohort = tmp_path / "cohort"
    summary = preprocess.run(source, cohort, pairs=pairs, num_workers=1)
    assert summary.accepted == {"ecg": 1, "cmr": 1, "pairs": 0}
    with ShardReader.open(cohort) as reader:
        rows = reader.rows(needs=("cmr",))
        assert reader.column("centre_row_px", rows).tolist() == [40.5]
        assert reader.column("centre_column_px", rows).tolist() == [50.0]


@pytest.mark.parametrize(
    ("centre", "said"), [("40,", "centre_row and centre_column"), ("a,b", "'a' and 'b'")]
)
def test_a_centre_that_is_no_point_is_refused(source, tmp_path, centre, said):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"patient,ecg,cmr,centre_row,centre_column\nA,,HR06000_cine.nii.gz,{centre}\n")
    with pytest.raises(RecordError, match=said):
        preprocess.run(source, tmp_path / "cohort", pairs=pairs, num_workers=1)


def test_options_say_what_a_folder_of_nameless_arrays_lacks(ptacl, tmp_path):
    record = read_ecg(SAMPLES / "HR06000.hea")
    folder = tmp_path / "arrays"
    folder.mkdir()
    np.save(folder / "A.npy", record.signal_mv * 1000)
    unsaid = ptacl("preprocess", folder, "--cohort", tmp_path / "c")
    assert unsaid.exit_code == 2
    assert unsaid.err.startswith("note: the cohort comes first now: `ptacl preprocess COHORT")
    options = ("--unit", "uV", "--sampling-rate-hz", 500, "--leads", ",".join(record.lead_names))
    answer = ptacl("preprocess", folder, "--cohort", tmp_path / "c", *options, "--json")
    assert answer.exit_code == 0, answer.err
    assert json.loads(answer.out)["accepted"]["ecg"] == 1


def test_pairs_need_a_folder(source, tmp_path):
    with pytest.raises(RecordError, match="unpack the archive"):
        preprocess.run(source / "notes.txt", tmp_path / "c", pairs=source / "pairs.csv")


def test_a_folder_is_walked_and_array_jobs_share_it(source, tmp_path):
    cohort = tmp_path / "walked"
    summaries = [
        preprocess.run(source, cohort, num_workers=1, part=(index, 2)) for index in range(2)
    ]
    assert sum(summary.accepted["ecg"] for summary in summaries) == len(ECG_NAMES)
    assert sum(summary.accepted["cmr"] for summary in summaries) == 1
    with ShardReader.open(cohort) as reader:
        assert reader.num_rows == len(set(zip(reader.patients, reader.visits, strict=True)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_one_line_and_the_same_command_goes_on(source, tmp_path, number):
    command = [Path(sys.executable).with_name("ptacl"), "preprocess", tmp_path / "c", source]
    command += ["--workers", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as job:
        assert job.stdout is not None and job.stderr is not None
        assert job.stderr.readline().startswith("look for files")
        while not list((tmp_path / "c" / "shards").glob("*")):  # the work has begun
            time.sleep(0.02)
        os.killpg(job.pid, number)
        assert job.stdout.read() == ""
        assert job.stderr.read().split("\n")[-2:] == [
            "interrupted; the same command goes on from what is finished",
            "",
        ]
    assert job.returncode == 130
    if number == signal.SIGINT:
        subprocess.run(command, capture_output=True, text=True, check=True)
        with ShardReader.open(tmp_path / "c") as reader:
            assert len(reader.rows(needs=("ecg",))) == 3
            assert len(reader.rows(needs=("cmr",))) == 1


def test_array_jobs_that_start_together_share_a_new_cohort(source, tmp_path):
    cohort = tmp_path / "together"
    command = [Path(sys.executable).with_name("ptacl"), "preprocess", source]
    command += ["--cohort", cohort, "--workers", "1", "--json"]
    jobs = [
        subprocess.Popen(
            [*command, "--shard", f"{number}/2"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    answers = [json.loads(job.communicate()[0]) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert sum(answer["accepted"]["ecg"] for answer in answers) == len(ECG_NAMES)
    with ShardReader.open(cohort) as reader:
        assert reader.num_rows == len(set(zip(reader.patients, reader.visits, strict=True)))


@pytest.mark.parametrize("text", ["0/2", "3/2", "a/b", "1", "1/0"])
def test_a_wrong_share_is_refused(text):
    with pytest.raises(Exception, match="expected i/n"):
        preprocess.parse_part(text)


def test_a_source_without_recordings_says_what_was_there(tmp_path):
    (tmp_path / "poem.txt").write_text("roses are red")
    with pytest.raises(Exception, match="holds no ECG and no CMR"):
        preprocess.run(tmp_path, tmp_path.parent / "none", num_workers=1)


def test_a_source_without_recordings_and_a_table_of_nobody_are_refused(tmp_path):
    (tmp_path / "source").mkdir()
    (table := tmp_path / "table.csv").write_text("eid,LVEF\n")
    with pytest.raises(Exception, match="holds no ECG and no CMR"):
        preprocess.run(tmp_path / "source", tmp_path / "c", phenotypes=table, num_workers=1)
    assert not (tmp_path / "c").exists()
