"""SIGINT and SIGTERM end work in order, also where Python loses the exception that says so."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether a signal asked the work to end."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._is_asked = False

    def check(self) -> None:
        """Raise KeyboardInterrupt where a signal came before and its exception was lost.

        Python prints and forgets an exception that a signal raises inside a finalizer or the
        callback of a weak reference, such as the import system's locks have. Work calls this
        between two steps.
        """
        if self._is_asked:
            raise KeyboardInterrupt

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Take a signal: note it and raise KeyboardInterrupt."""
        self._is_asked = True
        raise KeyboardInterrupt


@contextmanager
def signals_interrupt() -> Iterator[Interrupts]:
    """Raise KeyboardInterrupt at SIGTERM, as at Ctrl-C, so that the block is left in order.

    A scheduler sends SIGTERM before it takes a machine back. SIGINT stays ignored where whoever
    started this process had it ignored. Outside the main thread, where Python takes no signals,
    nothing changes.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        numbers.append(signal.SIGINT)
    previous = {number: signal.signal(number, interrupts.note) for number in numbers}
    try:
        yield interrupts
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
