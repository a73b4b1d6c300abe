"""A child process ends when its parent is gone, killed as it may be."""

import os
import threading
import time

WATCH_INTERVAL_S = 0.5


def end_with_parent(parent: int) -> None:
    """Watch from a thread of its own: without the parent, nobody would end this process.

    `parent` is the process id as the parent itself told it, since a parent that is gone
    already has another one's number in its place.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_INTERVAL_S)
    os._exit(1)
