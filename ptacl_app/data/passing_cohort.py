"""A cohort that lasts as long as the app: files with a packed model, or simulated patients.

It is made by the command line in a process of its own, in a folder of its owner's alone, with a
key of its own, and removed when the app ends. What is seen in it is gone then.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ptacl_app.text.formatting import safe
from ptacl_core.cli.output import COMMAND_MARK
from ptacl_core.errors import PtaclError

EXAMPLE = Path("example")
EXAMPLE_PATIENTS = 60
_DEADLINE_S = 900.0
_IN_TURN = (
    "import json, sys; from ptacl_core.cli.main import run_in_turn; "
    "run_in_turn(json.loads(sys.argv[1]))"
)
_LOOK_S = 0.2
"""How often one looks whether the work is to be given up."""


@contextmanager
def open_files(
    model: Path, files: Sequence[Path], *, stop: threading.Event | None = None
) -> Iterator[Path]:
    """A cohort of ECG files, embedded and predicted by a packed model.

    Raises PtaclError with what the command line said when no file can be used, or the model
    cannot, and when `stop` is set meanwhile.
    """
    with _passing_folder() as cohort:
        words = ["preprocess", str(cohort), *(str(path.absolute()) for path in files)]
        _run(cohort, [words, ["embed", str(cohort), "--model", _name(model)]], stop)
        yield cohort


@contextmanager
def open_example(model: Path = EXAMPLE, *, stop: threading.Event | None = None) -> Iterator[Path]:
    """Sixty patients that are simulated now, embedded and predicted by a packed model."""
    with _passing_folder() as cohort:
        words = ["simulate", str(cohort), "--preset", "demo", "--patients", str(EXAMPLE_PATIENTS),
                 "--workers", "1"]  # fmt: skip
        _run(cohort, [words, ["embed", str(cohort), "--model", _name(model)]], stop)
        yield cohort


@contextmanager
def _passing_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ptacl-app-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "cohort"


def _name(model: Path) -> str:
    return str(model) if model == EXAMPLE and not model.exists() else str(model.absolute())


def _run(cohort: Path, commands: Sequence[Sequence[str]], stop: threading.Event | None) -> None:
    """Commands of the command line in one process and in silence."""
    environment = {**os.environ, "PTACL_KEYS": str(cohort.parent / "keys")}
    command = [sys.executable, "-P", "-c", _IN_TURN, json.dumps(commands)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        errors="replace",
    ) as process:  # fmt: skip
        said = _wait(process, " and ".join(words[0] for words in commands), stop)
    if process.returncode:
        lines = [line for line in said.rpartition(COMMAND_MARK)[2].splitlines() if line.strip()]
        name = lines.pop(0) if COMMAND_MARK in said else commands[0][0]
        last = lines[-1].removeprefix("error: ") if lines else "without a word"
        raise PtaclError(f"`ptacl {safe(name)}`: {safe(last, max_length=500)}")


def _wait(process: subprocess.Popen[str], name: str, stop: threading.Event | None) -> str:
    """What a command said, at its end; it is ended first where it takes too long or is not wanted.

    Raises PtaclError then.
    """
    deadline_s = time.monotonic() + _DEADLINE_S
    while True:
        try:
            return process.communicate(timeout=_LOOK_S)[1]
        except subprocess.TimeoutExpired:
            is_unwanted = stop is not None and stop.is_set()
            if not is_unwanted and time.monotonic() < deadline_s:
                continue
            process.terminate()
            process.communicate()
            reason = "was given up" if is_unwanted else f"took longer than {_DEADLINE_S:.0f} s"
            raise PtaclError(f"`ptacl {name}` {reason}") from None
