"""Single new files into a cohort that is there already, preprocessed as its others were."""

from collections.abc import Sequence
from pathlib import Path

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.errors import RecordError
from ptacl_core.ingest.register import register_shards
from ptacl_core.ingest.shard_files import IngestCounts, ingest_visits
from ptacl_core.ingest.visits import Inventory, build_tasks, leave_out_erased
from ptacl_core.io import discover
from ptacl_core.progress import ProgressSink
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards import ShardWriter

PREFIX = "added-"


def add_files(
    cohort_dir: Path,
    files: Sequence[Path],
    settings: PreprocessSettings,
    *,
    progress: ProgressSink,
) -> None:
    """Add each file as a recording of the patient that its name tells, and register it.

    Raises RecordError when one of them is missing, is no recording, or cannot be used; the
    usable ones are in the cohort all the same.
    """
    inventory = Inventory()
    for file in files:
        for found in discover(file):
            inventory.add(found)
    counts = IngestCounts()
    with (
        hold_lock(cohort_dir / ".preprocess-added.lock", purpose="add files"),
        Cohort.open(cohort_dir) as cohort,
    ):
        layout, description = cohort.layout, cohort.description
        key = open_key(layout, create=True)
        tasks, num_erased = leave_out_erased(
            inventory, build_tasks(inventory, (), key), cohort, key
        )
        writer = ShardWriter(layout.shards, preprocessing=settings, prefix=PREFIX)
        ingest_visits(writer, tasks, settings, num_workers=1, counts=counts, progress=progress)
        writer.finish()
    register_shards(
        cohort_dir, name=description.name, source=description.source, convention="as given"
    )
    left_out = [f"{clean_text(file.name)}: {file.message}" for file in inventory.unused]
    if num_erased:
        left_out.append(f"{num_erased} people who were erased from this cohort")
    left_out += [f"{count} × {reason}" for reason, count in counts.reasons.items()]
    if left_out:
        raise RecordError(
            f"{len(files)} files: {counts.ecg} ECG and {counts.cmr} CMR were added; left out: "
            f"{'; '.join(left_out)}. `ptacl doctor FILE` tells more"
        )
