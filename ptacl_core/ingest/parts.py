"""People of a plan shared out among the jobs of an array, so that each has about as many bytes."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ptacl_core.ingest.shard_files import VisitTask
from ptacl_core.safety.files.checksum import compute_text_hash


def share_out(tasks: Sequence[VisitTask], count: int) -> dict[str, int]:
    """Pseudonym → number of the part from 0; the same for the same files in every job.

    Sizes are those of the plan (`VisitTask.num_bytes`); where it does not say one, files are
    looked at.
    """
    if count == 1:
        return {task.patient: 0 for task in tasks}
    sizes: dict[str, int] = defaultdict(int)
    for task in tasks:
        own = task.num_bytes or sum(map(count_bytes, filter(None, (task.ecg, task.cmr))))
        sizes[task.patient] += 1 + own
    loads = [0] * count
    parts: dict[str, int] = {}
    for patient, size in sorted(
        sizes.items(), key=lambda person_size: (-person_size[1], person_size[0])
    ):
        lightest = min(range(count), key=lambda index: (loads[index], index))
        parts[patient] = lightest
        loads[lightest] += size
    return parts


def hash_share(patient: str, count: int) -> int:
    """The part of somebody who has no files in this call."""
    return int(compute_text_hash(patient)[:8], 16) % count


def count_bytes(path: Path) -> int:
    """Bytes of a recording's file, or of all files of its folder; 0 when it is not there."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    except OSError:
        return 0
