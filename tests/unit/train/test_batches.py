import itertools

import numpy as np
import pytest
import torch

from ptacl_core.errors import ConfigError, ShardError
from ptacl_core.progress import SilentProgress
from ptacl_core.train.batches import Batches, BatchOrder, FixedOrder
from ptacl_core.train.distributed import World
from ptacl_core.train.recordings import (
    ResidentRecordings,
    StreamedRecordings,
    open_recordings,
)

CPU = torch.device("cpu")


def order_of(num_rows=22, batch_size=8, seed=3, world=None):
    return BatchOrder(num_rows, batch_size, seed=seed, stage="align", world=world or World())


def test_an_epoch_visits_each_row_at_most_once_and_epochs_differ():
    order = order_of()
    assert order.steps_per_epoch == 2
    epochs = [
        np.concatenate([order.locate(step)[2] for step in (2 * epoch, 2 * epoch + 1)])
        for epoch in range(3)
    ]
    for positions in epochs:
        assert len(set(positions.tolist())) == 16
        assert positions.min() >= 0
        assert positions.max() < 22
    assert not np.array_equal(epochs[0], epochs[1])


def test_order_depends_on_seed_and_place_only():
    assert np.array_equal(order_of().locate(7)[2], order_of().locate(7)[2])
    assert not np.array_equal(order_of().locate(7)[2], order_of(seed=4).locate(7)[2])


def test_processes_share_the_global_batch_without_overlap():
    whole = order_of().locate(5)[2]
    shares = [order_of(world=World(rank=rank, size=4)).locate(5) for rank in range(4)]
    assert np.array_equal(np.concatenate([share[2] for share in shares]), whole)
    assert [share[3] for share in shares] == [0, 2, 4, 6]


def test_small_cohorts_shrink_the_batch():
    order = order_of(num_rows=5)
    assert (order.batch_size, order.steps_per_epoch) == (5, 1)
    assert order_of(num_rows=5, world=World(size=2)).batch_size == 4


@pytest.mark.parametrize(("batch_size", "num_rows"), [(7, 20), (8, 1)])
def test_shares_that_cannot_be_made_are_refused(batch_size, num_rows):
    with pytest.raises(ConfigError, match="2 processes"):
        order_of(num_rows=num_rows, batch_size=batch_size, world=World(size=2))


@pytest.mark.parametrize(("num_rows", "batch_size"), [(8, 8), (9, 8), (31, 8), (3, 8)])
def test_validation_covers_nearly_all_rows_in_equal_batches(num_rows, batch_size):
    order = FixedOrder(num_rows, batch_size)
    positions = np.concatenate([order.locate(i)[2] for i in range(order.num_batches)])
    assert order.batch_size <= batch_size
    assert np.array_equal(positions, np.arange(order.num_batches * order.batch_size))
    assert num_rows - len(positions) < order.num_batches


def batches_of(reader, *, kind, prefetch=0):
    rows = reader.rows("train")
    recordings = kind(reader, rows, modalities=("ecg", "cmr"), device=CPU)
    order = BatchOrder(len(rows), 4, seed=0, stage="align", world=World())
    return Batches(
        order,
        rows,
        recordings,
        r_peaks=reader.r_peaks(rows),
        targets=reader.phenotypes(rows).astype(np.float32),
        prefetch=prefetch,
    )


def test_batches_hold_the_recordings_of_their_rows(reader):
    batch = batches_of(reader, kind=ResidentRecordings).load(6)
    assert batch.ecg is not None
    assert batch.cine is not None
    assert batch.r_peaks is not None
    assert batch.targets is not None
    assert np.array_equal(batch.ecg.numpy(), reader.ecg[batch.rows])
    assert np.array_equal(batch.cine.numpy(), reader.cine[batch.rows])
    assert np.array_equal(batch.r_peaks[2], reader.peaks[batch.rows[2]])
    expected = reader.targets[batch.rows].astype(np.float32)
    assert np.array_equal(batch.targets.numpy(), expected, equal_nan=True)


@pytest.mark.parametrize("prefetch", [0, 1, 3])
def test_streaming_and_prefetching_change_nothing(reader, prefetch):
    resident = batches_of(reader, kind=ResidentRecordings)
    streamed = batches_of(reader, kind=StreamedRecordings, prefetch=prefetch)
    source = streamed.iterate(3)
    for step, batch in zip(range(3, 9), source, strict=False):
        expected = resident.load(step)
        assert (batch.epoch, batch.index) == (expected.epoch, expected.index)
        assert np.array_equal(batch.rows, expected.rows)
        assert batch.ecg is not None and expected.ecg is not None
        assert torch.equal(batch.ecg, expected.ecg)
        assert batch.cine is not None and expected.cine is not None
        assert torch.equal(batch.cine, expected.cine)
    source.close()


def test_a_reading_error_reaches_the_loop(reader, monkeypatch):
    batches = batches_of(reader, kind=StreamedRecordings, prefetch=2)

    def fail(rows):
        raise ShardError("part-00000/ecg.npy: row 3 ends early")

    monkeypatch.setattr(reader, "read_ecg", fail, raising=False)
    with pytest.raises(ShardError, match="row 3 ends early"):
        list(itertools.islice(batches.iterate(0), 2))


def test_recordings_are_streamed_when_they_exceed_the_budget(reader):
    lines = []

    class Listener(SilentProgress):
        def say(self, line: str) -> None:
            lines.append(line)

    def kind(budget_gib):
        return type(
            open_recordings(
                reader,
                reader.rows("train"),
                modalities=("ecg",),
                device=CPU,
                memory_budget_gib=budget_gib,
                progress=Listener(),
            )
        )

    assert kind(1.0) is ResidentRecordings
    assert lines == []
    assert kind(0.0001) is StreamedRecordings
    assert "0.0 GiB" in lines[0]


def test_a_fault_is_named_by_manifest_row(reader):
    batch = batches_of(reader, kind=ResidentRecordings).load(0)
    assert batch.describe_fault(batch.find_unsound()) == "its recordings are all finite"
    assert batch.ecg is not None
    batch.ecg[1, 3, 77] = float("nan")
    named = batch.without_recordings().describe_fault(batch.find_unsound())
    assert f"manifest row {batch.rows[1]} " in named
