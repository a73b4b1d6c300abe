"""Which recordings a step trains on: a function of (seed, epoch, position) and nothing else."""

import queue
import threading
from collections.abc import Generator as PythonGenerator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.augment import BatchDraws
from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Bool, Float, Generator, Tensor, UInt8, move_to_device
from ptacl_core.train.distributed import World
from ptacl_core.train.randomness import epoch_order
from ptacl_core.train.recordings import (
    PendingCopy,
    ReadArrays,
    Recordings,
    StreamedRecordings,
    Taken,
)
from ptacl_core.train.visits import separate_visits


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Whole recordings of this process's share of one global batch.

    `start` and `global_size` say where the share lies in the global batch; `targets` are
    z-scored phenotypes, NaN where absent.
    """

    epoch: int
    index: int
    rows: Int64[Array, " batch"]
    start: int
    global_size: int
    ecg: Float[Tensor, "batch 12 sample"] | None = None
    cine: (
        UInt8[Tensor, "batch frame height width"]
        | Float[Tensor, "batch frame side side"]
        | Float[Tensor, "batch value"]
        | None
    ) = None
    r_peaks: tuple[Int64[Array, " _"], ...] | None = None
    targets: Float[Tensor, "batch target"] | None = None

    @property
    def share(self) -> slice:
        """This process's rows within the global batch."""
        return slice(self.start, self.start + len(self.rows))

    def draws(self, generator: Generator) -> BatchDraws:
        """`generator` for the rows of this share, whatever the number of processes."""
        return BatchDraws(generator, self.start, self.global_size)

    def find_unsound(self) -> Bool[Tensor, " batch"] | None:
        """Which rows have an ECG that holds values that are not finite; None without ECGs."""
        if self.ecg is None:
            return None
        return ~torch.isfinite(self.ecg).flatten(1).all(dim=1)

    def describe_fault(self, is_unsound: Bool[Tensor, " batch"] | None) -> str:
        """Name the rows that `find_unsound` found."""
        if is_unsound is not None and bool(is_unsound.any()):
            rows = ", ".join(str(row) for row in self.rows[is_unsound.cpu().numpy()])
            return f"the ECG of manifest row {rows} holds values that are not finite"
        return "its recordings are all finite"

    def without_recordings(self) -> "Batch":
        """What names the batch, without what fills memory."""
        return replace(self, ecg=None, cine=None, targets=None)


BatchStream = PythonGenerator[Batch, None, None]
"""Batches one after another, without end; whoever reads them closes it."""


class BatchOrder:
    """Rows of every step: each epoch a fresh order, cut into complete global batches.

    With `people`, a number per row, no batch holds two visits of one person.
    """

    def __init__(
        self,
        num_rows: int,
        batch_size: int,
        *,
        seed: int,
        stage: str,
        world: World,
        people: Int64[Array, " row"] | None = None,
    ):
        if batch_size % world.size != 0:
            raise ConfigError(
                f"stage {stage}: batch_size {batch_size} does not divide among {world.size} "
                f"processes; take a multiple of {world.size}"
            )
        if num_rows < world.size:
            raise ConfigError(
                f"stage {stage}: {num_rows} training recordings for {world.size} processes"
            )
        self.num_rows, self.seed, self.stage, self.world = num_rows, seed, stage, world
        self.batch_size = min(batch_size, num_rows - num_rows % world.size)
        self.steps_per_epoch = num_rows // self.batch_size
        self._people = people
        self._separated: tuple[int, Int64[Array, " row"]] | None = None

    def locate(self, step: int) -> tuple[int, int, Int64[Array, " batch"], int]:
        """(epoch, index in it, this process's positions, where they start) of a step."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = self._order(epoch)
        share = self.batch_size // self.world.size
        start = self.world.rank * share
        first = index * self.batch_size + start
        return epoch, index, order[first : first + share].copy(), start

    def _order(self, epoch: int) -> Int64[Array, " row"]:
        """The epoch's order, kept until the next one is asked for."""
        if self._separated is not None and self._separated[0] == epoch:
            return self._separated[1]
        order = epoch_order(self.num_rows, seed=self.seed, stage=self.stage, epoch=epoch)
        if self._people is not None:
            order = separate_visits(order, self._people, batch_size=self.batch_size)
        self._separated = (epoch, order)
        return order


