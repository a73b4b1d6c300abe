"""Processes that share the cores: one native thread each, gone with their parent."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from ptacl_core.safety.processes.one_thread import ONE_THREAD
from ptacl_core.safety.processes.parent_watch import end_with_parent

WORKER_ENVIRONMENT = {
    **ONE_THREAD,
    "PYTHONSAFEPATH": "1",  # nothing is imported from the folder that the user stands in
}


@contextmanager
def open_process_pool(num_workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `num_workers` fresh processes; on an exception what waits is cancelled.

    Without a limit every process would start a thread per core in each native library, and
    two of them on two cores would run several times slower than one. Ctrl-C reaches the parent
    alone, which ends the pool; a parent that is killed takes its workers along.
    """
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    try:
        with ProcessPoolExecutor(
            num_workers,
            mp_context=get_context("spawn"),
            initializer=_begin_worker,
            initargs=(os.getpid(),),
        ) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(parent)  # or a pool would wait for ever
