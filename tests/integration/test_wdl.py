"""The WDL is clean, and every task's command does its work in a folder that shares nothing.

Commands are evaluated by the WDL library itself; each runs in a new folder to which its input files
were copied, and what it gives the next one are the files that its outputs name.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from ptacl_core.stages.preprocess import run as preprocess
from tests.pipeline.platform_tree import build_platform, find_differences

_WDL: Any = import_module("WDL")  # of the extra `deploy`, which only these tests need
_ = import_module("WDL.StdLib")

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "scripts" / "deploy" / "wdl" / "ptacl.wdl"
NUM_PEOPLE = 130
KEY = "00" * 32  # decides who is in which split: always the same
IMAGE = "ptacl"


class Files(_WDL.StdLib.Base):
    """The functions of WDL over the files that one task left in its folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__("1.0", str(folder))
        self.folder = folder

    def _devirtualize_filename(self, filename: str) -> str:
        return str(self.folder / filename)

    def _virtualize_filename(self, filename: str) -> str:
        return filename


class Bench:
    """Runs tasks of the document, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tasks = {task.name: task for task in _WDL.load(str(SOURCE)).tasks or ()}
        self.ran: list[str] = []

    def run(self, name: str, **inputs: Any) -> dict[str, Any]:
        task = self.tasks[name]
        folder = self.folder / f"{len(self.ran):02d}-{name}"
        folder.mkdir(parents=True)
        self.ran.append(name)
        brought = {key: bring(value, folder) for key, value in inputs.items()}
        known = _WDL.values_from_json(brought, task.available_inputs, task.required_inputs)
        library = Files(folder)
        for declaration in task.inputs or ():
            if not known.has_binding(declaration.name):
                value = (
                    _WDL.Value.Null() if declaration.expr is None
                    else declaration.expr.eval(known, library)
                )  # fmt: skip
                known = known.bind(declaration.name, value)
        command = task.command.eval(known, library).value
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin:/bin"])
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False,
            env={"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, f"{name}: {done.stderr[-3000:]}"
        assert "cannot be recorded" not in " ".join(done.stderr.split())
        return {
            output.name: carry(output.expr.eval(known, library), output.type, folder)
            for output in task.outputs
            if output.expr is not None
        }


def bring(value: Any, folder: Path) -> Any:
    """Input files as copies in the task's own folder; the rest as it is."""
    if isinstance(value, list):
        return [bring(item, folder) for item in value]
    if not isinstance(value, Path):
        return value
    place = folder / "inputs" / str(len(list((folder / "inputs").glob("*"))))
    place.mkdir(parents=True)
    return str(shutil.copy(value, place))


def carry(value: Any, of: Any, folder: Path) -> Any:
    """An output as the next task is given it; files must be there."""
    if isinstance(of, _WDL.Type.File):
        path = folder / value.value
        assert path.is_file(), f"{path.name} was not written"
        return path
    return value.json


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """The mounted tree, a list of its recordings, and the list of people who withdrew."""
    folder = tmp_path_factory.mktemp("wdl")
    tree = build_platform(folder / "project", NUM_PEOPLE)
    withdrawn = tree.withdrawal.rename(folder / "withdrawn.csv")
    listing = folder / "listing.txt"
    files = [path for path in sorted(tree.root.rglob("*")) if path.suffix in (".xml", ".zip")]
    listing.write_text("".join(f"{path}\n" for path in files))
    return tree, listing, withdrawn


def test_it_is_clean():
    done = subprocess.run(
        [sys.executable, "-m", "WDL", "check", "--strict", "--suppress", "CommandShellCheck",
         str(SOURCE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_task_does_its_work_alone(given, tmp_path):
    tree, listing, withdrawn = given
    bench = Bench(tmp_path / "tasks")
    given_key = tmp_path / "given.key"
    given_key.write_text(KEY)
    plan = bench.run("plan", listing=listing, withdrawn=[withdrawn], key=given_key, image=IMAGE)
    key = plan["cohort_key"]
    assert key.read_text() == KEY
    parts = [
        bench.run(
            "preprocess", listing=listing, plan_csv=plan["plan_csv"], key=key,
            tables=tree.tables, withdrawn=[withdrawn], index=index, count=2, workers=1, image=IMAGE,
        )["part"]
        for index in (1, 2)
    ]  # fmt: skip
    cohort = bench.run("merge", parts=parts, key=key, image=IMAGE)["cohort"]
    how = {"cohort": cohort, "key": key, "preset": "tiny", "image": IMAGE}
    ecg = bench.run("train", stage="ecg", run="main-ecg", **how)
    cmr = bench.run("train", stage="cmr", run="main-cmr", **how)
    assert ecg["finished"] and cmr["finished"]
    taken = ["pretrained_from.ecg=main-ecg", "pretrained_from.cmr=main-cmr"]
    aligned = bench.run(
        "train", stage="align", run="main", set_train=taken,
        earlier_runs=[ecg["runs"], cmr["runs"]], **how,
    )  # fmt: skip
    inputs = {"cohort": cohort, "key": key, "runs": aligned["runs"], "run": "main", "image": IMAGE}
    embedded = [bench.run("embed", index=index, count=2, **inputs)["part"] for index in (1, 2)]
    merged = bench.run("merge_embeddings", parts=embedded, **inputs)["embedded"]
    evaluated = bench.run(
        "evaluate", cohort=merged, key=key, run="main", resamples=100, image=IMAGE
    )["evaluated"]  # fmt: skip
    report = bench.run(
        "report", cohort=evaluated, key=key, run="main", accept_membership=True, image=IMAGE
    )["report_tar"]  # fmt: skip
    assert set(bench.ran) == bench.tasks.keys()
    shutil.unpack_archive(report, tmp_path / "left")
    manifest = json.loads((tmp_path / "left" / "report" / "manifest.json").read_text())
    assert (manifest["run"], manifest["scan"]["found"]) == ("main", 0)
    assert {file["name"] for file in manifest["files"]} >= {"main.ptacl", "evaluation.json"}

    again = bench.run(
        "train", stage="align", run="main", set_train=taken, earlier_runs=[aligned["runs"]], **how
    )
    assert again["finished"]  # on another worker it goes on from the runs that it is given

    whole = tmp_path / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTACL_KEYS", str(tmp_path / "keys"))
        settings = preprocess.PreprocessSettings()
        preprocess.open_or_create(whole, settings, key_from=key)
        source = preprocess.Sources((tree.root,), withdrawn=(withdrawn,))
        preprocess.run(source, whole, num_workers=1)
    shutil.unpack_archive(cohort, tmp_path / "unpacked")
    assert find_differences(tmp_path / "unpacked" / "cohort", whole) == []
