"""Controls that are trained, PTACL-2's losses and beats for crops, in the alignment step."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ptacl_core.augment.cine_phase import turn_frames
from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.losses import patient_alignment_loss, same_phase_loss, temporal_alignment_loss
from ptacl_core.models import build_two_tower
from ptacl_core.train.batches import Batches, FixedOrder
from ptacl_core.train.beat_views import BeatViews
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.recordings import ResidentRecordings
from ptacl_core.train.steps.alignment import AlignmentStep
from ptacl_core.train.steps.alignment_weights import AlignmentWeights
from ptacl_core.train.steps.local_losses import draw_orders, take_steps
from ptacl_core.train.views import CineViews

CPU = torch.device("cpu")
ECG = EcgEncoderSettings(
    family="beat", num_samples=5000, dim=16, num_heads=2, depth=1, layer_scale_init=0.0
)
CINE = CineEncoderSettings(family="pooled", dim=16, num_heads=2, depth=1, layer_scale_init=0.0)
BEATS = BeatViews(num_samples=5000, num_steps=13, samples_per_step=8, beats_per_view=3)
CLIPS = CineViews(num_frames=26)
TAU: dict[str, Any] = {
    "temperature_global": 0.1,
    "temperature_local": 0.2,
    "sigma": 0.1,
    "beta": 1.0,
}


@pytest.fixture
def batch(reader):
    rows = reader.rows("train")[:6]
    recordings = ResidentRecordings(reader, rows, modalities=("ecg", "cmr"), device=CPU)
    order = FixedOrder(6, 6)
    return Batches(order, rows, recordings, r_peaks=reader.r_peaks(rows)).load(0)


def draws_of(step=0):
    return seed_step(seed=1, stage="test", step=step, device=CPU)


def step_of(position_std=0.0, **changes):
    towers = build_two_tower(
        ECG.model_copy(update={"position_init_std": position_std}),
        CINE.model_copy(update={"position_init_std": position_std}),
        generator=torch.Generator().manual_seed(0),
    )
    step = AlignmentStep(towers, BEATS, CLIPS, AlignmentWeights(**(TAU | changes)))
    return step.eval()


def figures_of(step, batch, draws=None):
    with torch.no_grad():
        return {k: v.item() for k, v in step(batch, draws or draws_of()).figures.items()}


def features_of(step, batch, cine=None):
    with torch.no_grad():
        ecg, starts = BEATS.draw(batch, draws_of(), is_training=False)
        if cine is None:
            cine = CLIPS.draw(batch, draws_of(), is_training=False)
        return step.towers(ecg, cine, BEATS.beat_matrices(batch, starts)[0])


def test_beats_take_the_place_of_crops_and_train_both_encoders(batch):
    step = step_of().train()
    output = step(batch, draws_of())
    output.loss.backward()
    assert output.figures["valid_fraction"].item() == 1.0
    assert all(
        value.grad is not None and value.grad.abs().sum() > 0
        for name, value in step.named_parameters()
        if "patch_embedding.weight" in name
    )


def test_a_recording_without_beats_leaves_the_local_loss_finite(batch):
    silent = replace(batch, r_peaks=(np.empty(0, np.int64), *batch.r_peaks[1:]))
    figures = figures_of(step_of(), silent)
    assert figures["valid_fraction"] == pytest.approx(5 / 6)
    assert all(np.isfinite(value) for value in figures.values())


def test_training_beats_are_drawn_by_the_step_and_evaluation_takes_all(batch):
    first, again, other = (
        BEATS.draw(batch, draws_of(step), is_training=True)[0] for step in (3, 3, 4)
    )
    assert torch.equal(first[:, :, 96:], other[:, :, 96:])  # the rhythm is the recording's
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    whole = [BEATS.draw(batch, draws_of(step), is_training=False)[0] for step in (3, 4)]
    assert torch.equal(*whole)


def test_stranger_contrasts_the_ecg_with_the_patient_before(batch):
    step = step_of(control="stranger", position_std=0.02)
    features = features_of(step, batch)
    expected = temporal_alignment_loss(
        features.ecg_steps, features.cmr_steps.roll(1, 0), temperature=0.2, sigma=0.1
    )
    figures = figures_of(step, batch)
    assert figures["temporal_loss"] == pytest.approx(expected.item(), rel=1e-5)
    own = figures_of(step_of(position_std=0.02), batch)
    assert figures["patient_loss"] == own["patient_loss"]
    assert figures["temporal_loss"] != own["temporal_loss"]


def test_shuffled_pairs_leave_no_own_pair_in_either_loss(batch):
    step = step_of(control="shuffled_pairs", position_std=0.02)
    features = features_of(step, batch)
    expected = patient_alignment_loss(
        features.ecg_features, features.cmr_features.roll(1, 0), temperature=0.1
    )
    figures = figures_of(step, batch)
    assert figures["patient_loss"] == pytest.approx(expected.item(), rel=1e-5)
    stranger = figures_of(step_of(control="stranger", position_std=0.02), batch)
    assert figures["temporal_loss"] == pytest.approx(stranger["temporal_loss"], rel=1e-5)


def test_break_phase_turns_each_cine_by_a_share_of_its_own_the_same_in_every_epoch(batch):
    step = step_of(control="break_phase", position_std=0.5)
    first, later = figures_of(step, batch, draws_of(0)), figures_of(step, batch, draws_of(9))
    assert first == later
    assert first != figures_of(step_of(position_std=0.5), batch)
    assert first != figures_of(
        step_of(control="break_phase", control_seed=1, position_std=0.5), batch
    )
    turned = replace(batch, rows=batch.rows[::-1].copy())
    assert first != figures_of(step, turned)  # the turn goes with the recording's row


def test_shuffled_steps_change_the_local_loss_alone_and_anew_in_every_step(batch):
    step = step_of(control="shuffled_steps", position_std=0.5)
    first, later = figures_of(step, batch, draws_of(0)), figures_of(step, batch, draws_of(9))
    own = figures_of(step_of(position_std=0.5), batch)
    assert first["patient_loss"] == later["patient_loss"] == own["patient_loss"]
    assert len({first["temporal_loss"], later["temporal_loss"], own["temporal_loss"]}) == 3


def test_shuffled_steps_are_orders_of_the_same_steps_whatever_the_number_of_processes(batch):
    steps = torch.randn(6, 13, 4, generator=torch.manual_seed(0))
    whole = take_steps(steps, draw_orders(batch, draws_of(), 13))
    assert torch.equal(whole.sort(dim=1).values, steps.sort(dim=1).values)
    assert not torch.equal(whole, steps)
    half = replace(batch, start=3, rows=batch.rows[3:])
    assert torch.equal(take_steps(steps[3:], draw_orders(half, draws_of(), 13)), whole[3:])


def test_without_positions_an_unknown_shift_changes_nothing_with_them_it_does(batch):
    """A transformer without positions carries the shift through, and it is turned back exactly."""
    for position_std, is_same in ((0.0, True), (0.5, False)):
        shifted = figures_of(step_of(position_std, local_loss="unknown_shift"), batch)
        plain = figures_of(step_of(position_std), batch)
        is_close = shifted["temporal_loss"] == pytest.approx(plain["temporal_loss"], rel=1e-5)
        assert is_close is is_same


def test_same_phase_and_the_sum_are_made_of_their_equations(batch):
    step = step_of(local_loss="same_phase", position_std=0.02)
    features = features_of(step, batch)
    expected = same_phase_loss(features.ecg_steps, features.cmr_steps, temperature=0.2)
    assert figures_of(step, batch)["temporal_loss"] == pytest.approx(expected.item(), rel=1e-5)
    both = step_of(0.0, local_loss="shift_and_phase", same_phase_share=0.25)
    shift = figures_of(step_of(0.0, local_loss="unknown_shift"), batch)["temporal_loss"]
    phase = figures_of(step_of(0.0, local_loss="same_phase"), batch)["temporal_loss"]
    loss = figures_of(both, batch)["temporal_loss"]
    assert loss == pytest.approx(0.75 * shift + 0.25 * phase, rel=1e-5)


def test_frames_are_turned_around_the_cycle():
    clips = torch.arange(6.0)[None, :, None, None].expand(2, 6, 2, 2)
    turned = turn_frames(clips, torch.tensor([0, 2]))
    assert turned[:, :, 0, 0].tolist() == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 0, 1]]
