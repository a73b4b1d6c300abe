"""What each entry point must not import: the static contracts cannot see a deferred import."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "sklearn", "neurokit2", "scipy.signal", "pandas", "matplotlib")


def modules_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


HELP = """
import io, contextlib
from ptacl_core.cli.main import app
with contextlib.redirect_stdout(io.StringIO()):
    app(["--help"], standalone_mode=False)
"""


def test_help_imports_nothing_heavy():
    loaded = modules_after(HELP)
    assert not loaded & {*HEAVY, "numpy", "pyarrow", "duckdb", "pydantic", "textual"}


@pytest.mark.parametrize(
    "package",
    ["records", "io", "preprocess", "shards", "cohort", "evaluate", "config.preprocess"],
)
def test_torch_free_packages(package):
    loaded = modules_after(f"import ptacl_core.{package}")
    assert not loaded & set(HEAVY)


def test_importing_the_package_imports_nothing():
    loaded = modules_after("import ptacl_core")
    assert not loaded & {*HEAVY, "numpy", "pyarrow", "duckdb", "pydantic"}


def test_a_packed_model_is_told_without_torch():
    loaded = modules_after("import ptacl_core.bundle.model_file")
    assert not loaded & set(HEAVY)


def test_the_app_imports_no_torch():
    loaded = modules_after("import ptacl_app.app, ptacl_app.__main__")
    assert not loaded & set(HEAVY)
