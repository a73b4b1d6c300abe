"""`ptacl doctor` as a user types it: the environment, files of each kind, wrong files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "assets" / "samples"
CMR = ROOT / "tests" / "data" / "cmr"


def report_on(ptacl, *arguments) -> dict:
    answer = ptacl("doctor", *arguments, "--json")
    assert answer.exit_code == 0, answer.err
    return json.loads(answer.out)


def test_the_environment_is_described(ptacl, tmp_path, monkeypatch):
    keys = tmp_path / "keys"
    keys.mkdir()
    keys.chmod(0o700)
    monkeypatch.setenv("PTACL_KEYS", str(keys))
    report = report_on(ptacl)
    assert report["kind"] == "environment"
    assert report["packages"]["numpy"] == np.__version__
    assert report["compute"]["cores"] >= 1
    assert report["folders"]["keys"]["mode"] == "0700"
    assert report["dicom_decoders"]["RLE"]
    assert not [problem for problem in report["problems"] if "keys" in problem]


def test_open_keys_are_a_problem_with_its_remedy(ptacl, tmp_path, monkeypatch):
    keys = tmp_path / "keys"
    keys.mkdir()
    keys.chmod(0o755)
    monkeypatch.setenv("PTACL_KEYS", str(keys))
    answer = ptacl("doctor")
    assert answer.exit_code == 0
    assert "mode 0755" in answer.out
    assert "chmod 700" in answer.out


def test_keys_that_are_not_there_yet_are_no_problem(ptacl, tmp_path, monkeypatch):
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "none" / "yet"))
    report = report_on(ptacl)
    assert report["folders"]["keys"]["exists"] is False
    assert not [problem for problem in report["problems"] if "keys" in problem]


@pytest.mark.parametrize("given", ["HR06000", "HR06000.hea", "HR06000.mat"])
def test_an_ecg_by_any_of_its_names(ptacl, given):
    report = report_on(ptacl, SAMPLES / given)
    assert (report["kind"], report["format"]) == ("ecg", "wfdb")
    assert (report["samples"], report["sampling_rate_hz"]) == (5000, 500)
    assert report["leads"][:3] == ["I", "II", "III"]
    assert report["accepted"]
    assert len(report["r_peaks_s"]) == 12
    assert report["heart_rate_bpm"] == pytest.approx(69, abs=1)
    assert report["measurements"]["qrs_ms"] == pytest.approx(92, abs=15)
    assert "HR06000" not in json.dumps(report)


def test_an_ecg_in_words(ptacl):
    answer = ptacl("doctor", SAMPLES / "JS20004.hea")
    assert answer.exit_code == 0
    assert "12 leads × 5000 samples at 500 Hz: 10.00 s" in answer.out
    assert "[V2, V4, V6]" in answer.out
    assert "verdict: accepted" in answer.out
    assert "Research use only" in answer.out
    assert "JS20004" not in answer.out


def test_a_rejected_ecg_has_no_figures(ptacl, tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.3, (12, 5000)).astype(np.float32)
    np.save(tmp_path / "noise.npy", noise)
    hints = ["--unit", "mV", "--sampling-rate-hz", "500"]
    leads = "I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"
    report = report_on(ptacl, tmp_path / "noise.npy", *hints, "--leads", leads)
    assert report["accepted"] is False
    assert report["heart_rate_bpm"] is None
    assert report["r_peaks_s"] == []
    assert report["measurements"] == {}
    answer = ptacl("doctor", tmp_path / "noise.npy", *hints, "--leads", leads)
    assert "verdict: left out (" in answer.out
    assert "measured: nothing" in answer.out


def test_a_cine_zip(ptacl):
    report = report_on(ptacl, CMR / "SCD0000301_sax_midslice.zip")
    assert (report["kind"], report["slices"], report["frames"]) == ("cmr", 1, 20)
    assert (report["height_px"], report["width_px"]) == (256, 256)
    assert report["spacing_mm"][1:] == pytest.approx([1.289, 1.289], abs=1e-3)
    assert len(report["frame_times_ms"]) == 20
    assert report["accepted"]
    assert "SCD0000301" not in json.dumps(report)


def test_a_cine_in_words(ptacl):
    answer = ptacl("doctor", CMR / "SCD0000201_sax_midslice_10frames.nii.gz")
    assert answer.exit_code == 0
    assert "1 slices × 10 frames × 160 × 160 pixels" in answer.out
    assert "heart centre at row" in answer.out


def test_a_nameless_cine_array_asks_and_then_answers(ptacl, tmp_path):
    frames = np.random.default_rng(0).random((4, 40, 40)).astype(np.float32)
    np.save(tmp_path / "cine.npy", frames)
    asked = ptacl("doctor", tmp_path / "cine.npy")
    assert asked.exit_code == 2
    assert "--axes" in asked.err
    report = report_on(ptacl, tmp_path / "cine.npy", "--axes", "TYX", "--spacing-mm", "1.8,1.8")
    assert (report["frames"], report["height_px"]) == (4, 40)
    wrong = ptacl("doctor", tmp_path / "cine.npy", "--axes", "TYX", "--spacing-mm", "wide")
    assert wrong.exit_code == 2
    assert "'wide'" in wrong.err


def test_a_phenotype_table(ptacl, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text(
        "eid,24100-2.0,24101-2.0,24102-2.0,24103-2.0,hair\n1,150,60,90,60,a\n2,140,50,20,64,b\n"
    )
    report = report_on(ptacl, table)
    assert (report["kind"], report["rows"], report["visits"]) == ("phenotypes", 2, ["2"])
    assert report["columns"][1] == {
        "column": "24100-2.0",
        "means": "lvedv_ml",
        "visit": "2",
        "factor": 1.0,
    }
    assert report["columns_not_used"] == 1
    assert report["phenotypes"]["lvedv_ml"] == {"values": 2, "median": 145.0}
    assert report["findings"]
    answer = ptacl("doctor", table)
    assert "24100-2.0 → lvedv_ml at visit 2" in answer.out


def test_a_folder_and_a_list_of_pairs(ptacl, tmp_path):
    folder = tmp_path / "hospital"
    folder.mkdir()
    for name in ("HR06000.hea", "HR06000.mat", "E07500.hea", "E07500.mat"):
        shutil.copy(SAMPLES / name, folder)
    shutil.copy(CMR / "SCD0000301_sax_midslice.zip", folder / "HR06000.zip")
    (folder / "HR06000_broken.xml").write_text("<RestingECG><Waveform")
    (folder / "pairs.csv").write_text("patient,ecg,cmr\nHR06000,HR06000.hea,gone.nii\n")
    report = report_on(ptacl, folder)
    assert report["kind"] == "source"
    assert (report["patients"], report["pairs"], report["pairs_files"]) == (2, 1, 1)
    assert report["nobody"] == 1  # HR06000_broken: neither its name nor its content says whose
    assert (report["ecg"], report["cmr"]) == ({"wfdb": 2, "muse_xml": 1}, {"dicom_zip": 1})
    pairs = report_on(ptacl, folder / "pairs.csv")
    assert (pairs["rows"], pairs["files"], pairs["files_missing"]) == (1, 2, 1)
    answer = ptacl("doctor", folder)
    assert "3 ECG and 1 CMR of 2 patients" in answer.out
    assert "HR06000" not in answer.out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("1000017_20205_2_0.xml", b"<RestingECG><Waveform>", "…"),
        ("1000017_20208_2_0.zip", b"PK\x03\x04", "long-axis"),
        ("poem.txt", b"roses are red", "a text file that is neither"),
        ("manifest.csv", b"a,b", "part of another recording"),
        ("empty.edf", b"", "the file is empty (0 bytes)"),
        ("report.pdf", b"%PDF-1.7 of a patient", "PDF"),
    ],
)
def test_a_wrong_file_gets_one_line(ptacl, tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    answer = ptacl("doctor", tmp_path / name)
    assert answer.exit_code == 2
    assert answer.out == ""
    assert said in answer.err
    assert answer.err.count("\n") == 1
    assert "1000017" not in answer.err


def test_a_path_that_is_not_there(ptacl, tmp_path):
    answer = ptacl("doctor", tmp_path / "nothing.hea")
    assert answer.exit_code == 2
    assert "no such file" in answer.err
