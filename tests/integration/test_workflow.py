"""The Snakemake workflow on a small platform tree: killed on the way, resumed, and as one call."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.stages.preprocess import run as preprocess
from tests.pipeline.platform_tree import build_platform, find_differences

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "scripts" / "deploy" / "workflow"
NUM_PEOPLE = 130
KEY = "00" * 32  # decides who is in which split: always the same
SETTINGS = {
    "parts": 3, "embed_parts": 2, "workers": 1, "train_threads": 1, "preset": "tiny",
    "resamples": 100, "accept_membership": True, "set_train": "align.optimisation.steps=2",
}  # fmt: skip
TASKS = (
    "plan", "preprocess-1", "preprocess-2", "preprocess-3", "merge", "pretrain-ecg",
    "pretrain-cmr", "align", "embed-1", "embed-2", "merge_embeddings", "evaluate", "report",
)  # fmt: skip


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workflow")
    tree = build_platform(folder / "project", NUM_PEOPLE)
    withdrawn = tree.withdrawal.rename(folder / "withdrawn.csv")
    listing = folder / "listing.txt"
    files = [path for path in sorted(tree.root.rglob("*")) if path.suffix in (".xml", ".zip")]
    listing.write_text("".join(f"{path}\n" for path in files))
    return tree, listing, withdrawn


def command(platform, work: Path, *words: str) -> list[str]:
    tree, listing, withdrawn = platform
    settings = {
        **SETTINGS,
        "files_from": listing,
        "phenotypes": ",".join(map(str, tree.tables)),
        "withdrawn": withdrawn,
        "scratch": work.parent / "scratch",
    }
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(WORKFLOW / "Snakefile"),
        "--directory", str(work),
        "--workflow-profile", str(WORKFLOW / "profiles" / "local"), "--cores", "2", *words,
        "--config", *(f"{name}={value}" for name, value in settings.items()),
    ]  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """The program that is tested, and no folder of this user."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def kill_when(log: Path, words: list[str], surroundings: dict[str, str]) -> None:
    """Start the workflow and take it and all its children down once `log` is there."""
    with subprocess.Popen(
        words, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:  # fmt: skip
        while not log.exists():
            assert running.poll() is None, "the workflow ended before it came that far"
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL


def test_killed_and_resumed_it_makes_the_cohort_of_one_call_and_its_report(platform, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    work.joinpath("cohort.key").write_text(KEY)
    surroundings = environment(tmp_path)
    kill_when(work / "logs" / "preprocess-2.log", command(platform, work), surroundings)
    assert not (work / "done" / "preprocess-2").exists()
    for words in (["--unlock"], []):
        done = subprocess.run(
            command(platform, work, *words), env=surroundings, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert {path.stem for path in (work / "logs").glob("*.log")} == set(TASKS)
    finished = {path.name for path in (work / "done").iterdir()} | {"plan"}
    assert finished == set(TASKS)
    manifest = json.loads((work / "report" / "manifest.json").read_text())
    assert (manifest["run"], manifest["scan"]["found"]) == ("main", 0)
    assert {file["name"] for file in manifest["files"]} >= {"main.ptacl", "evaluation.json"}
    assert not any((tmp_path / "scratch").rglob("*.zip"))

    tree, _, withdrawn = platform
    whole = tmp_path / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTACL_KEYS", str(work / "keys"))
        settings = preprocess.PreprocessSettings()
        preprocess.open_or_create(whole, settings, key_from=work / "cohort.key")
        source = preprocess.Sources((tree.root,), withdrawn=(withdrawn,))
        preprocess.run(source, whole, num_workers=1)
        with Cohort.open(work / "cohort") as cohort:
            ((predicted,),) = cohort.fetch("SELECT count(*) FROM predictions")
    assert predicted > 0
    assert find_differences(work / "cohort", whole) == []

    again = subprocess.run(
        command(platform, work, "--dry-run"), env=surroundings, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "Nothing to be done" in again.stdout + again.stderr
