"""Every document and section that the code cites exists, and the examples run as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CITED = re.compile(r"\b([a-z_]+)\.md(?:,? §§?\s*([0-9]+(?:\.[0-9]+)?(?:[-–,] ?§?[0-9.]+)*))?")
BARE = re.compile(r"(?<!\.md )(?<![\w,–-])\(?§([0-9]+(?:\.[0-9]+)?)")
WRITTEN_BY_RUNS = {"model_card", "report", "card", "recipe", "validation"}
"""Markdown that the program itself writes; no documents of the project."""


def list_code() -> list[Path]:
    folders = ("ptacl_core", "ptacl_app", "scripts")
    return [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix in {".py", ".toml", ".sh", ""}
    ]


def list_sections(document: str) -> set[str]:
    path = DOCS / f"{document}.md"
    assert path.exists(), f"docs/{document}.md is cited and does not exist"
    headings = re.findall(r"^#+ ([0-9]+(?:\.[0-9]+)?)\b", path.read_text(encoding="utf-8"), re.M)
    return set(headings)


def find_citations() -> set[tuple[str, str, str]]:
    citations = set()
    for path in list_code():
        text = path.read_text(encoding="utf-8")
        place = path.relative_to(ROOT).as_posix()
        for document, sections in CITED.findall(text):
            if document in WRITTEN_BY_RUNS or document.isupper():
                continue
            numbers = re.findall(r"[0-9]+(?:\.[0-9]+)?", sections) or [""]
            citations |= {(place, document, number) for number in numbers}
        if place.startswith(("ptacl_core/simulate", "ptacl_core/config/simulation")):
            citations |= {(place, "simulator", number) for number in BARE.findall(text)}
    return citations


def test_every_cited_document_and_section_exists():
    known: dict[str, set[str]] = {}
    missing = []
    citations = find_citations()
    assert len(citations) > 30
    for place, document, section in sorted(citations):
        if not (DOCS / f"{document}.md").exists():
            missing.append((place, document))
            continue
        known.setdefault(document, list_sections(document))
        if section and section not in known[document]:
            missing.append((place, f"{document} §{section}"))
    assert missing == []


WITH_A_MODEL = "onnx_ecg.py"
"""Runs in tests/pipeline/test_travelling.py, on an exported model."""
EXAMPLES = sorted(path.name for path in (DOCS / "examples").glob("*.py"))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != WITH_A_MODEL])
def test_an_example_runs_as_it_stands(name, tmp_path):
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "PYTHONWARNINGS": "default"}
    needs_folder = [str(tmp_path)] if name == "query_cohort.py" else []
    finished = subprocess.run(
        [sys.executable, str(DOCS / "examples" / name), *needs_folder],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.splitlines()) >= 2
