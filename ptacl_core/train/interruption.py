"""SIGTERM and SIGINT end a run between two steps, with everything saved."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ptacl_core.errors import PtaclError

_LOOK_INTERVAL_S = 1.0


class Interrupted(PtaclError):  # noqa: N818  nothing went wrong
    """The run was asked to stop, has saved its state and can be resumed.

    `exit_code` is 0 after SIGTERM (a scheduler took the machine back), 130 after SIGINT, and 2
    when an erasure asked for it.
    """

    def __init__(self, message: str, *, signal_number: int):
        super().__init__(message)
        self.signal_number = signal_number
        codes = {int(signal.SIGINT): 130, int(signal.SIGTERM): 0}
        self.exit_code = codes.get(signal_number, 2)


class StopRequest:
    """Whether a signal, or a file that another process wrote, has asked the run to stop."""

    def __init__(self) -> None:
        self.signal_number = 0
        self.file: Path | None = None
        """The file whose existence asks; its text says why."""
        self._looked_s = -_LOOK_INTERVAL_S
        self._is_asked = False

    @property
    def is_made(self) -> bool:
        """True once a signal came, or the file is there (looked for once a second)."""
        if self.signal_number != 0 or self._is_asked or self.file is None:
            return self.signal_number != 0 or self._is_asked
        if time.monotonic() - self._looked_s >= _LOOK_INTERVAL_S:
            self._looked_s = time.monotonic()
            self._is_asked = self.file.exists()
        return self._is_asked

    @property
    def reason(self) -> str:
        """Why another process asked for it; empty after a signal."""
        if not self._is_asked or self.file is None:
            return ""
        with suppress(OSError):
            return self.file.read_text(encoding="utf-8").strip()
        return "another process asked for it"


@contextmanager
def watch_signals() -> Iterator[StopRequest]:
    """Note SIGTERM and SIGINT in the given StopRequest while the block runs.

    A second signal of the same kind acts as if nobody watched. Outside the main thread no
    handler can be set, and the request stays unmade.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal_number = number
        signal.signal(number, previous[signal.Signals(number)])

    for number in previous:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
