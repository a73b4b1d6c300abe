"""The examples of the documentation run as they stand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", sorted(path.name for path in (DOCS / "examples").glob("*.py")))
def test_an_example_runs_as_it_stands(name, tmp_path):
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PYTHONWARNINGS": "default"}
    needs_folder = [str(tmp_path)] if name == "query_cohort.py" else []
    finished = subprocess.run(
        [sys.executable, str(DOCS / "examples" / name), *needs_folder],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.splitlines()) >= 2
