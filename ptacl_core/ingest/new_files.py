"""Single new files into a cohort that is there already, preprocessed as its others were."""

from collections.abc import Sequence
from pathlib import Path

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.identity.aliases import read_known, write_known
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.cohort.identity.register import open_register
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.errors import RecordError
from ptacl_core.ingest.assign import assign_patients
from ptacl_core.ingest.growth import Holdings, find_growth, settle_numbers
from ptacl_core.ingest.register import register_shards
from ptacl_core.ingest.shard_files import IngestCounts, ingest_visits
from ptacl_core.ingest.sources import Sources, read_plan
from ptacl_core.ingest.visits import build_tasks, leave_out_erased
from ptacl_core.progress import ProgressSink
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards import ShardWriter
from ptacl_core.shards.manifest import find_sequence

PREFIX = "added-"


def add_files(
    cohort_dir: Path,
    files: Sequence[Path],
    settings: PreprocessSettings,
    *,
    progress: ProgressSink,
) -> None:
    """Add each file as a recording of the patient that its name tells, and register it.

    Raises RecordError when one of them is missing, is not a recording, or cannot be used; the
    usable ones are in the cohort all the same.
    """
    plan = read_plan(Sources(files))
    counts = IngestCounts()
    with (
        hold_lock(cohort_dir / ".preprocess-added.lock", purpose="add files"),
        Cohort.open(cohort_dir) as cohort,
    ):
        layout, description = cohort.layout, cohort.description
        key = open_key(layout, create=True)
        known, holdings = read_known(layout.shards, key), Holdings.read(layout.shards)
        patients = assign_patients(plan.visits, known, key)
        tasks = settle_numbers(build_tasks(plan, patients, splits=holdings.splits), holdings, known)
        everybody = {task.patient for task in tasks}
        tasks, num_erased = leave_out_erased(plan, tasks, cohort, key)
        known.forget(everybody - {task.patient for task in tasks})
        growth = find_growth(tasks, holdings, known)
        writer = ShardWriter(
            layout.shards,
            preprocessing=settings,
            prefix=PREFIX,
            sequence=find_sequence(layout.shards) + 1,
        )
        ingest_visits(
            writer,
            growth.tasks,
            settings,
            num_workers=1,
            counts=counts,
            progress=progress,
            find_stored=holdings.find_stored,
            withdrawn=open_register(layout, key),
        )
        writer.finish()
        for patient, mark in growth.marks:
            known.add_mark(*mark, owner=patient)
        write_known(layout.shards, known, prefix=PREFIX)
    register_shards(
        cohort_dir, name=description.name, source=description.source, convention="as given"
    )
    left_out = [f"{clean_text(file.name)}: {file.message}" for file in plan.unused]
    if num_erased:
        left_out.append(f"{num_erased} people who withdrew from this cohort")
    left_out += [f"{count} × {reason}" for reason, count in counts.reasons.items()]
    if left_out:
        raise RecordError(
            f"{len(files)} files: {counts.ecg} ECG and {counts.cmr} CMR were added; left out: "
            f"{'; '.join(left_out)}. `ptacl doctor FILE` tells more"
        )
