"""The demo's summary is one screen, whatever the evaluations hold."""

from pathlib import Path

from ptacl_core.cli.demo_command import print_summary
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.recipes.demo import DemoSummary

FORMER = Path(__file__).parents[2] / "data" / "evaluation_before_kinds.json"


def test_the_summary_fits_a_screen_and_names_the_rows(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    document = EvaluationDocument.read(FORMER)
    evaluations = {"ptacl": document, "global": document}
    print_summary(DemoSummary("demo", 0, evaluations, []), Path("demo"))
    lines = capsys.readouterr().out.splitlines()
    text = "\n".join(lines)
    assert len(lines) <= 45
    for words in ("Demographics only", "Global", "PTACL", "Alignment of steps", "Research use"):
        assert words in text
    assert text.index("Global") < text.index("PTACL")
    assert "next: ptacl-app demo" in text


def test_the_quick_demo_takes_a_folder_of_its_own_and_no_control(ptacl, tmp_path):
    tmp_path.joinpath("demo.json").write_text("{}")
    answer = ptacl("demo", tmp_path, "--quick")
    assert answer.exit_code == 2
    assert "holds the full demo" in answer.err
    assert list(tmp_path.iterdir()) == [tmp_path / "demo.json"]
    answer = ptacl("demo", tmp_path / "new", "--quick", "--kappa", "0")
    assert answer.exit_code == 2
    assert "leave out --quick" in answer.err
