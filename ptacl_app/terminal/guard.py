"""Gives the terminal back even when the app is killed in a way that it cannot handle.

A process that gets SIGKILL, or that the kernel ends for memory, leaves a raw terminal behind:
no echo, the alternate screen, mouse reports for every move. A small forked child waits on a
pipe; when the pipe closes without a goodbye, it puts the terminal back as it was.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        _wait_and_restore(reading, sys.__stdin__.fileno())
    os.close(reading)
    try:
        yield
    finally:
        with suppress(OSError):  # a guard that was killed is missed by nobody now
            os.write(writing, _GOODBYE)
        os.close(writing)
        with suppress(OSError):
            os.waitpid(child, 0)


def _wait_and_restore(reading: int, terminal: int) -> None:
    import termios

    status = 1
    try:
        attributes = termios.tcgetattr(terminal)
        os.setsid()  # no signal of the terminal ends the guard, and none stops its writing
        if os.read(reading, 1) != _GOODBYE:
            termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
            os.write(terminal, RESET)
        status = 0
    finally:
        os._exit(status)
