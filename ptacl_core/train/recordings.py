"""Recordings as training takes them: resident in memory when they fit, else read per batch."""

import threading
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from ptacl_core.arrays import Array, Float64, Int64, UInt8
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.tensors import Tensor

_ROWS_PER_READ = 128


@runtime_checkable
class RecordingReader(Protocol):
    """What training needs of `ShardReader`."""

    preprocessing: PreprocessSettings

    def rows(
        self, split: str | None = None, *, needs: tuple[str, ...] = ("ecg", "cmr")
    ) -> Int64[Array, " row"]:
        """Row numbers of a split with every modality in `needs`."""
        ...

    def read_ecg(self, rows: Int64[Array, " row"]) -> Array:
        """Normalised ECGs, float16 [row, 12, sample]."""
        ...

    def read_cine(self, rows: Int64[Array, " row"]) -> UInt8[Array, "row frame height width"]:
        """Cines, 0–255 for [0, 1]."""
        ...

    def r_peaks(self, rows: Int64[Array, " row"]) -> list[Int64[Array, " _"]]:
        """R peaks of each row, in samples."""
        ...

    def phenotypes(self, rows: Int64[Array, " row"]) -> Float64[Array, "row target"]:
        """Phenotypes, NaN where absent."""
        ...


@runtime_checkable
class Recordings(Protocol):
    """Gives whole recordings on `device` by their positions in a list of rows."""

    device: torch.device
    is_resident: bool

    def take(self, positions: Int64[Array, " batch"]) -> tuple[Tensor | None, Tensor | None]:
        """(ECG float16, cine uint8) of the positions, None for a modality not wanted."""
        ...


class ResidentRecordings:
    """All recordings of `rows` as tensors on `device`, in the formats of the shards."""

    is_resident = True

    def __init__(
        self,
        reader: RecordingReader,
        rows: Int64[Array, " row"],
        *,
        modalities: tuple[str, ...],
        device: torch.device,
        progress: ProgressSink = SILENT,
    ):
        self.device = device
        task = "reading recordings"
        progress.start(task, len(rows), "patients")
        self._arrays: dict[str, Tensor] = {}
        for start in range(0, len(rows), _ROWS_PER_READ):
            piece = rows[start : start + _ROWS_PER_READ]
            for modality in modalities:
                values = torch.from_numpy(_read(reader, modality, piece))
                if modality not in self._arrays:
                    self._arrays[modality] = torch.empty(
                        (len(rows), *values.shape[1:]), dtype=values.dtype, device=device
                    )
                self._arrays[modality][start : start + len(piece)] = values.to(device)
            progress.advance(task, len(piece))
        progress.finish(task)

    def take(self, positions: Int64[Array, " batch"]) -> tuple[Tensor | None, Tensor | None]:
        """Recordings of the positions, gathered on the device."""
        index = torch.from_numpy(positions).to(self.device)
        ecg, cine = self._arrays.get("ecg"), self._arrays.get("cmr")
        return (
            None if ecg is None else ecg[index],
            None if cine is None else cine[index],
        )


class StreamedRecordings:
    """Reads the recordings of each batch from the shards; safe to call from threads."""

    is_resident = False

    def __init__(
        self,
        reader: RecordingReader,
        rows: Int64[Array, " row"],
        *,
        modalities: tuple[str, ...],
        device: torch.device,
    ):
        self.reader, self.rows, self.modalities, self.device = reader, rows, modalities, device
        self._lock = threading.Lock()

    def take(self, positions: Int64[Array, " batch"]) -> tuple[Tensor | None, Tensor | None]:
        """Recordings of the positions, read and moved to the device. Raises ShardError."""
        rows = self.rows[positions]
        with self._lock:
            read = {name: _read(self.reader, name, rows) for name in self.modalities}
        moved = {name: self._move(values) for name, values in read.items()}
        return moved.get("ecg"), moved.get("cmr")

    def _move(self, values: Array) -> Tensor:
        tensor = torch.from_numpy(values)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def open_recordings(
    reader: RecordingReader,
    rows: Int64[Array, " row"],
    *,
    modalities: tuple[str, ...],
    device: torch.device,
    memory_budget_gib: float,
    progress: ProgressSink = SILENT,
) -> ResidentRecordings | StreamedRecordings:
    """Resident recordings when they fit the budget (and 60 % of a GPU's free memory)."""
    budget = memory_budget_gib * 2**30
    if device.type == "cuda":
        budget = min(budget, 0.6 * torch.cuda.mem_get_info(device)[0])
    needed = sum(_read(reader, name, rows[:1]).nbytes for name in modalities) * len(rows)
    if needed <= budget:
        return ResidentRecordings(
            reader, rows, modalities=modalities, device=device, progress=progress
        )
    progress.say(
        f"{needed / 2**30:.1f} GiB of recordings exceed the budget of {budget / 2**30:.1f} GiB: "
        "they are read from the shards batch by batch"
    )
    return StreamedRecordings(reader, rows, modalities=modalities, device=device)


def _read(reader: RecordingReader, modality: str, rows: Int64[Array, " row"]) -> Array:
    values = reader.read_ecg(rows) if modality == "ecg" else reader.read_cine(rows)
    return np.ascontiguousarray(values)
