"""Whether the terminal keeps up: frames are dropped when it does not, time never is."""

from collections import deque
from typing import Any

from textual.app import App

from ptacl_app.terminal.page_driver import PageDriver

MAX_QUEUED_WRITES = 0
"""Playback skips a frame while more writes than these wait for the terminal."""

PAGE_WRITES_UNDER_WAY = 3
"""A page says what it has drawn once a frame: so many writes may be on their way to it."""

SHOWN_SHARE = 0.8
"""Below this share of the wanted frames the status says how many are shown."""


class FrameCount:
    """Counts what was drawn of the frames that were due within the last second."""

    def __init__(self) -> None:
        self._due: deque[tuple[float, bool]] = deque()

    def note(self, now_s: float, *, is_drawn: bool) -> None:
        """A frame was due now."""
        self._due.append((now_s, is_drawn))
        while self._due[0][0] <= now_s - 1.0:
            self._due.popleft()

    def clear(self) -> None:
        """Playback starts anew."""
        self._due.clear()

    def describe(self, wanted_fps: float) -> str:
        """`8/25 fps` while the terminal takes clearly fewer frames than are due, else nothing."""
        drawn = sum(is_drawn for _, is_drawn in self._due)
        if len(self._due) < wanted_fps * SHOWN_SHARE or drawn >= SHOWN_SHARE * len(self._due):
            return ""
        return f"{drawn}/{wanted_fps:g} fps"


def count_queued_writes(app: App[Any]) -> int:
    """Writes that the terminal has not taken yet, the one under way too; 0 without a queue.

    A page says itself what it has drawn; one that nobody looks at draws nothing.

    Textual 8.2.8 keeps them in a private queue of its writer thread and blocks its event
    loop, keys included, once thirty are waiting; there is no public way to ask. A thread that
    does not wait for the queue is writing: a frame more would stand between a key and its
    answer.
    """
    driver = app._driver  # pyright: ignore[reportPrivateUsage] - see above
    if isinstance(driver, PageDriver):
        return max(driver.num_undrawn - PAGE_WRITES_UNDER_WAY, 0)
    queue = getattr(getattr(driver, "_writer_thread", None), "_queue", None)
    if queue is None:
        return 0
    is_writing = not getattr(queue.not_empty, "_waiters", True)
    return queue.qsize() + is_writing
