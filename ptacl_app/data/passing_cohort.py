"""A cohort that lasts as long as the app: files with a packed model, or simulated patients.

It is made by the command line in processes of its own, in a folder of its owner's alone, with a
key of its own, and removed when the app ends. What is seen in it is gone then.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ptacl_app.text.formatting import safe
from ptacl_core.errors import PtaclError

EXAMPLE = Path("example")
EXAMPLE_PATIENTS = 60
_DEADLINE_S = 900.0


@contextmanager
def open_files(model: Path, files: Sequence[Path]) -> Iterator[Path]:
    """A cohort of ECG files, embedded and predicted by a packed model.

    Raises PtaclError with what the command line said when no file can be used, or the model
    cannot.
    """
    with _passing_folder() as cohort:
        _run(cohort, "preprocess", str(cohort), *(str(path.absolute()) for path in files))
        _run(cohort, "embed", str(cohort), "--model", _name(model))
        yield cohort


@contextmanager
def open_example(model: Path = EXAMPLE) -> Iterator[Path]:
    """Sixty patients that are simulated now, embedded and predicted by a packed model."""
    with _passing_folder() as cohort:
        patients = str(EXAMPLE_PATIENTS)
        _run(cohort, "simulate", str(cohort), "--preset", "demo", "--patients", patients)
        _run(cohort, "embed", str(cohort), "--model", _name(model))
        yield cohort


@contextmanager
def _passing_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ptacl-app-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "cohort"


def _name(model: Path) -> str:
    return str(model) if model == EXAMPLE and not model.exists() else str(model.absolute())


def _run(cohort: Path, *words: str) -> None:
    """One command of the command line, its progress on this terminal's stderr."""
    environment = {**os.environ, "PTACL_KEYS": str(cohort.parent / "keys")}
    command = [sys.executable, "-P", "-m", "ptacl_core", *words]
    try:
        finished = subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True, errors="replace", timeout=_DEADLINE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise PtaclError(f"`ptacl {words[0]}` took longer than {_DEADLINE_S:.0f} s") from None
    if finished.returncode:
        lines = [line for line in finished.stderr.splitlines() if line.strip()]
        said = lines[-1].removeprefix("error: ") if lines else "without a word"
        raise PtaclError(f"`ptacl {words[0]}`: {safe(said, max_length=500)}")
