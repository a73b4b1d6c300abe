"""Recordings as training takes them: resident in memory when they fit, else read per batch."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from ptacl_core.arrays import Array, Float32, Float64, Int64, UInt8
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.tensors import Tensor, move_to_device

_ROWS_PER_READ = 128


@runtime_checkable
class RecordingReader(Protocol):
    """What training needs of `ShardReader`."""

    def rows(
        self, split: str | None = None, *, needs: tuple[str, ...] = ("ecg", "cmr")
    ) -> Int64[Array, " row"]:
        """Row numbers of a split with every modality in `needs`."""
        ...

    def read_ecg(self, rows: Int64[Array, " row"]) -> Array:
        """Normalised ECGs, float16 [row, 12, sample]."""
        ...

    def read_cine_bytes(self, rows: Int64[Array, " row"]) -> UInt8[Array, "row frame height width"]:
        """Cines in 255 steps: resident and sent as bytes; views scale them."""
        ...

    def r_peaks(self, rows: Int64[Array, " row"]) -> list[Int64[Array, " _"]]:
        """R peaks of each row, in samples."""
        ...

    def phenotypes(self, rows: Int64[Array, " row"]) -> Float64[Array, "row target"]:
        """Phenotypes, NaN where absent."""
        ...


Taken = tuple[Tensor | None, Tensor | None]
"""(ECG float16, cine uint8 or averaged float32) of some rows, None for a modality not wanted."""

ReadArrays = dict[str, Array]
"""What was read of some rows, by modality, in the host's memory."""


@dataclass(frozen=True, slots=True)
class PendingCopy:
    """Recordings on their way to the device; `is_there` is None where nothing travels."""

    taken: Taken
    is_there: torch.cuda.Event | None


@runtime_checkable
class Recordings(Protocol):
    """Gives whole recordings on `device` by their positions in a list of rows."""

    device: torch.device
    is_resident: bool

    def take(self, positions: Int64[Array, " batch"]) -> Taken:
        """Recordings of the positions."""
        ...


class ResidentRecordings:
    """All recordings of `rows` as tensors on `device`, in the formats of the shards.

    With `averaged_px` the frames of cines are averaged to that side as they are read.
    """

    is_resident = True

    def __init__(
        self,
        reader: RecordingReader,
        rows: Int64[Array, " row"],
        *,
        modalities: tuple[str, ...],
        device: torch.device,
        averaged_px: int | None = None,
        progress: ProgressSink = SILENT,
    ):
        self.device = device
        task = "reading recordings"
        progress.start(task, len(rows), "patients")
        self._arrays: dict[str, Tensor] = {}
        for start in range(0, len(rows), _ROWS_PER_READ):
            piece = rows[start : start + _ROWS_PER_READ]
            for modality in modalities:
                values = torch.from_numpy(_read(reader, modality, piece, averaged_px))
                if modality not in self._arrays:
                    self._arrays[modality] = torch.empty(
                        (len(rows), *values.shape[1:]), dtype=values.dtype, device=device
                    )
                self._arrays[modality][start : start + len(piece)] = values.to(device)
            progress.advance(task, len(piece))
        progress.finish(task)

    def take(self, positions: Int64[Array, " batch"]) -> Taken:
        """Recordings of the positions, gathered on the device."""
        index = move_to_device(torch.from_numpy(positions), self.device)
        ecg, cine = self._arrays.get("ecg"), self._arrays.get("cmr")
        return (
            None if ecg is None else ecg[index],
            None if cine is None else cine[index],
        )


