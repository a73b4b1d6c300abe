"""`dict[str, Any]` stands only where somebody else decides what is in it."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("ptacl_core", "ptacl_app", "scripts")

ALLOWED = {
    "ptacl_core/cohort/rows.py": "rows of statements that a person writes",
    "ptacl_core/documents/bundle.py": "values of older versions, before they are validated",
    "ptacl_core/documents/evaluation.py": "values of older versions, before they are validated",
    "ptacl_core/documents/model.py": "what pydantic's validators and serialisers take and give",
    "ptacl_core/io/ecg/arrays/hdf5.py": "datasets and attributes of h5py, which has no types",
    "ptacl_core/io/hints.py": "keywords that a person gives to a reader, which checks them",
    "ptacl_core/safety/processes/worker.py": "JSON over a pipe to a child of its own",
    "ptacl_core/shards/spec.py": "rows as Arrow gives them; the schema beside it has the types",
    "ptacl_core/stages/evaluate/ecg_alone.py": "sections for pydantic's validation",
    "scripts/checks/app_xtermjs.py": "the browser's debugging protocol",
}
"""File → why. Parsed JSON of our own is `JsonObject`; a document is a model or a TypedDict."""


def count_untyped(code: str) -> int:
    """How often `code` writes dict[str, Any], in text annotations too."""
    count = 0
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Subscript):
            count += ast.unparse(node) in ("dict[str, Any]", "Dict[str, Any]")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            count += node.value.replace(" ", "").count("dict[str,Any]")
    return count


def test_untyped_dictionaries_stand_only_where_a_foreign_format_asks_for_them():
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(files) > 600
    untyped = {
        path.relative_to(ROOT).as_posix() for path in files if count_untyped(path.read_text())
    }
    assert untyped - ALLOWED.keys() == set(), "write a model, a TypedDict or JsonObject"
    assert ALLOWED.keys() - untyped == set(), "no longer needed in the list"


def test_a_planted_one_is_seen_in_every_place():
    planted = 'def f(a: dict[str, Any]) -> "list[dict[str, Any]]":\n    b: dict[str, Any] = {}\n'
    assert count_untyped(planted) == 3
    assert count_untyped("def f(a: dict[str, float], b: Mapping[str, Any]) -> JsonObject: ...") == 0
