import hashlib

import numpy as np
import pytest
import torch

from ptacl_core.preprocess import beat_step_matrix
from ptacl_core.train.batches import Batches, BatchOrder
from ptacl_core.train.distributed import World
from ptacl_core.train.randomness import derive_seed, epoch_order, seed_step
from ptacl_core.train.recordings import ResidentRecordings
from ptacl_core.train.views import CineViews, EcgViews

CPU = torch.device("cpu")
NO_ECG_CHANGE = {"surrogate_probability": 0.0, "jitter_std": 0.0, "rescale_std": 0.0}
ECG = EcgViews(crop_samples=2500, patch_samples=50, num_steps=13, strengths=NO_ECG_CHANGE)
NO_CINE_CHANGE = {
    "crop_scale": (1.0, 1.0),
    "crop_ratio": (1.0, 1.0),
    "rotation_deg": 0.0,
    "flip_probability": 0.0,
    "brightness": 0.0,
    "contrast": 0.0,
    "blur_probability": 0.0,
    "noise_probability": 0.0,
}
CINE = CineViews(num_frames=26, strengths=NO_CINE_CHANGE)


def batch_of(reader, *, rank=0, size=1, step=0):
    rows = reader.rows("train")
    order = BatchOrder(len(rows), 8, seed=0, stage="align", world=World(rank=rank, size=size))
    recordings = ResidentRecordings(reader, rows, modalities=("ecg", "cmr"), device=CPU)
    return Batches(order, rows, recordings, r_peaks=reader.r_peaks(rows)).load(step)


def draws_of(step=0):
    return seed_step(seed=1, stage="align", step=step, device=CPU)


def test_evaluation_takes_the_first_samples_and_even_frames(reader):
    batch = batch_of(reader)
    crops, starts = ECG.draw(batch, draws_of(), is_training=False)
    assert starts.tolist() == [0] * 8
    assert torch.equal(crops, torch.from_numpy(reader.ecg[batch.rows, :, :2500]).float())
    clips = CINE.draw(batch, draws_of(), is_training=False)
    frames = [50 * (2 * index + 1) // 52 for index in range(26)]
    expected = reader.cine[batch.rows][:, frames].astype(np.float32) / 255
    assert clips.numpy() == pytest.approx(expected, abs=1e-6)


def test_training_crops_are_windows_of_the_recording_and_peaks_travel_along(reader):
    batch = batch_of(reader)
    crops, starts = ECG.draw(batch, draws_of(), is_training=True)
    matrices, is_valid = ECG.beat_matrices(batch, starts)
    assert len(set(starts.tolist())) > 1
    for index, (row, start) in enumerate(zip(batch.rows, starts.tolist(), strict=True)):
        window = reader.ecg[row, :, start : start + 2500].astype(np.float32)
        assert crops[index].numpy() == pytest.approx(window, abs=1e-6)
        matrix, valid = beat_step_matrix(
            reader.peaks[row] - start, num_samples=2500, patch_samples=50, num_steps=13
        )
        assert matrices[index].numpy() == pytest.approx(matrix, abs=1e-6)
        assert bool(is_valid[index]) == valid


def test_draws_depend_on_the_step_and_not_on_the_order_of_calls(reader):
    first = ECG.draw(batch_of(reader), draws_of(3), is_training=True)[1]
    ECG.draw(batch_of(reader), draws_of(4), is_training=True)
    again = ECG.draw(batch_of(reader), draws_of(3), is_training=True)[1]
    assert torch.equal(first, again)
    assert not torch.equal(first, ECG.draw(batch_of(reader), draws_of(4), is_training=True)[1])


def test_two_processes_draw_what_one_would(reader):
    whole, whole_starts = ECG.draw(batch_of(reader), draws_of(), is_training=True)
    whole_clips = CINE.draw(batch_of(reader), draws_of(), is_training=True)
    parts = [
        ECG.draw(batch_of(reader, rank=r, size=2), draws_of(), is_training=True) for r in (0, 1)
    ]
    clips = [
        CINE.draw(batch_of(reader, rank=r, size=2), draws_of(), is_training=True) for r in (0, 1)
    ]
    assert torch.equal(torch.cat([part[1] for part in parts]), whole_starts)
    assert torch.equal(torch.cat([part[0] for part in parts]), whole)
    assert torch.allclose(torch.cat(clips), whole_clips, atol=1e-6)


def test_augmentations_too_depend_on_the_place_in_the_global_batch_alone(reader):
    noisy_ecg, noisy_cine = EcgViews(2500, 50, 13), CineViews(26)
    whole = noisy_ecg.draw(batch_of(reader), draws_of(), is_training=True)[0]
    whole_clips = noisy_cine.draw(batch_of(reader), draws_of(), is_training=True)
    for size in (2, 4):
        batches = [batch_of(reader, rank=rank, size=size) for rank in range(size)]
        crops = [noisy_ecg.draw(batch, draws_of(), is_training=True)[0] for batch in batches]
        clips = [noisy_cine.draw(batch, draws_of(), is_training=True) for batch in batches]
        assert torch.allclose(torch.cat(crops), whole, atol=1e-6)
        assert torch.allclose(torch.cat(clips), whole_clips, atol=1e-6)
    assert not torch.equal(whole[0], whole[1])


def test_seeds_are_the_same_on_every_machine():
    digest = hashlib.sha256(b"0/align/order/3").hexdigest()
    assert derive_seed(0, "align", "order", 3) == int(digest[:16], 16) // 2
    assert derive_seed(0, "align", "order", 3) != derive_seed(0, "align", "order", 4)


def test_orders_cannot_be_changed_by_accident():
    order = epoch_order(10, seed=0, stage="ecg", epoch=0)
    with pytest.raises(ValueError, match="read-only"):
        order[0] = 3