class FixedOrder:
    """All rows once in their own order, in equal batches of at most `batch_size`.

    Up to (number of batches − 1) last rows are left out to make them equal. A batch is whole
    whatever the number of processes: each of them measures batches of its own.
    """

    def __init__(self, num_rows: int, batch_size: int):
        self.num_batches = max(1, -(-num_rows // batch_size))
        self.batch_size = num_rows // self.num_batches

    def locate(self, step: int) -> tuple[int, int, Int64[Array, " batch"], int]:
        """(0, index, its positions, 0) of batch `step`."""
        first = step * self.batch_size
        return 0, step, np.arange(first, first + self.batch_size, dtype=np.int64), 0


class Batches:
    """Batches of `rows` in an order, with what belongs to each row.

    With `prefetch` > 0 a thread reads that many batches ahead; the batches are the same.
    """

    def __init__(
        self,
        order: BatchOrder | FixedOrder,
        rows: Int64[Array, " row"],
        recordings: Recordings,
        *,
        r_peaks: Sequence[Int64[Array, " _"]] | None = None,
        targets: Float32[Array, "row target"] | None = None,
        prefetch: int = 0,
    ):
        self.order, self.rows, self.recordings = order, rows, recordings
        self.r_peaks, self.prefetch = r_peaks, prefetch
        self.targets = (
            None
            if targets is None
            else move_to_device(torch.from_numpy(targets), recordings.device)
        )

    def load(self, step: int) -> Batch:
        """The batch of `step`. Raises ShardError when its recordings cannot be read."""
        return self._attach(step, self.recordings.take(self.order.locate(step)[2]))

    def _attach(self, step: int, recordings: Taken) -> Batch:
        epoch, index, positions, start = self.order.locate(step)
        ecg, cine = recordings
        targets = None
        if self.targets is not None:
            chosen = move_to_device(torch.from_numpy(positions), self.targets.device)
            targets = self.targets[chosen]
        return Batch(
            epoch=epoch,
            index=index,
            rows=self.rows[positions],
            start=start,
            global_size=self.order.batch_size,
            ecg=ecg,
            cine=cine,
            r_peaks=None if self.r_peaks is None else tuple(self.r_peaks[i] for i in positions),
            targets=targets,
        )

    def iterate(self, first_step: int) -> BatchStream:
        """Batches of `first_step` and after, without end; close the iterator when done."""
        if self.prefetch == 0 or not isinstance(self.recordings, StreamedRecordings):
            step = first_step
            while True:
                yield self.load(step)
                step += 1
        else:
            yield from self._iterate_ahead(first_step, self.recordings)

    def _iterate_ahead(self, first_step: int, recordings: StreamedRecordings) -> Iterator[Batch]:
        """A thread reads; this one copies the next batch to a GPU while it computes on the last."""
        ready: queue.Queue[ReadArrays | Exception] = queue.Queue(maxsize=self.prefetch)
        is_over = threading.Event()

        def offer(item: ReadArrays | Exception) -> None:
            while not is_over.is_set():
                try:
                    ready.put(item, timeout=0.1)
                except queue.Full:
                    continue
                return

        def read() -> None:
            step = first_step
            while not is_over.is_set():
                try:
                    offer(recordings.read(self.order.locate(step)[2]))
                except Exception as error:  # noqa: BLE001  raised again where it is awaited
                    offer(error)
                    return
                step += 1

        thread = threading.Thread(target=read, name="batches", daemon=True)
        thread.start()

        def start_next() -> PendingCopy:
            item = ready.get()
            if isinstance(item, Exception):
                raise item
            return recordings.start_copy(item)

        try:
            step, coming = first_step, start_next()
            while True:
                yield self._attach(step, recordings.finish_copy(coming))
                step, coming = step + 1, start_next()
        finally:
            is_over.set()
            thread.join()