class StreamedRecordings:
    """Reads the recordings of each batch from the shards.

    `read` may be called from another thread than `start_copy` and `finish_copy`.
    """

    is_resident = False

    def __init__(
        self,
        reader: RecordingReader,
        rows: Int64[Array, " row"],
        *,
        modalities: tuple[str, ...],
        device: torch.device,
        averaged_px: int | None = None,
    ):
        self.reader, self.rows, self.modalities, self.device = reader, rows, modalities, device
        self._averaged_px = averaged_px
        self._lock = threading.Lock()
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None

    def take(self, positions: Int64[Array, " batch"]) -> Taken:
        """Recordings of the positions, read and moved to the device. Raises ShardError."""
        return self.finish_copy(self.start_copy(self.read(positions)))

    def read(self, positions: Int64[Array, " batch"]) -> ReadArrays:
        """Recordings of the positions in the host's memory. Raises ShardError."""
        rows = self.rows[positions]
        with self._lock:
            return {
                name: _read(self.reader, name, rows, self._averaged_px) for name in self.modalities
            }

    def start_copy(self, arrays: ReadArrays) -> PendingCopy:
        """Send what was read to the device, beside what the device computes."""
        if self._copies is None:
            return PendingCopy(self._move(arrays), None)
        with torch.cuda.stream(self._copies):
            taken = self._move(arrays)
            is_there = torch.cuda.Event()
            is_there.record()
        return PendingCopy(taken, is_there)

    def finish_copy(self, pending: PendingCopy) -> Taken:
        """What was sent; the device, not the host, waits until it is there."""
        if pending.is_there is not None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(pending.is_there)
            for values in pending.taken:
                if values is not None:
                    values.record_stream(stream)
        return pending.taken

    def _move(self, arrays: ReadArrays) -> Taken:
        moved = {
            name: move_to_device(torch.from_numpy(values), self.device)
            for name, values in arrays.items()
        }
        return moved.get("ecg"), moved.get("cmr")


def open_recordings(
    reader: RecordingReader,
    rows: Int64[Array, " row"],
    *,
    modalities: tuple[str, ...],
    device: torch.device,
    memory_budget_gib: float | None = None,
    memory_share: float = 1.0,
    averaged_px: int | None = None,
    progress: ProgressSink = SILENT,
) -> ResidentRecordings | StreamedRecordings:
    """Resident recordings when they fit into what is free on the device, measured now.

    `memory_budget_gib` bounds it further; `memory_share` is this run's part where several
    run on one device. With `averaged_px` cines are kept as frames averaged to that side, for
    an encoder that sees no more of them.
    """
    budget = memory_share * measure_free_memory(device)
    if memory_budget_gib is not None:
        budget = min(budget, memory_budget_gib * 2**30)
    needed = len(rows) * sum(
        _read(reader, name, rows[:1], averaged_px).nbytes for name in modalities
    )
    if needed <= budget:
        return ResidentRecordings(
            reader,
            rows,
            modalities=modalities,
            device=device,
            averaged_px=averaged_px,
            progress=progress,
        )
    progress.say(
        f"{needed / 2**30:.1f} GiB of recordings exceed the {budget / 2**30:.1f} GiB that they "
        "may take: they are read from the shards batch by batch"
    )
    return StreamedRecordings(
        reader, rows, modalities=modalities, device=device, averaged_px=averaged_px
    )


def measure_free_memory(device: torch.device) -> float:
    """Bytes that recordings may take: 60 % of a GPU's free memory, or half of the host's.

    The rest is for what training itself needs, of which activations are the most.
    """
    if device.type == "cuda":
        return 0.6 * torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        facts = dict(line.split(":", 1) for line in lines)
        return 0.5 * int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):  # no Linux: what there is, not what is free
        return 0.25 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _read(
    reader: RecordingReader, modality: str, rows: Int64[Array, " row"], averaged_px: int | None
) -> Array:
    values = reader.read_ecg(rows) if modality == "ecg" else reader.read_cine_bytes(rows)
    if modality == "ecg" or averaged_px is None:
        return np.ascontiguousarray(values)
    return average_bytes(values, averaged_px)


def average_bytes(
    frames: UInt8[Array, "row frame height width"], side_px: int
) -> Float32[Array, "row frame side side"]:
    """Square frames in [0, 1], averaged over equal squares to `side_px`.

    Sums of whole numbers, five times faster than averaging floats.
    """
    cell = frames.shape[-1] // side_px
    columns = frames.reshape(*frames.shape[:-1], side_px, cell)
    by_row = sum(columns[..., index].astype(np.uint32) for index in range(cell))
    cut = np.reshape(by_row, (*frames.shape[:2], side_px, cell, side_px))
    return (cut.sum(axis=3) / (255.0 * cell * cell)).astype(np.float32)
