"""What the commands print: data on stdout, narration on stderr, one line for an error."""

import atexit
import errno
import json
import math
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ptacl_core import __version__
from ptacl_core.errors import PtaclError
from ptacl_core.safety.text.printable import clean_text

RESEARCH_USE = "Research use only: not a medical device, not for diagnosis."
EXIT_OURS = 1
EXIT_INPUT = 2
COMMAND_MARK = "command: ptacl "
EXIT_INTERRUPTED = 130
INTERRUPTED = "interrupted; the same command goes on from what is finished"


def print_json(document: Mapping[str, Any] | list[Any]) -> None:
    """One JSON document on stdout; objects also carry `version`. NaN and infinities are null."""
    if isinstance(document, Mapping):
        document = {"version": __version__, **document}
    sys.stdout.write(json.dumps(_plain(document), indent=1, allow_nan=False) + "\n")


def print_line(text: str) -> None:
    """One line of data on stdout."""
    sys.stdout.write(text + "\n")


def narrate(text: str) -> None:
    """One line of narration on stderr."""
    sys.stderr.write(text + "\n")


def run_guarded(command: Callable[[], Any]) -> NoReturn:
    """Run the whole command line and leave with its exit status.

    An error raised on purpose becomes one line on stderr; an unforeseen one names its type
    and place only, since its text may hold values of a patient (PTACL_DEBUG=1 shows it all).
    """
    try:
        command()
    except PtaclError as error:
        narrate(f"error: {clean_text(str(error), max_length=1000)}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        narrate(INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as stop:
        if stop.code == EXIT_INTERRUPTED:  # what Typer makes of Ctrl-C, without a word
            narrate(INTERRUPTED)
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_OURS)
    except OSError as error:
        narrate(f"error: {_describe_os_error(error)}")
        sys.exit(EXIT_INPUT if error.errno in _FULL else EXIT_OURS)
    except Exception as error:
        if os.environ.get("PTACL_DEBUG"):
            raise
        narrate(
            f"error: unforeseen {type(error).__name__} in {_last_place(error)}; this is our fault. "
            "PTACL_DEBUG=1 shows the whole trace, which may hold values of a patient"
        )
        sys.exit(EXIT_OURS)
    sys.exit(0)


def leave(code: str | int | None) -> NoReturn:
    """End the process with what a SystemExit carries, without tearing the libraries down.

    Python ends as always: threads that are waited for, exit functions, output. Threads of torch,
    DuckDB and Arrow that are still running when those unload would abort the process after its
    last word, and its exit status with it.
    """
    status = code if isinstance(code, int) else EXIT_OURS if code else 0
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage] - the only way to end in order
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or EXIT_OURS
    os._exit(status)


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _describe_os_error(error: OSError) -> str:
    where = f" ({clean_text(Path(error.filename).name)})" if error.filename else ""
    if error.errno in _FULL:
        return (
            f"no space left on the disk{where}; what was there before is intact: free some space, "
            "then run the same command again"
        )
    return f"{error.strerror or type(error).__name__}{where}; what was there before is intact"


def _last_place(error: BaseException) -> str:
    trace = error.__traceback__
    place = "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
