"""Trainings under way in a cohort, as an erasure meets them: it waits for none that it need not."""

import time
from contextlib import suppress

from ptacl_core.cohort import CohortLayout
from ptacl_core.cohort.identity.lineage import read_stages
from ptacl_core.errors import CohortLockedError
from ptacl_core.progress import ProgressSink
from ptacl_core.runs.lineage import STOP_FILE, list_run_stages
from ptacl_core.safety.files.atomic import write_text
from ptacl_core.safety.files.lock import read_holder

LOCK_FILE = "trainer.lock"
STOP_PATIENCE_S = 120.0
_REASON = (
    "people in this training were withdrawn while it ran; train anew without them, under another "
    "name"
)


def find_trainings(layout: CohortLayout) -> dict[str, str]:
    """Run → process of every training that is under way."""
    if not layout.runs.is_dir():
        return {}
    trainings = {}
    for lock in sorted(layout.runs.glob(f"*/{LOCK_FILE}")):
        holder = read_holder(lock)
        if holder is not None:
            trainings[lock.parent.name] = holder
    return trainings


def settle_trainings(
    layout: CohortLayout, trained: set[str], *, may_stop: bool, progress: ProgressSink
) -> None:
    """Make sure that no training goes on with people who are about to leave.

    `trained` are runs that one of them is in. A training whose people are not recorded counts
    too. With `may_stop` such trainings are stopped and told why, and waited for; else
    CohortLockedError is raised, and they go on.
    """
    under_way = find_trainings(layout)
    recorded = {stage.run for stage in read_stages(layout) if stage.is_known}
    affected = {run for run in under_way if run in trained or run not in recorded}
    if not affected:
        return
    shown = ", ".join(f"{run} ({under_way[run]})" for run in sorted(affected))
    if not may_stop:
        raise CohortLockedError(
            f"{layout.root.name}: a training with these people is under way: {shown}; wait for it, "
            "or stop it with --stop-training. They are on the register, and still in the cohort"
        )
    for run in affected:
        write_text(layout.runs / run / STOP_FILE, _REASON + "\n")
    progress.say(f"stopping the training of {', '.join(sorted(affected))}")
    deadline = time.monotonic() + STOP_PATIENCE_S
    while left := affected & find_trainings(layout).keys():
        if time.monotonic() > deadline:
            raise CohortLockedError(
                f"{layout.root.name}: the training of {', '.join(sorted(left))} does not stop; end "
                "its process, then run the same command again"
            )
        time.sleep(0.2)
    for run in affected - list_run_stages(layout).keys():
        with suppress(FileNotFoundError):  # it has no weights: the name may be used again
            (layout.runs / run / STOP_FILE).unlink()
