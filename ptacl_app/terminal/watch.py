"""Notices that the terminal is gone, whatever the event loop is waiting for."""

import os
import select
import threading
from collections.abc import Callable

POLL_MS = 1000
GRACE_S = 5.0
"""How long an ordinary end may take once nobody can see the app any more."""
EXIT_STATUS = 129


class TerminalWatch:
    """A thread that waits for the hang-up of one descriptor.

    Without a controlling terminal no SIGHUP comes, and a writer that waits for a terminal
    that is gone can hold up the loop: so nothing here depends on the loop.
    """

    def __init__(self, descriptor: int, on_hang_up: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._on_hang_up = on_hang_up
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="terminal-watch", daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def stop(self) -> None:
        """The app ends by itself: wait no longer."""
        self._is_stopped.set()

    def _wait(self) -> None:
        poller = select.poll()
        poller.register(self._descriptor, 0)  # hang-ups and errors are always told
        while not self._is_stopped.is_set():
            if poller.poll(POLL_MS):
                self._end()
                return

    def _end(self) -> None:
        """Ask for an ordinary end; leave at once when it does not come in time."""
        self._on_hang_up()
        if not self._is_stopped.wait(GRACE_S):
            os._exit(EXIT_STATUS)
