"""What a cohort has already: visits that are finished, halves that are missing, changed files."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.cohort.identity.aliases import KnownPeople
from ptacl_core.ingest.shard_files import VisitTask, hash_recording
from ptacl_core.shards import spec
from ptacl_core.shards.manifest import read_all_rows
from ptacl_core.shards.merging import Labels, collect_labels, merge_rejections, merge_rows
from ptacl_core.shards.reader import open_array
from ptacl_core.shards.writer import StoredVisit

_COLUMNS = {"ecg": ("ecg_row", spec.ECG_FILE), "cmr": ("cine_row", spec.CINE_FILE)}


@dataclass(slots=True)
class Holdings:
    """Rows of a cohort by (pseudonym, visit), its labels, its people's splits."""

    directory: Path
    rows: dict[tuple[str, int], spec.ManifestRow] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    rejected: set[tuple[str, int, str]] = field(default_factory=set)
    rejected_files: set[tuple[str, str]] = field(default_factory=set)
    splits: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path) -> "Holdings":
        """What complete shards in `directory` hold."""
        table = read_all_rows(directory, spec.MANIFEST_FILE)
        rejections = merge_rejections(read_all_rows(directory, spec.REJECTED_FILE), table)
        rows = {(row["patient"], row["visit"]): row for row in merge_rows(table).to_pylist()}
        splits = dict(
            zip(table.column("patient").to_pylist(), table.column("split").to_pylist(), strict=True)
        )
        splits |= {row["patient"]: row["split"] for row in rows.values()}
        left_out = rejections.to_pylist()
        return cls(
            directory,
            rows,
            collect_labels(table),
            {(row["patient"], row["visit"], row["modality"]) for row in left_out},
            {(row["file"], row["reason"]) for row in left_out},
            splits,
        )

    def find_stored(self, task: VisitTask) -> StoredVisit | None:
        """What is held of the task's visit, arrays as their shard holds them. Raises ShardError."""
        row = self.rows.get((task.patient, task.visit))
        if row is None:
            return None
        ecg, cine = (
            _read_row(self.directory / row["shard"] / name, row[column])
            for column, name in _COLUMNS.values()
        )
        return StoredVisit(row, ecg, cine)


@dataclass(slots=True)
class Growth:
    """Tasks that are left, and how many visits and files are finished, changed or completed."""

    tasks: list[VisitTask] = field(default_factory=list)
    num_finished: int = 0
    num_changed: int = 0
    num_completed: int = 0
    marks: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


def find_growth(tasks: Sequence[VisitTask], holdings: Holdings, known: KnownPeople) -> Growth:
    """Of each visit the recordings that the cohort does not hold as they are now.

    A file that lies where it lay, with the size and time of change that it had, is not read; one
    that differs there is hashed, and made again only when its content changed.
    """
    growth = Growth()
    for task in tasks:
        key = task.patient, task.visit
        row = holdings.rows.get(key)
        todo: dict[str, Path | None] = {"ecg": None, "cmr": None}
        is_changed = False
        for modality, path in _halves(task):
            mark = _mark(task, task.visit, modality, path)
            growth.marks += [(task.patient, part) for part in (mark, _place(task, modality, path))]
            is_held = _is_held(row, modality)
            is_dealt_with = is_held or (*key, modality) in holdings.rejected
            if is_dealt_with and known.has_mark(*mark):
                continue
            if row is not None and is_held and _hash(path, task, modality) == _sha(row, modality):
                continue
            is_changed |= is_held
            todo[modality] = path
        if not any(todo.values()):
            growth.num_finished += 1
            continue
        growth.num_changed += is_changed
        growth.num_completed += row is not None and not is_changed
        growth.tasks.append(replace(task, ecg=todo["ecg"], cmr=todo["cmr"]))
    return growth


