"""Keeps commands that write shards out while something changes what they have written."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ptacl_core.safety.files.lock import hold_lock, read_holder

_PATTERNS = (".preprocess-*.lock", ".simulate.lock")


@contextmanager
def hold_shards(cohort_dir: Path, *, purpose: str) -> Iterator[None]:
    """Hold every lock that writers of shards have taken in `cohort_dir` so far.

    Raises CohortLockedError, with the process, when one of them is at work.
    """
    with ExitStack() as stack:
        for pattern in _PATTERNS:
            for lock in sorted(cohort_dir.glob(pattern)):
                stack.enter_context(hold_lock(lock, purpose=purpose))
        yield


def is_any_held(cohort_dir: Path) -> bool:
    """Whether a command that writes shards is at work in `cohort_dir`; takes no lock."""
    return any(
        read_holder(lock) is not None
        for pattern in _PATTERNS
        for lock in sorted(cohort_dir.glob(pattern))
    )
