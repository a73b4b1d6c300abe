"""The check of an installation, whole, and a run that goes on with another copy of its cohort."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = 600


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory) -> dict[str, str]:
    """No home, keys of their own."""
    kept = {name: value for name, value in os.environ.items() if name != "HOME"}
    keys = str(tmp_path_factory.mktemp("keys"))
    return {**kept, "PTACL_KEYS": keys, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def ptacl(surroundings: dict[str, str], *words: object) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "ptacl_core", *map(str, words), "--json"],
        env=surroundings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def demo(surroundings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("quick") / "demo"
    document = ptacl(surroundings, "demo", folder, "--quick")
    assert document["embeddings"] == {"ecg": 160, "cmr": 160}
    assert len(document["predictions"]) >= 7
    assert all(
        "low" in prediction["phenotypes"]["lvef_pct"] for prediction in document["predictions"]
    )
    return folder


def test_the_quick_demo_goes_on_from_what_is_finished(demo, surroundings):
    weights = sorted(demo.glob("runs/quick/**/*.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    assert before
    ptacl(surroundings, "demo", demo, "--quick")
    assert [path.stat().st_mtime_ns for path in weights] == before


def test_a_run_that_was_stopped_goes_on_with_another_copy_of_its_cohort(
    demo, surroundings, tmp_path
):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for place in (here, elsewhere):
        shutil.copytree(demo, place, ignore=shutil.ignore_patterns("runs"))
    words = [
        "--preset", "tiny", "--stage", "ecg", "--run", "cut", "--resume", "--set",
        f"pretrain_ecg.optimisation.steps={STEPS}",
    ]  # fmt: skip
    command = [sys.executable, "-m", "ptacl_core", "train", str(here), *words]
    log = here / "runs" / "cut" / "metrics.jsonl"
    with subprocess.Popen(command, env=surroundings, stderr=subprocess.PIPE) as running:
        assert running.stderr is not None
        while not log.exists() or not log.read_text():
            assert running.poll() is None, running.stderr.read()[-2000:]
            time.sleep(0.02)
        running.send_signal(signal.SIGTERM)
        running.communicate()
    assert running.returncode == 0  # a machine that is taken back is nobody's fault
    stopped = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert max(stopped) < STEPS
    shutil.copytree(here / "runs", elsewhere / "runs")
    shutil.rmtree(here)
    document = ptacl(surroundings, "train", elsewhere, *words)
    assert document["steps"] == STEPS
    lines = (elsewhere / "runs" / "cut" / "metrics.jsonl").read_text().splitlines()
    steps = [row["step"] for row in map(json.loads, lines) if "loss" in row]
    assert steps == list(range(1, STEPS + 1))  # each step once, none again
