"""Tables fit the terminal they are printed in: no figure is cut."""

import re

import pytest

from ptacl_core.cli.tables.grid import print_regression
from ptacl_core.cli.tables.reproduction import print_rows
from ptacl_core.records import PHENOTYPE_NAMES

FIGURE = {"r2": 0.25, "low": -0.125, "high": 0.375}


@pytest.fixture(params=[80, 120, 200])
def width(request, monkeypatch) -> int:
    monkeypatch.setenv("FORCE_COLOR", "1")  # stdout counts as a terminal
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def read_lines(capsys) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


def test_many_sets_of_features_stand_in_several_tables(width, capsys):
    rows = [
        {"name": f"Set {number}", "modality": "ecg", "mean": FIGURE}
        | {"phenotypes": dict.fromkeys(PHENOTYPE_NAMES, FIGURE)}
        for number in range(9)
    ]
    print_regression(rows)
    lines = read_lines(capsys)
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    text = "\n".join(lines)
    assert all(f"Set {number}" in text for number in range(9))
    assert text.count("[-0.125, 0.375]") == 9 * (len(PHENOTYPE_NAMES) + 1)


def test_every_row_of_the_paper_has_a_line_with_its_mean(width, capsys):
    row = {"name": "PTACL, retrieval settings (σ = 0)", "evaluation": "LP", "modality": "ecg"}
    row |= {"failures": [], "remarks": ["below Ridge, mean beat (0.327)"]}
    figures = dict.fromkeys(PHENOTYPE_NAMES, FIGURE)
    print_rows([{**row, "phenotypes": figures, "mean": FIGURE}] * 20)
    lines = read_lines(capsys)
    assert max(map(len, lines)) <= width and not any("…" in line for line in lines)
    text = "\n".join(lines)
    assert text.count("[-0.125, 0.375]") == 20
    assert ("RVEF" in text) == (width >= 150)
