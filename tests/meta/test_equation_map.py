import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def equation_map():
    location = ROOT / "scripts" / "equation_map.py"
    specification = importlib.util.spec_from_file_location("equation_map", location)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_equation_of_the_paper_and_of_ours_has_a_function_and_tests(equation_map):
    numbers = [(method, number) for method, number, *_ in equation_map.find_equations()]
    paper = [("PTACL", number) for number in (1, 2, 3, 4)]
    assert numbers == [*paper, *(("PTACL-2", number) for number in (1, 2, 3))]
    for method, number in numbers:
        assert equation_map.find_tests(method, number), f"no test is named for {method} ({number})"


def test_the_page_holds_the_map_as_it_is(equation_map):
    page = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    assert equation_map.replace_map(page) == page, "run scripts/equation_map.py --write"
