"""One writer at a time: a lock that names its holder and dies with its process."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ptacl_core.errors import CohortLockedError
from ptacl_core.safety.files.atomic import choose_file_mode, make_folder


@contextmanager
def hold_lock(path: Path, *, purpose: str) -> Iterator[None]:
    """Hold an exclusive `flock` on `path` while the block runs.

    Raises CohortLockedError at once when another process holds it, with that process's id
    and purpose. The kernel releases the lock when the process dies, however it dies.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_uid == os.getuid():
            os.fchmod(descriptor, choose_file_mode(path.parent))
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


PATIENCE_S = 600.0
"""How long a process waits for others that write the same thing."""


@contextmanager
def wait_for_lock(
    path: Path,
    *,
    purpose: str,
    on_wait: Callable[[CohortLockedError], None] = lambda _error: None,
    interval_s: float = 0.05,
    patience_s: float = PATIENCE_S,
) -> Iterator[None]:
    """As `hold_lock`, after waiting for whoever holds it; `on_wait` hears of it once.

    Raises CohortLockedError after `patience_s`.
    """
    deadline_s = time.monotonic() + patience_s
    was_said = False
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(hold_lock(path, purpose=purpose))
            except CohortLockedError as error:
                if time.monotonic() > deadline_s:
                    raise
                if not was_said:
                    on_wait(error)
                    was_said = True
                time.sleep(interval_s)
            else:
                break
        yield


def read_holder(path: Path) -> str | None:
    """Who holds the lock on `path` ("process 123, training"); None when nobody does.

    Writes nothing. What the system's list of locks does not tell, an attempt to share it decides.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _is_locked(descriptor):
            return None
        return os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        listed = Path("/proc/locks").read_text()
    except OSError:
        listed = ""
    if any("FLOCK" in line and place in line.split() for line in listed.splitlines()):
        return True
    try:  # on some file systems the list names another device
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
