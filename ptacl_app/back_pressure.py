"""Whether the terminal keeps up: frames are dropped when it does not, time never is."""

from textual.app import App

MAX_QUEUED_WRITES = 0
"""Playback skips a frame while more writes than these wait for the terminal."""


def count_queued_writes(app: App) -> int:
    """Writes that wait for a slow terminal, 0 for drivers without a queue.

    Textual 8.2.8 keeps them in a private queue of its writer thread and blocks its event
    loop, keys included, once thirty are waiting; there is no public way to ask.
    """
    thread = getattr(app._driver, "_writer_thread", None)
    return 0 if thread is None else thread._queue.qsize()
