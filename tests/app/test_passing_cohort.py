"""`ptacl-app --model FILE FILES…` and `--example`: a cohort that lasts as long as the app."""

from pathlib import Path

import pytest

from ptacl_app.__main__ import _name_command, main
from ptacl_app.data.passing_cohort import open_files
from ptacl_core.errors import PtaclError

SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "samples" / "HR06000.hea"


def test_what_cannot_be_used_is_told_in_one_line(tmp_path):
    bad = tmp_path / "bad.ptacl"
    bad.write_bytes(b"not a model")
    with pytest.raises(PtaclError, match=r"embed.*bad\.ptacl"), open_files(bad, [SAMPLE]):
        pass


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["cohort"], ["cohort"]),
        (["web", "cohort"], ["web", "cohort"]),
        (["--model", "m.ptacl", "a.xml"], ["files", "--model", "m.ptacl", "a.xml"]),
        (["a.xml", "--model=m.ptacl"], ["files", "a.xml", "--model=m.ptacl"]),
        (["--example", "--theme", "x"], ["example", "--theme", "x"]),
    ],
)
def test_options_choose_what_is_opened(given, named):
    assert _name_command(given) == named


def test_without_a_terminal_it_says_so(capsys):
    for words in (["--model", "example", str(SAMPLE)], ["--example"]):
        assert main(words) == 2
        assert "expected a terminal" in capsys.readouterr().err
