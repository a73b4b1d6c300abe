"""Help at 80 columns: every summary stands whole on its line."""

import os
import re
import subprocess
import sys


def read_help(*words: str) -> str:
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    finished = subprocess.run(
        [sys.executable, "-m", "ptacl_core", *words, "--help"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return finished.stdout


def test_every_summary_fits_its_line():
    lines = read_help().splitlines()
    start = next(number for number, line in enumerate(lines) if "Commands" in line)
    rows = [line.strip("│ ") for line in lines[start + 1 :] if line.startswith("│")]

    assert len(rows) >= 16
    assert [row for row in rows if not re.match(r"[a-z]+ +\S.*[.]$", row)] == []
    assert not any("..." in row for row in rows)
