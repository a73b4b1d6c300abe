"""One writer at a time: a lock that names its holder and dies with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ptacl_core.errors import CohortLockedError


@contextmanager
def hold_lock(path: Path, *, purpose: str) -> Iterator[None]:
    """Hold an exclusive `flock` on `path` while the block runs.

    Raises CohortLockedError at once when another process holds it, with that process's id
    and purpose. The kernel releases the lock when the process dies, however it dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip()
            raise CohortLockedError(
                f"{path.parent.name}: another process writes here ({holder or 'unknown'}); "
                "wait for it to end, or stop it, then try again"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {purpose}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
