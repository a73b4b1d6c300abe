"""Gives the terminal back as it was, even when the app is killed in a way that it cannot handle.

Between the app's last screen and the end of its process lie tenths of a second: keys typed
there and late reports of the mouse are neither echoed nor left for the shell.

A process that gets SIGKILL, or that the kernel ends for memory, leaves a raw terminal behind:
no echo, the alternate screen, mouse reports for every move. A small forked child waits on a
pipe; when the pipe closes without a goodbye, it puts the terminal back as it was.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

RESET = (
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # mouse
    b"\x1b[?2004l\x1b[?1004l\x1b[<u\x1b[?7h"  # pasting, focus, keyboard protocol, line wrap
    b"\x1b[?1049l\x1b[0m\x1b[?25h"  # the screen before, plain colours, the cursor
)
_GOODBYE = b"."


@contextmanager
def guarded_terminal() -> Iterator[None]:
    """Hold the guard while the app runs. Call it before any thread starts: it forks.

    Without a terminal, or where processes cannot fork, there is nothing to guard.
    """
    if sys.__stdin__ is None or not sys.__stdin__.isatty() or not hasattr(os, "fork"):
        yield
        return
    import termios

    terminal = sys.__stdin__.fileno()
    attributes = termios.tcgetattr(terminal)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        _wait_and_restore(reading, terminal, attributes)
    os.close(reading)
    try:
        _set_attributes(terminal, _make_quiet(attributes))
        yield
    finally:
        _set_attributes(terminal, attributes)
        with suppress(OSError):  # a guard that was killed is missed by nobody now
            os.write(writing, _GOODBYE)
        os.close(writing)
        with suppress(OSError):
            os.waitpid(child, 0)


def _make_quiet(attributes: list[Any]) -> list[Any]:
    """What is typed while the app ends is not echoed and waits for no line's end."""
    import termios

    quiet = list(attributes)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    return quiet


def _set_attributes(terminal: int, attributes: list[Any]) -> None:
    """Set them and drop what has been typed but not read; a terminal that is gone has none."""
    import termios

    with suppress(termios.error):
        termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)


def _wait_and_restore(reading: int, terminal: int, attributes: list[Any]) -> None:
    import termios

    status = 1
    try:
        os.setsid()  # no signal of the terminal ends the guard, and none stops its writing
        if os.read(reading, 1) != _GOODBYE:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
            os.write(terminal, RESET)
        status = 0
    finally:
        os._exit(status)
