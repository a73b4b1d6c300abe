"""Recordings in memory, with the reading methods of `ShardReader`, and small building blocks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from ptacl_core.arrays import Array
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.config.training import RunSettings
from ptacl_core.records import PHENOTYPE_NAMES, PreparedCine, PreparedEcg
from ptacl_core.shards import ShardEntry, ShardWriter


@dataclass
class MemoryReader:
    """Synthetic paired recordings: a beat every `rr` samples, a cine that follows its phase."""

    num_patients: int = 24
    seed: int = 0
    num_val: int = 8
    preprocessing: PreprocessSettings = field(default_factory=PreprocessSettings)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        count = self.num_patients
        self.ecg = random.standard_normal((count, 12, 5000)).astype(np.float16)
        self.cine = random.integers(0, 256, (count, 50, 84, 84), dtype=np.uint8)
        self.peaks = [
            np.arange(int(random.integers(0, 200)), 5000, int(random.integers(300, 600)))
            for _ in range(count)
        ]
        self.targets = random.normal(100.0, 15.0, (count, 10))
        self.targets[::5, 3] = np.nan
        self.preprocessing_hash = self.preprocessing.hash()
        self.patients = [f"p{index:04d}" for index in range(count)]

    def rows(self, split: str | None = None, *, needs: tuple[str, ...] = ("ecg", "cmr")) -> Array:
        first = {"train": self.num_val, "val": 0, None: 0}[split]
        last = {"train": self.num_patients, "val": self.num_val, None: self.num_patients}[split]
        return np.arange(first, last, dtype=np.int64)

    def read_ecg(self, rows: Array) -> Array:
        return self.ecg[rows]

    def read_cine_bytes(self, rows: Array) -> Array:
        return self.cine[rows]

    def r_peaks(self, rows: Array) -> list[Array]:
        return [self.peaks[row].astype(np.int64) for row in rows]

    def phenotypes(self, rows: Array) -> Array:
        return self.targets[rows]


@pytest.fixture(scope="session")
def reader() -> MemoryReader:
    return MemoryReader()


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cohort_dir(tmp_path_factory) -> Path:
    """Real shards of 22 noise patients: 16 to train on, 6 to validate."""
    cohort = tmp_path_factory.mktemp("training-cohort")
    random = np.random.default_rng(0)
    writer = ShardWriter(cohort / "shards", preprocessing=PreprocessSettings(), rows_per_shard=10)
    for index in range(22):
        signal = random.standard_normal((12, 5000)).astype(np.float32)
        peaks = np.arange(100, 5000, int(random.integers(300, 600)))
        phenotypes = random.normal(100.0, 15.0, 10).tolist()
        if index == 9:
            phenotypes[3] = None
        writer.add(
            ShardEntry(
                patient=f"p{index}",
                visit=2,
                split="val" if index < 6 else "train",
                ecg=PreparedEcg(signal, signal, peaks, 75.0),
                cine=PreparedCine(random.random((50, 84, 84), dtype=np.float32), 5, (40.0, 40.0)),
                attributes=dict(zip(PHENOTYPE_NAMES, phenotypes, strict=True)),
            )
        )
    writer.finish()
    return cohort


@pytest.fixture
def tiny() -> Callable[..., RunSettings]:
    """Settings of the preset `tiny` with `key=value` overrides."""
    return lambda *overrides: load_run_settings("tiny", overrides=overrides)


class Narrator:
    """A progress sink that remembers what was said and can fail at a step of a stage."""

    def __init__(self, fail_at: tuple[str, int] | None = None):
        self.lines: list[str] = []
        self.fail_at = fail_at
        self.steps: dict[str, int] = {}

    def start(self, task: str, total: int | None, unit: str) -> None:
        self.steps[task] = 0

    def advance(self, task: str, amount: int = 1, **figures: float) -> None:
        self.steps[task] += amount
        if self.fail_at is not None and self.fail_at == (task, self.steps[task]):
            raise PowerCut

    def finish(self, task: str) -> None: ...

    def say(self, line: str) -> None:
        self.lines.append(line)


class PowerCut(Exception):  # noqa: N818
    """Ends a training where it stands, without any of its own code running."""


@pytest.fixture
def narrator() -> type[Narrator]:
    return Narrator


@pytest.fixture
def power_cut() -> type[PowerCut]:
    return PowerCut
