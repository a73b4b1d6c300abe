"""`ptacl preprocess`: files of any supported format into shards and the store."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.identities import put_identities
from ptacl_core.cohort.identity.keys import CohortKey, open_key
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.errors import CohortError, CohortLockedError, ConfigError, RecordError
from ptacl_core.ingest.register import register_shards
from ptacl_core.ingest.shard_files import IngestCounts, VisitTask, hide_subject, ingest_visits
from ptacl_core.ingest.visits import Inventory, build_tasks, leave_out_erased, read_pairs
from ptacl_core.io import discover, read_phenotypes
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.files.checksum import compute_text_hash
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.safety.processes.termination import sigterm_interrupts
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards import Rejection, ShardWriter
from ptacl_core.stages.preprocess.preview import draw_preview

Result = TypeVar("Result")
ROWS_PER_SHARD = 128
CONVENTION = "as given"
ARRAY_ENDINGS = (".npy", ".npz")
STORE_PATIENCE_S = 600.0
"""How long an array job waits for another one that writes the store."""


@dataclass(frozen=True, slots=True)
class PreprocessSummary:
    """What `ptacl preprocess` reports; `accepted` counts ECGs, CMRs and pairs."""

    accepted: dict[str, int]
    rejected: int
    reasons: dict[str, int]
    records_per_s: float

    def as_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "reasons": self.reasons,
            "records_per_s": self.records_per_s,
        }


def parse_part(text: str | None) -> tuple[int, int]:
    """`i/n` (from 1) as (index from 0, number of parts). Raises ConfigError."""
    if text is None:
        return 0, 1
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise ConfigError(f"--shard: expected i/n with 1 <= i <= n, got '{text}'")
    return int(index) - 1, int(count)


def run(
    source: Path,
    cohort_dir: Path,
    *,
    pairs: Path | None = None,
    phenotypes: Path | None = None,
    num_workers: int | None = None,
    part: tuple[int, int] = (0, 1),
    preview: Path | None = None,
    keep_identities: bool = False,
    ecg_hints: Mapping[str, Any] | None = None,
    progress: ProgressSink = SILENT,
) -> PreprocessSummary:
    """Bring the recordings in `source` into `cohort_dir`, which is made when it is new.

    Pairs are made by patient and visit, from file names or from the `pairs` CSV; phenotypes
    come from `phenotypes`, or from tables found in the source. Visits that an earlier call
    finished are skipped. `part` (i, n) takes the i-th of n shares of the patients; `preview` is a
    PNG of the crops of this share's cines. Who a pseudonym is goes into a file of its own only
    with `keep_identities`.
    PNG of the crops of this share's cines. `ecg_hints` are those of `read_ecg` for all ECGs whose
    files lack the facts; arrays without a sidecar then count as ECGs.

    Raises RecordError when the source is missing or holds no recording, CohortError when the
    cohort cannot be used.
    """
    if not source.exists():
        raise RecordError(f"{clean_text(source.name)}: expected a folder or archive, found none")
    settings = PreprocessSettings()
    layout, key = open_or_create(cohort_dir, settings)
    inventory = read_pairs(pairs, source) if pairs else _take_inventory(source, ecg_hints, progress)
    tables = [
        read_phenotypes(path)
        for path in ([phenotypes] if phenotypes else inventory.phenotype_tables)
    ]
    for table in tables:
        for finding in table.findings:
            progress.say(f"phenotypes: {finding}")
    tasks = build_tasks(inventory, tables, key, ecg_hints=ecg_hints)
    if not tasks:
        raise RecordError(
            f"{clean_text(source.name)}: holds no ECG and no CMR that the readers know; "
            f"{len(inventory.unused)} other files. `ptacl doctor FILE` shows what a reader sees"
        )
    started_s = time.monotonic()
    counts = IngestCounts()
    index, count = part
    lock = cohort_dir / f".preprocess-{index}-{count}.lock"
    with sigterm_interrupts(), hold_lock(lock, purpose="preprocess"):
        with Cohort.open(cohort_dir) as cohort:
            tasks, num_erased = leave_out_erased(inventory, tasks, cohort, key)
        if num_erased:
            progress.say(f"{num_erased} people were erased from this cohort: left out")
        writer = ShardWriter(
            layout.shards,
            preprocessing=settings,
            prefix=f"files-{index + 1}-of-{count}-",
            rows_per_shard=ROWS_PER_SHARD,
        )
        mine = [task for task in tasks if _share_of(task.patient, count) == index]
        todo = _unfinished(mine, writer)
        if len(todo) < len(mine):
            progress.say(f"{len(mine) - len(todo)} visits are finished: skipped")
        if index == 0:
            _reject_unused(inventory, writer, counts, key)
        ingest_visits(
            writer,
            todo,
            settings,
            num_workers=num_workers or os.cpu_count() or 1,
            counts=counts,
            progress=progress,
        )
        writer.finish()
        if keep_identities:
            put_identities(layout, {task.patient: task.subject for task in mine})
    _register(cohort_dir, progress)
    if preview is not None:
        drawn = draw_preview(
            cohort_dir, preview, is_wanted=lambda patient: _share_of(patient, count) == index
        )
        progress.say(f"preview: {drawn} cines" if drawn else "preview: no cine, no picture")
    num_records = sum((task.ecg is not None) + (task.cmr is not None) for task in todo)
    return PreprocessSummary(
        accepted={"ecg": counts.ecg, "cmr": counts.cmr, "pairs": counts.pairs},
        rejected=sum(counts.reasons.values()),
        reasons=dict(sorted(counts.reasons.items(), key=lambda item: -item[1])),
        records_per_s=num_records / max(time.monotonic() - started_s, 1e-9),
    )


def open_or_create(
    cohort_dir: Path, settings: PreprocessSettings
) -> tuple[CohortLayout, CohortKey]:
    """Layout and key of the cohort, made when they are new.

    Array jobs that start together wait for the one that makes them. Raises CohortError when its
    recordings were preprocessed in another way.
    """
    if not os.access(_nearest_folder(cohort_dir), os.W_OK | os.X_OK):
        raise CohortError(
            f"{cohort_dir.name}: a cohort could not be made there (no right to write)"
        )
    lock = cohort_dir / ".preprocess-open.lock"
    with ExitStack() as held:
        _wait_in_turn(
            lambda: held.enter_context(hold_lock(lock, purpose="preprocess")), interval_s=0.1
        )
        if not (cohort_dir / "cohort.toml").exists():
            Cohort.create(
                cohort_dir, name=cohort_dir.name, source="files", preprocessing_hash=settings.hash()
            ).close()
        layout = _open_checked(cohort_dir, settings)
        return layout, open_key(layout, create=True)


def _nearest_folder(path: Path) -> Path:
    """`path` itself, or the first folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _wait_in_turn(
    attempt: Callable[[], Result], progress: ProgressSink = SILENT, *, interval_s: float = 1.0
) -> Result:
    """What `attempt` gives once no other process holds its lock.

    Raises CohortLockedError after a long wait.
    """
    deadline_s = time.monotonic() + STORE_PATIENCE_S
    while True:
        try:
            return attempt()
        except CohortLockedError as error:
            if time.monotonic() > deadline_s:
                raise
            progress.say(f"waiting for the store: {error}")
            time.sleep(interval_s)


