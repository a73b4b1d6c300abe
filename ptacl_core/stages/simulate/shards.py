"""Simulated patients into shards: whole shards in several processes, resumable, bounded memory."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.config.preprocess import CineSettings, PreprocessSettings
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.errors import CohortError
from ptacl_core.preprocess import prepare_cine, prepare_ecg
from ptacl_core.progress import ProgressSink
from ptacl_core.records import (
    PHENOTYPE_NAMES,
    CineRecord,
    EcgRecord,
    PreparedCine,
    PreparedEcg,
)
from ptacl_core.safety.processes.pool import open_process_pool
from ptacl_core.shards import (
    Rejection,
    ShardEntry,
    ShardWriter,
    assign_exact_splits,
    is_complete_shard,
    merge_manifests,
)
from ptacl_core.simulate import SimulatedPatients, simulate_patients
from ptacl_core.simulate.ecg.rhythm import SAMPLING_RATE_HZ

VISIT = 2
"""UK Biobank's first imaging visit, so that files and shards name the same visit."""
ROWS_PER_SHARD = 256
BATCH_SIZE = 32
MAX_DEFAULT_WORKERS = 4
"""Each worker holds about 0.6 GiB, so that the default stays below 4 GiB on any machine."""
MIN_SHARDS_FOR_WORKERS = 4
"""Below, starting processes costs more than it gains."""
_PREFIX = "part-"


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to make: its number, its first patient, and the split of each patient."""

    number: int
    first_patient: int
    splits: Sequence[str]


def write_simulated_shards(
    directory: Path,
    settings: SimulationSettings,
    *,
    num_workers: int,
    device: str,
    progress: ProgressSink,
    rows_per_shard: int = ROWS_PER_SHARD,
    left_out: frozenset[str] = frozenset(),
) -> int:
    """Make the shards of the cohort that are not complete yet; how many patients that took.

    The bytes do not depend on `num_workers`. Patients in `left_out` withdrew. Raises
    CohortError when a worker process dies, OSError when the disk is full.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    tasks = [
        task
        for task in _divide(settings, rows_per_shard)
        if not is_complete_shard(directory / f"{_PREFIX}{task.number:05d}")
    ]
    num_patients = sum(len(task.splits) for task in tasks)
    progress.start("simulate", num_patients, "patients")
    if min(num_workers, len(tasks)) > 1:
        _make_in_processes(directory, settings, tasks, device, num_workers, progress, left_out)
    else:
        for task in tasks:
            for count in make_shard(directory, settings, task, device, left_out):
                progress.advance("simulate", count)
    merge_manifests(directory)
    progress.finish("simulate")
    return num_patients


