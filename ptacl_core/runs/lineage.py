"""What a run tells the cohort of itself: who is in each stage, before its first step."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.keys import find_key
from ptacl_core.cohort.identity.lineage import (
    read_marks,
    record_file,
    record_stage,
    record_weights,
)
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.files.atomic import format_json
from ptacl_core.train.metrics_log import METRICS_FILE, hash_stages

if TYPE_CHECKING:
    from ptacl_core.shards import ShardReader

STOP_FILE = "stop.txt"
"""In a run's folder while an erasure asks its training to end; stays, so that none goes on."""
CHECKPOINTS_FOLDER = "checkpoints"


def record_start(
    cohort_dir: Path,
    *,
    run: str,
    stage: str,
    people: Iterable[str],
    data_sha256: str | None,
    parents: Sequence[str] = (),
    progress: ProgressSink = SILENT,
) -> None:
    """Record who is in a stage that now begins. Raises CohortError.

    Where the cohort's key is missing the stage is recorded without names, and that is said.
    """
    layout = CohortLayout(cohort_dir.absolute())
    if not layout.description.exists():
        return  # shards alone: there is no cohort that could erase anybody
    key = find_key(layout, create=True)
    if key is None:
        progress.say(
            f"stage {stage}: the cohort's key is not on this machine, so who is in it cannot be "
            "recorded; an erasure will name this run as one that may hold the person"
        )
    record_stage(
        layout,
        key=key,
        run=run,
        stage=stage,
        people=sorted(set(people)),
        data_sha256=data_sha256,
        parents=parents,
    )


def record_end(cohort_dir: Path, *, run: str, stage: str, weights_sha256: str) -> None:
    """Record the hashes of the weights and the log that a stage ended with. Raises CohortError."""
    layout = CohortLayout(cohort_dir.absolute())
    if layout.description.exists():
        logs = hash_stages(layout.runs / run / METRICS_FILE)
        record_weights(
            layout,
            run=run,
            stage=stage,
            weights_sha256=weights_sha256,
            log_sha256=logs.get(stage, ""),
        )


def record_document(run_dir: Path, document: Mapping[str, object], *, file: str) -> None:
    """Record the hash of a run's file that `write_json` is to write. Raises CohortError."""
    layout = CohortLayout(run_dir.absolute().parent.parent)
    if layout.description.exists():
        sha256 = hashlib.sha256(format_json(document).encode()).hexdigest()
        record_file(layout, run=run_dir.name, part=file, sha256=sha256)


def check_may_train(
    cohort_dir: Path, run: str, reader: "ShardReader", progress: ProgressSink
) -> None:
    """Refuse a training that a withdrawal forbids.

    Raises CohortError when withdrawn people are among the recordings, CheckpointError when the
    run was stopped by an erasure or has weights that saw people erased since. Without the key
    it says that it cannot tell.
    """
    layout = CohortLayout(cohort_dir.absolute())
    if not layout.description.exists():
        return
    if (layout.runs / run / STOP_FILE).exists():
        raise CheckpointError(
            f"run {run}: it was stopped because people in it were withdrawn; train anew without "
            "them under another name, or remove its folder first"
        )
    mark = read_marks(layout).get(run)
    if mark is not None and mark.is_certain:
        raise CheckpointError(
            f"run {run}: {mark.num_people} people who were in its training were erased since; "
            "train anew without them under another name"
        )
    refuse_withdrawn(cohort_dir, reader.patients, progress)


def refuse_withdrawn(cohort_dir: Path, patients: Iterable[str], progress: ProgressSink) -> None:
    """Raise CohortError when withdrawn people are still among `patients` of the cohort.

    Says that it cannot tell where there is a register and the key is missing.
    """
    with Cohort.open(cohort_dir) as cohort:
        try:
            erased = cohort.find_erased(set(patients))
        except CohortError as error:
            progress.say(f"cannot tell whether withdrawn people are in this cohort: {error}")
            return
    if erased:
        raise CohortError(
            f"{cohort_dir.name}: {len(erased)} people who withdrew are still in this cohort; "
            f"`ptacl withdraw {cohort_dir}` takes them out"
        )


def list_run_stages(layout: CohortLayout) -> dict[str, tuple[str, ...]]:
    """Runs that lie in the cohort or stand in its store, with the stages that have checkpoints."""
    stages: dict[str, tuple[str, ...]] = {}
    if layout.runs.is_dir():
        for folder in sorted(path for path in layout.runs.iterdir() if path.is_dir()):
            documents = (folder / CHECKPOINTS_FOLDER).glob("*/*/checkpoint.json")
            names = tuple(sorted({path.parents[1].name for path in documents}))
            if names:
                stages[folder.name] = names
    return stages