def _open_checked(cohort_dir: Path, settings: PreprocessSettings) -> CohortLayout:
    with Cohort.open(cohort_dir) as cohort:
        stored = cohort.description.preprocessing_hash
        if stored != settings.hash():
            raise CohortError(
                f"{cohort_dir.name}: its recordings were preprocessed as {stored}, this version "
                f"would do {settings.hash()}; use another cohort directory"
            )
        return cohort.layout


def _take_inventory(
    source: Path, ecg_hints: Mapping[str, Any] | None, progress: ProgressSink
) -> Inventory:
    inventory = Inventory()
    progress.start("look for files", None, "files")
    for found in discover(source):
        is_array = found.modality == "unknown" and found.path.suffix.lower() in ARRAY_ENDINGS
        inventory.add(replace(found, modality="ecg") if ecg_hints and is_array else found)
        progress.advance("look for files")
    progress.finish("look for files")
    return inventory


def _share_of(patient: str, count: int) -> int:
    return int(compute_text_hash(patient)[:8], 16) % count


def _unfinished(tasks: Sequence[VisitTask], writer: ShardWriter) -> list[VisitTask]:
    finished = writer.finished_visits()
    return [task for task in tasks if (task.patient, task.visit) not in finished]


def _reject_unused(
    inventory: Inventory, writer: ShardWriter, counts: IngestCounts, key: CohortKey
) -> None:
    """Files of no visit go to rejected.parquet, with the identifiers in their names replaced."""
    already = writer.rejected_files()
    for file in inventory.unused:
        patient = key.pseudonym(file.subject) if file.subject.strip() else ""
        name = hide_subject(file.name, file.subject, patient)
        if name not in already:
            message = hide_subject(file.message, file.subject, patient)
            writer.reject(Rejection(patient, 0, "unknown", name, file.reason, message))
        counts.count_reason(file.reason)


def _register(cohort_dir: Path, progress: ProgressSink) -> None:
    def register() -> None:
        register_shards(cohort_dir, name=cohort_dir.name, source="files", convention=CONVENTION)

    _wait_in_turn(register, progress)
