"""Help at 80 columns: every summary stands whole on its line."""

import os
import re
import subprocess
import sys

import typer
from typer.core import TyperGroup

from ptacl_core.cli.main import app


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


def test_the_cohort_comes_first_wherever_it_is_required():
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    commands = group.commands
    without = {
        "demo",
        "doctor",
        "predict",
        "schema",
        "selftest",
        "settings",
        "targets",
        "unpack",
        "validate",
        "vectors",
        "export",
    }  # it is optional here
    first = {}
    for name in commands.keys() - without:
        arguments = [
            given for given in commands[name].params if given.param_type_name == "argument"
        ]
        first[name] = arguments[0].name
        required = {
            given.name
            for given in commands[name].params
            if given.param_type_name == "option" and given.required
        }
        assert required == set(), name

    assert first.pop("preprocess") == "sources"  # COHORT SOURCE…, or SOURCE… --plan without one
    assert first.pop("withdraw") == "places"  # COHORT… LIST
    assert len(first) >= 12
    assert set(first.values()) == {"cohort"}
    predict = {given.name: given for given in commands["predict"].params}
    assert not predict["cohort"].required
    assert "--cohort" in predict["cohort"].opts
