"""The same numbers by every door, in a folder with the model's file and one ECG."""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import ptacl_core
from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.passing_cohort import open_files
from ptacl_core.cohort import Cohort
from ptacl_core.errors import ConfigError
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import prepare_ecg
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES
from ptacl_core.stages.export import run as stage

pytestmark = pytest.mark.xdist_group("travelling")
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "assets" / "samples"
EXAMPLE = ROOT / "ptacl_core" / "presets" / "models" / "example.ptacl"
WIDTHS = 1e-4
"""Largest difference between two doors, in widths of the phenotype's interval."""
KEPT_WIDTHS = 1e-3
"""The same of the app, whose passing cohort keeps prepared ECGs in half precision."""
EMBEDDING = 1e-5


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Another machine's folder: the packed model, one ECG, and the two exported programs."""
    place = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(EXAMPLE, place / "heart.ptacl")
    for suffix in (".hea", ".mat"):
        shutil.copy(SAMPLES / f"HR06000{suffix}", place)
    for name in ("heart.onnx", "heart.pt2"):
        stage.run(place / "heart.ptacl", place / name)
    return place


@pytest.fixture(scope="module")
def session(folder):
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(folder / "heart.onnx", providers=["CPUExecutionProvider"])


def list_real_ecgs(folder: Path) -> list[Path]:
    """Ten-second recordings of the samples and of the tests' data, unpacked."""
    for path in (ROOT / "tests" / "data" / "ecg").glob("*.gz"):
        (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    files = [*SAMPLES.iterdir(), *folder.iterdir()]
    return sorted(path for path in files if path.suffix in {".hea", ".xml", ".dcm", ".edf", ".scp"})


def prepare(path: Path) -> np.ndarray:
    """Millivolts at 500 Hz as the graph takes them: leads that are off are zeros."""
    prepared = prepare_ecg(read_ecg(path))
    assert prepared.unfiltered_mv is not None
    signal = np.array(prepared.unfiltered_mv, np.float32)
    off = [
        lead
        for finding in prepared.findings
        if finding.code == "lead_off"
        for lead in finding.leads
    ]
    signal[[LEAD_NAMES.index(lead) for lead in off]] = 0.0
    return signal


def test_predict_app_python_torch_and_onnx_give_the_same_numbers(ptacl, folder, session, capsys):
    model, ecg = folder / "heart.ptacl", folder / "HR06000.hea"
    answer = ptacl("predict", ecg, "--model", model, "--json")
    assert answer.exit_code == 0, answer.err
    predicted_there = json.loads(answer.out)[0]["phenotypes"]
    doors = {"predict": [[predicted_there[name][end] for end in ("value", "low", "high")]
                         for name in PHENOTYPE_NAMES]}  # fmt: skip
    python = ptacl_core.load_model(model).predict(ecg)[0].phenotypes
    doors["Python"] = [
        [python[name].value, python[name].low, python[name].high] for name in PHENOTYPE_NAMES
    ]
    with open_files(model, [ecg]) as cohort:
        with Cohort.open(cohort) as store:
            patient = store.patients()[0]["patient"]
        reader = CohortReader.open(cohort)
        shown = {
            phenotype.name: phenotype.predicted
            for phenotype in reader.load_patient(patient).phenotypes
        }
        reader.close()
        assert (cohort.parent.stat().st_mode & 0o077) == 0
    assert not cohort.parent.exists()
    doors["app"] = []
    for name in PHENOTYPE_NAMES:
        prediction = shown[name]
        assert prediction is not None
        doors["app"].append([prediction.value, prediction.low, prediction.high])
    signal = prepare(ecg)
    program = torch.export.load(folder / "heart.pt2").module()
    made = [part.numpy() for part in program(torch.from_numpy(signal))]
    doors["torch.export"] = np.stack(made[1:4], axis=1).tolist()
    runtime = session.run(None, {"signal_mv": signal})
    doors["ONNX"] = np.stack(runtime[1:4], axis=1).tolist()
    ours = np.asarray(doors["predict"])
    width = (ours[:, 2] - ours[:, 1])[:, None]
    gaps = {
        name: float((np.abs(np.asarray(theirs) - ours) / width).max())
        for name, theirs in doors.items()
    }
    embedding = ptacl_core.load_model(model).embed(ecg)
    for vector in (made[0], runtime[0]):
        np.testing.assert_allclose(vector, embedding, atol=EMBEDDING)
    with capsys.disabled():
        sys.stdout.write(
            "\nlargest difference from `ptacl predict`, in widths of the interval: "
            + ", ".join(f"{name} {gap:.1e}" for name, gap in gaps.items()) + "\n"
        )  # fmt: skip
    assert gaps.pop("app") < KEPT_WIDTHS
    assert max(gaps.values()) < WIDTHS


def test_onnx_agrees_on_every_real_recording(folder, session, tmp_path, capsys):
    model = ptacl_core.load_model(folder / "heart.ptacl")
    worst = {"embedding": 0.0, "values and bounds": 0.0, "outlier score": 0.0}
    files = list_real_ecgs(tmp_path)
    for path in files:
        document = model.predict(path)[0]
        assert document.out_of_distribution is not None, path.name
        made = session.run(None, {"signal_mv": prepare(path)})
        expected = np.array([[p.value, p.low, p.high] for p in document.phenotypes.values()])
        width = (expected[:, 2] - expected[:, 1])[:, None]
        gaps = {
            "embedding": np.abs(made[0] - model.embed(path)).max(),
            "values and bounds": (np.abs(np.stack(made[1:4], 1) - expected) / width).max(),
            "outlier score": abs(float(made[4][0]) - document.out_of_distribution.score),
        }
        worst = {name: max(gap, float(gaps[name])) for name, gap in worst.items()}
    with capsys.disabled():
        sys.stdout.write(f"\nONNX on {len(files)} recordings: " + ", ".join(
            f"{name} {gap:.1e}" for name, gap in worst.items()) + "\n")  # fmt: skip
    assert len(files) >= 15
    assert worst["embedding"] < EMBEDDING
    assert max(worst.values()) < WIDTHS
    flat = session.run(None, {"signal_mv": np.zeros((12, 5000), np.float32)})
    assert all(np.isnan(part).all() for part in flat), "a number without a beat"


def test_the_example_needs_nothing_of_ours(folder, session):
    script = ROOT / "docs" / "examples" / "onnx_ecg.py"
    imported = {line.split()[1] for line in script.read_text().splitlines() if "import " in line}
    assert imported <= {"sys", "pathlib", "numpy", "onnxruntime"}
    finished = subprocess.run(
        [sys.executable, script, folder / "heart.onnx", folder / "HR06000.mat"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    predicted = ptacl_core.load_model(folder / "heart.ptacl").predict(folder / "HR06000.hea")[0]
    lines = finished.stdout.splitlines()
    assert lines[0].startswith("Research use only")
    assert [line.split()[0] for line in lines[1:11]] == list(PHENOTYPE_NAMES)
    for line, phenotype in zip(lines[1:11], predicted.phenotypes.values(), strict=True):
        assert f"{phenotype.value:.2f} [{phenotype.low:.2f}, {phenotype.high:.2f}]" in line


def test_another_ending_and_missing_packages_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"ends in \.onnx or \.pt2"):
        stage.run(EXAMPLE, tmp_path / "model.h5")
    monkeypatch.setattr(stage, "_ONNX_PACKAGES", ("onnx_that_is_not_there",))
    with pytest.raises(ConfigError, match=r"install ptacl\[export\], or write model\.pt2"):
        stage.run(EXAMPLE, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