def choose_num_workers(settings: SimulationSettings, wanted: int | None) -> int:
    """Processes to make shards in: as wanted, or one a core, at most four, for large cohorts."""
    num_shards = -(-settings.num_patients // ROWS_PER_SHARD)
    if wanted is None:
        is_worth_it = num_shards >= MIN_SHARDS_FOR_WORKERS
        wanted = min(os.cpu_count() or 1, MAX_DEFAULT_WORKERS) if is_worth_it else 1
    return min(wanted, num_shards)


def name_patient(index: int) -> str:
    """Pseudonym of the simulated patient `index`."""
    return f"S{index:06d}"


def assign_splits(settings: SimulationSettings) -> list[str]:
    """The split of each patient: exactly the cohort's counts, by hash."""
    names = [name_patient(index) for index in range(settings.num_patients)]
    splits = assign_exact_splits(
        names, salt=f"simulated-{settings.seed}", counts=settings.split.resolve(len(names))
    )
    return [splits[name] for name in names]


def make_shard(
    directory: Path,
    settings: SimulationSettings,
    task: ShardTask,
    device: str,
    left_out: frozenset[str] = frozenset(),
) -> Iterator[int]:
    """Make one shard, batch by batch; gives the patients made so far of each batch.

    A patient's recording that preprocessing rejects becomes a Rejection in the shard.
    """
    writer = ShardWriter(
        directory,
        preprocessing=PreprocessSettings(),
        prefix=_PREFIX,
        rows_per_shard=len(task.splits),
        first_shard=task.number,
    )
    for start in range(0, len(task.splits), BATCH_SIZE):
        splits = task.splits[start : start + BATCH_SIZE]
        first = task.first_patient + start
        patients = simulate_patients(settings, range(first, first + len(splits)), device=device)
        for position, split in enumerate(splits):
            if name_patient(first + position) not in left_out:
                _add_patient(writer, patients, position, split)
        yield len(splits)


def prepare_simulated(
    patients: SimulatedPatients, position: int
) -> tuple[PreparedEcg, PreparedCine]:
    """One simulated patient through the preprocessing that files go through."""
    settings = PreprocessSettings()
    record = EcgRecord(
        signal_mv=patients.ecg_mv[position].cpu().numpy(),
        sampling_rate_hz=float(SAMPLING_RATE_HZ),
        source_format="simulated",
    )
    frames = patients.cine[position].cpu().numpy().astype(np.float32)
    interval_ms = float(patients.frame_interval_ms[position])
    pixel_mm = settings.cine.pixel_mm or 1.0
    centre = (frames.shape[-1] - 1) / 2
    cine = CineRecord(
        frames=frames[None],
        spacing_mm=(10.0, pixel_mm, pixel_mm),
        frame_times_ms=np.arange(len(frames)) * interval_ms,
        source_format="simulated",
    )
    whole_image = CineSettings(**{**settings.cine.model_dump(), "centre_px": (centre, centre)})
    return prepare_ecg(record, settings.ecg), prepare_cine(cine, whole_image)


def _divide(settings: SimulationSettings, rows_per_shard: int) -> list[ShardTask]:
    splits = assign_splits(settings)
    return [
        ShardTask(number, first, splits[first : first + rows_per_shard])
        for number, first in enumerate(range(0, len(splits), rows_per_shard))
    ]


def _add_patient(
    writer: ShardWriter, patients: SimulatedPatients, position: int, split: str
) -> None:
    name = name_patient(int(patients.indices[position]))
    ecg, cine = prepare_simulated(patients, position)
    for modality, prepared in (("ecg", ecg), ("cmr", cine)):
        for finding in prepared.findings:
            if finding.severity == "reject":
                writer.reject(Rejection(name, VISIT, modality, "", finding.code, finding.message))
    writer.add(
        ShardEntry(
            name,
            VISIT,
            split,
            ecg if ecg.is_accepted else None,
            cine if cine.is_accepted else None,
            _attributes(patients, position),
        )
    )


def _attributes(patients: SimulatedPatients, position: int) -> Mapping[str, object]:
    phenotypes = patients.phenotypes[position].cpu().numpy()
    return {
        "sex": patients.sex[position],
        **{
            name: float(getattr(patients, name)[position])
            for name in ("age_years", "height_cm", "weight_kg", "bmi_kg_m2")
        },
        **{name: float(value) for name, value in zip(PHENOTYPE_NAMES, phenotypes, strict=True)},
        "ecg_format": "simulated",
        "cmr_format": "simulated",
    }


def _make_in_processes(
    directory: Path,
    settings: SimulationSettings,
    tasks: Sequence[ShardTask],
    device: str,
    num_workers: int,
    progress: ProgressSink,
    left_out: frozenset[str],
) -> None:
    with open_process_pool(min(num_workers, len(tasks))) as pool:
        futures = [
            pool.submit(_make_whole_shard, directory, settings, task, device, left_out)
            for task in tasks
        ]
        try:
            for future in as_completed(futures):
                progress.advance("simulate", future.result())
        except BrokenProcessPool:
            raise CohortError(
                f"{directory.parent.name}: a process that makes patients ended by itself, most "
                "likely out of memory; the same command goes on from what is finished, with "
                "--workers 1 in the least memory"
            ) from None
        except BaseException:
            progress.say("stopping: the shards under way are finished first")
            raise


def _make_whole_shard(
    directory: Path,
    settings: SimulationSettings,
    task: ShardTask,
    device: str,
    left_out: frozenset[str],
) -> int:
    return sum(make_shard(directory, settings, task, device, left_out))
