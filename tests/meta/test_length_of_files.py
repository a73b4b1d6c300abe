"""A file is one idea: none of the code is longer than 400 lines."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("ptacl_core", "ptacl_app", "scripts")
MAX_LINES = 400


def list_long(folder: Path) -> list[str]:
    """Files below `folder` that are too long."""
    return sorted(
        path.name for path in folder.rglob("*.py") if len(path.read_text().splitlines()) > MAX_LINES
    )


def test_no_file_is_longer_than_four_hundred_lines():
    assert {room: long for room in ROOMS if (long := list_long(ROOT / room))} == {}


def test_a_planted_long_file_is_seen(tmp_path):
    (tmp_path / "long.py").write_text("x = 1\n" * (MAX_LINES + 1))
    (tmp_path / "short.py").write_text("x = 1\n" * MAX_LINES)
    assert list_long(tmp_path) == ["long.py"]