def settle_numbers(
    tasks: Sequence[VisitTask], holdings: Holdings, known: KnownPeople
) -> list[VisitTask]:
    """`tasks` with the visit numbers that the cohort has given to their recordings already.

    A visit whose number its source states keeps it. Another that the cohort holds keeps the number
    that it has there; a new one completes the only visit of its person where that lacks it, and
    else gets the next free number. A number whose recording there is another file is not taken.
    """
    held: dict[str, set[int]] = defaultdict(set)
    for patient, visit in holdings.rows:
        held[patient].add(visit)
    settled: list[VisitTask] = []
    taken: dict[str, set[int]] = defaultdict(set)
    for task in tasks:
        numbers = held[task.patient]
        visit = task.visit
        if numbers:
            visit = _settle(task, numbers, taken[task.patient], holdings, known)
        taken[task.patient].add(visit)
        settled.append(task if visit == task.visit else replace(task, visit=visit))
    return settled


def _settle(
    task: VisitTask,
    numbers: set[int],
    taken: set[int],
    holdings: Holdings,
    known: KnownPeople,
) -> int:
    for visit in sorted(numbers, key=lambda number: (number != task.visit, number)):
        row = holdings.rows[task.patient, visit]
        if any(_is_same(task, visit, row, m, path, known) for m, path in _halves(task)):
            return visit
    row = holdings.rows.get((task.patient, task.visit))
    is_free = row is None or not any(_is_held(row, m) for m, _ in _halves(task))
    is_its_own = task.is_numbered or row is None or numbers == {task.visit}
    if is_free and is_its_own and task.visit not in taken:
        return task.visit
    if row is not None and not is_free and _is_correction(task, known):
        return task.visit
    used = numbers | taken
    return next(number for number in range(len(used) + 1) if number not in used)


def _is_same(
    task: VisitTask,
    visit: int,
    row: spec.ManifestRow,
    modality: str,
    path: Path,
    known: KnownPeople,
) -> bool:
    """Whether the cohort's visit holds this very recording."""
    if not _is_held(row, modality):
        return False
    if known.has_mark(*_mark(task, visit, modality, path)):
        return True
    return _hash(path, task, modality) == _sha(row, modality)


def _is_correction(task: VisitTask, known: KnownPeople) -> bool:
    """Whether a file of this place (at a stated visit: of this name) was there before."""
    return any(known.has_mark(*_place(task, modality, path)) for modality, path in _halves(task))


def _halves(task: VisitTask) -> list[tuple[str, Path]]:
    return [(m, path) for m, path in (("ecg", task.ecg), ("cmr", task.cmr)) if path is not None]


def _is_held(row: spec.ManifestRow | None, modality: str) -> bool:
    return row is not None and row[_COLUMNS[modality][0]] is not None


def _sha(row: spec.ManifestRow, modality: str) -> str | None:
    return row[f"{modality}_sha256"]


def _hash(path: Path, task: VisitTask, modality: str) -> str | None:
    try:
        return hash_recording(path, task.ecg_hints if modality == "ecg" else {})
    except OSError:
        return ""  # reading it says why


def _place(task: VisitTask, modality: str, path: Path) -> tuple[str, ...]:
    """Where a recording of a visit lies; of a stated visit its name, wherever that lies."""
    index = str(task.ecg_hints.get("record_index", "")) if modality == "ecg" else ""
    where = path.name if task.is_numbered else os.path.realpath(path)
    return "place", task.patient, str(task.visit), modality, where, index


def _mark(task: VisitTask, visit: int, modality: str, path: Path) -> tuple[str, ...]:
    given = task.ecg_hints if modality == "ecg" else task.cmr_hints
    hints = repr(sorted(given.items()))
    centre = repr(task.cmr_centre_px) if modality == "cmr" else ""
    return task.patient, str(visit), modality, hints, centre, *_stamps(path)


def _stamps(path: Path) -> Iterator[str]:
    """Where a recording lies, how large it is and when it changed, of all its files."""
    beside = [path, path.with_suffix(".dat"), path.with_suffix(".mat")]
    files = sorted(path.rglob("*")) if path.is_dir() else beside
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        yield f"{os.path.realpath(file)}\0{status.st_size}\0{status.st_mtime_ns}"


def _read_row(path: Path, row: int | None) -> Array | None:
    if row is None:
        return None
    array = open_array(path)
    try:
        values = np.empty(array.shape[1:], array.dtype)
        os.preadv(array.descriptor, [values.data], array.offset + row * values.nbytes)
        return values
    finally:
        os.close(array.descriptor)
