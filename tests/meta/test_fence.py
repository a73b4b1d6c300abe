"""Each rule of the fence refuses a violation that is planted in a copy of the packages."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import networkx
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

PLANTED = {
    "imports point one way": ("ptacl_core/losses/planted.py", "import ptacl_core.train.loop\n"),
    "ptacl_core.planted_room": ("ptacl_core/planted_room/__init__.py", ""),
    "the core has no user interface": ("ptacl_core/report/planted.py", "import textual\n"),
    "records, readers, preprocessing, store and app never import torch": (
        "ptacl_core/io/planted.py",
        "import torch\n",
    ),
    "stages do not import each other": (
        "ptacl_core/stages/embed/planted.py",
        "import ptacl_core.stages.train.run\n",
    ),
    "settings are read only where they become objects": (
        "ptacl_core/evaluate/planted.py",
        "import ptacl_core.config.training\n",
    ),
    "the app's rooms: screens know services, never the app": (
        "ptacl_app/screens/planted.py",
        "import ptacl_app.app\n",
    ),
    "ptacl_app.planted_room": ("ptacl_app/planted_room/__init__.py", ""),
}


@pytest.fixture(scope="module")
def said_of_planted(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("ptacl_core", "ptacl_app"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.pyc"))
    for place, code in PLANTED.values():
        path = folder / place
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'"""Planted."""\n\n{code}')
    bootstrap = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); "
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    finished = subprocess.run(
        [sys.executable, "-P", "-c", bootstrap, "--no-cache"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 1, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_import_is_refused(said_of_planted, rule):
    if rule.endswith("planted_room"):
        assert f"- {rule}" in said_of_planted
    else:
        lines = [line for line in said_of_planted.splitlines() if line.startswith(rule)]
        assert any(line.endswith("BROKEN") or "BROKEN" in line for line in lines), lines


def test_an_undefined_name_is_found_beside_shapes(tmp_path):
    planted = tmp_path / "planted.py"
    planted.write_text(
        '"""Planted."""\n\nfrom ptacl_core.arrays import Array, Float32\n\n\n'
        'def scale(values: Float32[Array, " patient"]) -> Float32[Array, "patient dim"]:\n'
        '    """Planted."""\n    return values * not_defined_anywhere\n'
    )
    finished = subprocess.run(
        [str(BIN / "ruff"), "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache",
         "--output-format", "concise", str(planted)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    faults = [line for line in finished.stdout.splitlines() if "F821" in line]
    assert len(faults) == 1, finished.stdout
    assert "not_defined_anywhere" in faults[0]


WRONG = "def count(names: list[str]) -> int:\n    return names\n"
WRONG_TYPES = {
    "ptacl_core/wrong.py": ("reportReturnType", WRONG),
    "ptacl_app/wrong.py": ("reportReturnType", WRONG),
    "scripts/wrong.py": ("reportReturnType", WRONG),
    "tests/unit/wrong.py": ("reportReturnType", WRONG),
    "tests/unit/absent.py": (
        "reportOptionalMemberAccess",
        "import re\n\nprint(re.match('a', 'a').end())\n",
    ),
    "ptacl_core/vague.py": (
        "reportMissingTypeArgument",
        "def count(names: list) -> int:\n    return len(names)\n",
    ),
    "ptacl_core/unused.py": ("reportUnusedFunction", "def _count() -> int:\n    return 1\n"),
    "ptacl_app/hushed.py": (
        "reportUnnecessaryTypeIgnoreComment",
        "NUMBER = 1  # pyright: ignore[reportReturnType]\n",
    ),
}
"""What a planted file breaks: the rule, and the code."""


@pytest.fixture(scope="module")
def refused_types(tmp_path_factory) -> dict[str, str]:
    """The rule that each planted file breaks."""
    folder = tmp_path_factory.mktemp("types")
    settings = (ROOT / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(settings.replace('venv = ".venv"\n', ""))
    for place, (_, code) in WRONG_TYPES.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""Planted."""\n\n{code}')
    finished = subprocess.run(
        [str(BIN / "basedpyright"), "--outputjson", "--pythonpath", sys.executable],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 1, finished.stdout + finished.stderr
    return {
        str(Path(fault["file"]).relative_to(folder)): fault["rule"]
        for fault in json.loads(finished.stdout)["generalDiagnostics"]
        if fault["severity"] == "error"
    }


@pytest.mark.parametrize("place", WRONG_TYPES)
def test_a_wrong_type_is_refused(refused_types, place):
    assert refused_types.get(place) == WRONG_TYPES[place][0]


def test_pixels_are_scaled_in_one_place():
    """Cines are in [0, 1]; bytes become so in the reader, or on the device by `scale_bytes`."""
    divides = re.compile(r"(/\s*(np\.float\d+\()?|div_\()255")
    places = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "ptacl_core").rglob("*.py"))
        if divides.search(path.read_text())
    ]

    assert places == ["ptacl_core/tensors.py"]


def test_folders_hold_at_most_twenty_files():
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    counts: dict[str, int] = {}
    for name in tracked:
        if not name.endswith("__init__.py") and (ROOT / name).exists():
            folder = str(Path(name).parent)
            counts[folder] = counts.get(folder, 0) + 1

    code = {name: count for name, count in counts.items() if name.startswith("ptacl_")}
    assert {name: count for name, count in code.items() if count > 20} == {}
    assert {name: count for name, count in counts.items() if count > 30} == {}


def test_no_ring_of_imports_has_more_than_two_files():
    imports = grimp.build_graph("ptacl_core", "ptacl_app", cache_dir=None)
    graph = networkx.DiGraph(
        (module, imported)
        for module in imports.modules
        for imported in imports.find_modules_directly_imported_by(module)
    )
    rings = [sorted(ring) for ring in networkx.strongly_connected_components(graph)]

    assert graph.number_of_edges() > 1000
    assert [ring for ring in rings if len(ring) > 2] == []


@pytest.mark.parametrize(
    "room", ["ptacl_core.stages", "ptacl_core.cohort", "ptacl_core.io", "ptacl_app"]
)
def test_no_arrow_between_rooms_points_back(room):
    imports = grimp.build_graph("ptacl_core", "ptacl_app", cache_dir=None)

    def child_of(module: str) -> str:
        return module.removeprefix(f"{room}.").split(".")[0]

    inside = [module for module in imports.modules if module.startswith(f"{room}.")]
    arrows = {
        (child_of(module), child_of(imported))
        for module in inside
        for imported in imports.find_modules_directly_imported_by(module)
        if imported.startswith(f"{room}.") and child_of(module) != child_of(imported)
    }

    assert len(inside) > 40
    assert list(networkx.simple_cycles(networkx.DiGraph(arrows))) == []
