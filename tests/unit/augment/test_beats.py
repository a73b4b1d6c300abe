"""Beats, R to R, resampled to steps."""

import numpy as np
import pytest
import torch

from ptacl_core.augment.beats import beats_as_steps, draw_beats, mean_beat, step_matrices
from ptacl_core.errors import ConfigError


def _spans(*rows):
    width = max(len(row) for row in rows)
    return torch.tensor([[*row, *[(-1, -1)] * (width - len(row))] for row in rows])


def test_a_line_is_sampled_at_the_middles_of_the_phases():
    ramp = torch.arange(1000.0).expand(1, 2, -1)
    beat = mean_beat(ramp, _spans([(100, 500)]), num_points=4)
    assert beat[0, 0].tolist() == [149.5, 249.5, 349.5, 449.5]  # r0 + (i + ½)·100 − ½
    assert torch.equal(beat[0, 0], beat[0, 1])


def test_it_agrees_with_numpy_and_averages_the_beats():
    ecg = torch.randn(2, 12, 800, generator=torch.manual_seed(0))
    beat = mean_beat(ecg, _spans([(10, 333), (333, 700)], [(50, 390)]), num_points=104)
    phase = (np.arange(104) + 0.5) / 104
    for row, spans in enumerate([[(10, 333), (333, 700)], [(50, 390)]]):
        for lead in range(12):
            expected = np.mean(
                [
                    np.interp(a + phase * (b - a) - 0.5, np.arange(800), ecg[row, lead].numpy())
                    for a, b in spans
                ],
                axis=0,
            )
            assert beat[row, lead].numpy() == pytest.approx(expected, abs=1e-5)


def test_a_later_start_of_the_recording_changes_nothing():
    ecg = torch.randn(1, 12, 3000, generator=torch.manual_seed(1))
    spans = _spans([(400, 800), (800, 1230), (1230, 1600)])
    whole = mean_beat(ecg, spans, num_points=104)
    later = mean_beat(ecg[:, :, 137:], spans - 137, num_points=104)
    assert torch.allclose(whole, later, atol=1e-5)


def test_speed_is_taken_out_and_float16_is_read():
    time = torch.arange(3000.0)
    slow, fast = (
        torch.sin(2 * torch.pi * (time + 0.5) / rr).expand(1, 12, -1) for rr in (500, 300)
    )
    slow_beat = mean_beat(slow, _spans([(0, 500), (500, 1000)]), num_points=52)
    fast_beat = mean_beat(fast.half(), _spans([(0, 300), (300, 600)]), num_points=52)
    assert fast_beat.dtype == torch.float32
    assert torch.allclose(slow_beat, fast_beat, atol=5e-3)


def test_no_beat_gives_zeros_and_no_gradient_but_no_nan():
    ecg = torch.randn(2, 12, 900, generator=torch.manual_seed(2)).requires_grad_()
    beat = mean_beat(ecg, _spans([(-1, -1)], [(100, 500)]), num_points=26)
    beat.square().sum().backward()
    assert torch.equal(beat[0], torch.zeros(12, 26))
    assert ecg.grad is not None
    assert torch.isfinite(ecg.grad).all()
    assert ecg.grad[0].abs().sum() == 0
    assert ecg.grad[1].abs().sum() > 0


def test_a_beat_behind_the_end_is_refused_with_its_sample():
    with pytest.raises(ConfigError, match="ends at sample 950 of recordings of 900"):
        mean_beat(torch.zeros(1, 12, 900), _spans([(100, 950)]), num_points=13)


def test_drawn_beats_are_neighbours_of_the_same_recording():
    spans = torch.tensor([[[100 * k, 100 * k + 100] for k in range(9)]] * 200)
    spans[:100, 3:] = -1
    drawn = draw_beats(spans, torch.rand(200, generator=torch.manual_seed(0)), num_beats=5)
    assert drawn.shape == (200, 5, 2)
    few, many = drawn[:100, :, 0], drawn[100:, :, 0]
    assert (few == torch.tensor([0, 100, 200, -1, -1])).all()
    assert set((many[:, 0] // 100).tolist()) == {0, 1, 2, 3, 4}
    assert ((many[:, 1:] - many[:, :-1]) == 100).all()


def test_steps_hold_all_leads_of_a_phase_and_the_rhythm():
    beat = torch.arange(2 * 3 * 8.0).reshape(2, 3, 8)
    steps = beats_as_steps(beat, torch.tensor([[7.0, 8.0], [9.0, 10.0]]), num_steps=4)
    assert steps.shape == (2, 4, 8)
    assert steps[0, 1].tolist() == [2.0, 3.0, 10.0, 11.0, 18.0, 19.0, 7.0, 8.0]
    assert steps[1, :, 6:].tolist() == [[9.0, 10.0]] * 4


def test_step_matrices_are_the_identity_where_there_is_a_beat():
    matrices = step_matrices(torch.tensor([True, False]), 13)
    assert torch.equal(matrices[0], torch.eye(13))
    assert torch.equal(matrices[1], torch.zeros(13, 13))
