"""Shards of simulated patients: the same in any number of processes, and after any stop."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.errors import CohortError
from ptacl_core.progress import SILENT
from ptacl_core.shards import ShardReader
from ptacl_core.simulate import Generation, draw_truth
from ptacl_core.stages.simulate.card import (
    read_probe_features,
    record_generation,
    sum_generation,
)
from ptacl_core.stages.simulate.shards import choose_num_workers, write_simulated_shards

NUM_PATIENTS = 10
ROWS_PER_SHARD = 4


@pytest.fixture(scope="module")
def settings() -> SimulationSettings:
    return load_cohort_settings("tiny", num_patients=NUM_PATIENTS, lead_fault_share=0.3)


def make(cohort: Path, settings: SimulationSettings, num_workers: int) -> int:
    return write_simulated_shards(
        cohort / "shards",
        settings,
        num_workers=num_workers,
        device="cpu",
        progress=SILENT,
        rows_per_shard=ROWS_PER_SHARD,
    )


@pytest.fixture(scope="module")
def cohort(settings: SimulationSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("simulated")
    assert make(path, settings, 1) == NUM_PATIENTS
    return path


def contents(cohort: Path) -> dict[str, bytes]:
    files = sorted(path for path in (cohort / "shards").rglob("*") if path.is_file())
    return {str(path.relative_to(cohort)): path.read_bytes() for path in files}


def test_two_processes_write_the_bytes_of_one(
    cohort: Path, settings: SimulationSettings, tmp_path: Path
) -> None:
    assert make(tmp_path, settings, 2) == NUM_PATIENTS
    assert contents(tmp_path) == contents(cohort)


def test_every_patient_is_there_once_in_the_split_counts_of_the_cohort(
    cohort: Path, settings: SimulationSettings
) -> None:
    with ShardReader.open(cohort) as reader:
        assert reader.patients == [f"S{number:06d}" for number in range(NUM_PATIENTS)]
        counted = tuple(reader.splits.count(name) for name in ("train", "val", "test"))
        everyone = np.arange(NUM_PATIENTS)
        expected = draw_truth(settings, range(NUM_PATIENTS)).phenotypes.numpy()
        np.testing.assert_array_equal(reader.phenotypes(everyone), expected)
    assert counted == settings.split.resolve(NUM_PATIENTS)


def test_a_stopped_call_goes_on_with_the_shards_that_are_missing(
    cohort: Path, settings: SimulationSettings, tmp_path: Path
) -> None:
    shutil.copytree(cohort / "shards", tmp_path / "shards")
    (tmp_path / "shards" / "part-00001" / "shard.json").unlink()
    (tmp_path / "shards" / "part-00001" / "cine.npy").write_bytes(b"half")
    (tmp_path / "shards" / "manifest.parquet").unlink()
    assert make(tmp_path, settings, 1) == ROWS_PER_SHARD
    assert contents(tmp_path) == contents(cohort)
    assert make(tmp_path, settings, 1) == 0


def test_read_outs_take_the_recordings_of_the_shards_without_faults(
    cohort: Path, settings: SimulationSettings
) -> None:
    truth = draw_truth(settings, range(NUM_PATIENTS))
    sound = {number for number, fault in enumerate(truth.lead_faults) if not fault}
    assert 0 < len(sound) < NUM_PATIENTS
    features, num_train = read_probe_features(cohort, settings)
    with ShardReader.open(cohort) as reader:
        training = [row for row in reader.rows("train") if int(row) in sound]
        others = [row for row in reader.rows() if int(row) in sound and row not in training]
    assert num_train == len(training)
    np.testing.assert_array_equal(
        features.phenotypes[:num_train], truth.phenotypes.numpy()[training]
    )
    assert len(features.phenotypes) == len(training) + len(others)
    assert np.isfinite(features.ecg).all()
    assert features.cine is not None
    assert features.cine.min() >= 0
    assert features.cine.max() <= 1


def test_times_of_interrupted_calls_add_up(tmp_path: Path) -> None:
    assert sum_generation(tmp_path) is None
    record_generation(tmp_path, Generation(256, 10.0, 2, "cpu"))
    record_generation(tmp_path, Generation(44, 5.0, 1, "cpu"))
    assert sum_generation(tmp_path) == Generation(300, 15.0, 2, "cpu")
    (tmp_path / "generation.json").write_text("{")
    with pytest.raises(CohortError, match=r"generation\.json"):
        sum_generation(tmp_path)


def test_processes_are_started_for_large_cohorts_only() -> None:
    tiny, bench = load_cohort_settings("tiny"), load_cohort_settings("bench")
    assert choose_num_workers(tiny, None) == 1
    assert 1 <= choose_num_workers(bench, None) <= 4
    assert choose_num_workers(tiny, 8) == 2
    assert choose_num_workers(bench, 8) == 8
