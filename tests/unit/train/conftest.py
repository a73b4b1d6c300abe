"""Recordings in memory, with the reading methods of `ShardReader`, and small building blocks."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from ptacl_core.arrays import Array
from ptacl_core.config.preprocess import PreprocessSettings


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

    def read_cine(self, rows: Array) -> Array:
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
