"""Local names say what a value is (`first_r_peak`), not that one has it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EGRESS = Path("ptacl_core/documents/reviews.py")
ROOMS = ("ptacl_core", "ptacl_app", "scripts", "tests")
EMPTY_NAMES = {"each", "found", "told"}


def list_empty_names(code: str) -> list[str]:
    """Locals and arguments of `code` that do not say what they are."""
    bound = [
        node.arg if isinstance(node, ast.arg) else node.id
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.arg)
        or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    ]
    return sorted(EMPTY_NAMES & set(bound))


def test_locals_say_what_a_value_is():
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 700
    empty = {
        str(path.relative_to(ROOT)): names
        for path in files
        # the key of a document keeps its name
        if path.relative_to(ROOT) != EGRESS and (names := list_empty_names(path.read_text()))
    }
    assert empty == {}


def test_each_kind_of_binding_is_seen():
    planted = "def f(told):\n    found = 1\n    return [each for each in (found, told)]\n"
    assert list_empty_names(planted) == ["each", "found", "told"]
    assert list_empty_names("def f(people):\n    return [one.found for one in people]\n") == []
