"""The wheel holds what the commands need, and runs where nothing of the source tree is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(source)], check=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q",
         "--disable-pip-version-check", "-w", str(folder), str(source)],
        check=True,
    )  # fmt: skip
    return next(folder.glob("ptacl-*.whl"))


def test_the_wheel_holds_data_and_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {"ptacl_core/py.typed", "ptacl_app/py.typed", "ptacl_app/app.tcss"} <= names
    tracked = subprocess.run(
        ["git", "ls-files", "ptacl_core", "ptacl_app"], cwd=ROOT, capture_output=True, text=True,
        check=True,
    ).stdout.split()  # fmt: skip
    assert [name for name in tracked if name not in names] == []


def test_the_installed_wheel_runs(wheel, tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    packages = next(environment.glob("lib/python3.*/site-packages"))
    shared = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "shared.pth").write_text("\n".join(shared))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--disable-pip-version-check",
         "--target", str(packages), str(wheel)],
        check=True,
    )  # fmt: skip
    python = str(environment / "bin" / "python")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(*arguments: str) -> str:
        finished = subprocess.run(
            [python, *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    place = run("-c", "import ptacl_core, ptacl_app; print(ptacl_core.__file__)")
    assert str(packages) in place
    assert "paper-regression" in run("-m", "ptacl_core", "settings", "list")
    run("-m", "ptacl_core", "simulate", "cohort", "--preset", "tiny", "--patients", "8")
    assert "8" in run("-m", "ptacl_core", "query", "cohort", "SELECT count(*) FROM patients")
    assert "cohort" in run("-m", "ptacl_app", "--help")
