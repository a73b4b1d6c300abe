"""The equation map of the docs, made from docstrings: python scripts/equation_map.py [--write]."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "equations.md"
START, END = (
    "<!-- equation map: scripts/equation_map.py --write -->",
    "<!-- end of equation map -->",
)
TAG = re.compile(r"Implements (PTACL|PTACL-2) Eq\. \((\d+)\)\.")
PAPER, OURS = "PTACL", "PTACL-2"
"""The paper's equations, and ours that go beyond it."""


def find_equations() -> list[tuple[str, int, str, str, str]]:
    """(method, number, function, file, first sentence) of every tagged function, in order."""
    equations = []
    for path in sorted((ROOT / "ptacl_core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                for match in TAG.finditer(text):
                    place = path.relative_to(ROOT).as_posix()
                    equations.append(
                        (match[1], int(match[2]), node.name, place, text.splitlines()[0])
                    )
    return sorted(equations)


def find_tests(method: str, number: int) -> list[str]:
    """Files whose tests are named `test_eq<number>_…`, or `test_ptacl2_eq<number>_…`."""
    prefix = "ptacl2_" if method == OURS else ""
    name = re.compile(rf"def test_{prefix}eq{number}_")
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if name.search(path.read_text())
    )


def build_map() -> str:
    """The map as a Markdown table."""
    lines = ["| Eq. | Function | What | Tests |", "|---|---|---|---|"]
    for method, number, function, place, sentence in find_equations():
        tests = ", ".join(f"`{test}`" for test in find_tests(method, number))
        shown = f"({number})" if method == PAPER else f"{method} ({number}), ours"
        lines.append(f"| {shown} | `{function}` in `{place}` | {sentence} | {tests} |")
    return "\n".join(lines)


def replace_map(page: str) -> str:
    """`page` with the map between its marks made anew."""
    before, rest = page.split(START)
    _, after = rest.split(END)
    return f"{before}{START}\n{build_map()}\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(replace_map(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(build_map())
