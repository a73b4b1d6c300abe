"""SIGTERM and SIGINT end a run between two steps, with everything saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ptacl_core.errors import PtaclError


class Interrupted(PtaclError):  # noqa: N818  nothing went wrong
    """The run was asked to stop, has saved its state and can be resumed.

    `exit_code` is 0 after SIGTERM (a scheduler took the machine back) and 130 after SIGINT.
    """

    def __init__(self, message: str, *, signal_number: int):
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 130 if signal_number == signal.SIGINT else 0


class StopRequest:
    """Whether a signal has asked the run to stop."""

    def __init__(self) -> None:
        self.signal_number = 0

    @property
    def is_made(self) -> bool:
        """True once a signal came."""
        return self.signal_number != 0


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
