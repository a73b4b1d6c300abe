"""Whether the terminal keeps up: frames are dropped when it does not, time never is."""

from textual.app import App

MAX_QUEUED_WRITES = 0
"""Playback skips a frame while more writes than these wait for the terminal."""


def count_queued_writes(app: App) -> int:
    """Writes that the terminal has not taken yet, the one under way too; 0 without a queue.

    Textual 8.2.8 keeps them in a private queue of its writer thread and blocks its event
    loop, keys included, once thirty are waiting; there is no public way to ask. A thread that
    does not wait for the queue is writing: a frame more would stand between a key and its
    answer.
    """
    queue = getattr(getattr(app._driver, "_writer_thread", None), "_queue", None)
    if queue is None:
        return 0
    is_writing = not getattr(queue.not_empty, "_waiters", True)
    return queue.qsize() + is_writing
