"""ECG crops and augmentations."""

import math
from typing import Any

import pytest
import torch

from ptacl_core.augment import (
    augment_ecg,
    crop_ecg,
    fourier_surrogate,
    jitter,
    random_ecg_crop_starts,
    rescale,
)
from ptacl_core.config.augment import SIMCLR_ECG, EcgAugmentSettings
from ptacl_core.errors import ConfigError


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ecg(batch: int = 3, num_samples: int = 250) -> torch.Tensor:
    return torch.randn(batch, 12, num_samples, generator=seeded(77))


def test_crop_starts_reach_every_offset_the_last_included():
    starts = random_ecg_crop_starts(4000, seeded(), num_samples=30, crop_samples=20)
    counts = torch.bincount(starts, minlength=11)
    assert len(counts) == 11
    assert (counts > 250).all()
    assert random_ecg_crop_starts(2, seeded(), num_samples=9, crop_samples=9).tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_crops_are_the_windows_and_peaks_travel_with_them(dtype):
    signals = torch.zeros(3, 12, 60, dtype=dtype)
    peaks = torch.tensor([31, 20, 44])
    signals[torch.arange(3), :, peaks] = 1.0
    starts = torch.tensor([0, 20, 20])
    crops = crop_ecg(signals, starts, crop_samples=40)
    assert crops.dtype == torch.float32
    assert torch.equal(crops.argmax(dim=2), (peaks - starts)[:, None].expand(-1, 12))
    assert crops.shape == (3, 12, 40)


def test_crop_longer_than_the_recording_is_refused():
    with pytest.raises(ConfigError, match="1 to 30 samples, got 31"):
        random_ecg_crop_starts(1, seeded(), num_samples=30, crop_samples=31)
    with pytest.raises(ConfigError, match="250 samples hold no crop of 251"):
        crop_ecg(ecg(), torch.zeros(3, dtype=torch.long), crop_samples=251)


@pytest.mark.parametrize("num_samples", [250, 251])
def test_surrogate_keeps_amplitudes_mean_and_relations_of_leads(num_samples):
    crops = ecg(num_samples=num_samples) + 0.7
    surrogate = fourier_surrogate(crops, seeded(), strength=0.3, probability=1.0)
    before, after = torch.fft.rfft(crops), torch.fft.rfft(surrogate)
    torch.testing.assert_close(after.abs(), before.abs(), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(surrogate.mean(2), crops.mean(2), atol=1e-5, rtol=1e-4)
    turn = after / before
    torch.testing.assert_close(turn, turn[:, :1].expand_as(turn), atol=2e-3, rtol=1e-3)
    assert not torch.allclose(turn[0, 0], turn[1, 0], atol=0.1)
    angle = torch.remainder(turn[:, 0, 1 : num_samples // 2].angle() + 1e-3, 2 * math.pi)
    assert angle.max().item() < 0.3 * 2 * math.pi + 2e-3
    assert angle.mean().item() == pytest.approx(0.3 * math.pi, rel=0.15)


def test_surrogate_touches_the_chosen_recordings_only():
    crops = ecg(batch=400, num_samples=20)
    surrogate = fourier_surrogate(crops, seeded(), strength=0.1, probability=0.5)
    share = (surrogate != crops).any(dim=2).any(dim=1).float().mean().item()
    assert share == pytest.approx(0.5, abs=0.1)
    assert torch.equal(fourier_surrogate(crops, seeded(), probability=0.0), crops)
    assert torch.equal(fourier_surrogate(crops, seeded(), strength=0.0), crops)


def test_jitter_is_multiplicative_with_the_stated_width():
    crops = ecg(batch=8, num_samples=2500)
    crops[:, :, :100] = 0.0
    ratio = jitter(crops, seeded(), std=0.25)[:, :, 100:] / crops[:, :, 100:]
    assert ratio.mean().item() == pytest.approx(1.0, abs=2e-3)
    assert ratio.std().item() == pytest.approx(0.15, rel=0.01)
    assert not jitter(crops, seeded(), std=0.25)[:, :, :100].any()


def test_rescale_is_one_factor_per_recording_and_never_flips():
    crops = ecg(batch=2000, num_samples=4)
    factor = rescale(crops, seeded(), std=0.5) / crops
    torch.testing.assert_close(factor, factor[:, :1, :1].expand_as(factor))
    assert factor.min().item() == pytest.approx(0.1, rel=1e-5)
    free = rescale(crops, seeded(), std=0.5, allow_sign_flip=True) / crops
    assert (free[:, 0, 0] < 0).float().mean().item() == pytest.approx(0.023, abs=0.01)


def test_augmentation_comes_from_the_generator_alone_and_leaves_the_input():
    crops = ecg()
    original = crops.clone()
    first, again = (augment_ecg(crops, seeded(4)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, augment_ecg(crops, seeded(5)))
    assert torch.equal(crops, original)
    assert first.shape == crops.shape


def test_all_strengths_off_change_nothing():
    crops = ecg()
    off = EcgAugmentSettings(surrogate_probability=0.0, jitter_std=0.0, rescale_std=0.0)
    assert torch.equal(augment_ecg(crops, seeded(), **off.strengths()), crops)


def test_beats_stay_in_place():
    crops = torch.zeros(5, 12, 500)
    crops[:, :, 123] = 10.0
    augmented = augment_ecg(crops, seeded(2))
    assert (augmented.abs().argmax(dim=2) == 123).all()


def test_time_flip_needs_leave_and_is_refused_with_the_local_loss():
    crops = ecg()
    with pytest.raises(ConfigError, match=r"0\.3125"):
        augment_ecg(crops, seeded(), time_flip_probability=0.3125)
    with pytest.raises(ConfigError, match=r"time_flip_probability 0\.3125"):
        EcgAugmentSettings.from_mapping({"time_flip_probability": 0.3125}, source="a.toml")
    with pytest.raises(ConfigError, match="allow_time_flip"):
        SIMCLR_ECG.require_beat_order()
    EcgAugmentSettings().require_beat_order()


def test_flips_of_simclr_reverse_and_negate():
    crops = ecg()
    off: dict[str, Any] = {"surrogate_probability": 0.0, "jitter_std": 0.0, "rescale_std": 0.0}
    flipped = augment_ecg(crops, seeded(), **off, time_flip_probability=1.0, allow_time_flip=True)
    assert torch.equal(flipped, crops.flip(2))
    negated = augment_ecg(crops, seeded(), **off, sign_flip_probability=1.0)
    assert torch.equal(negated, -crops)


def test_probabilities_outside_zero_to_one_are_refused():
    with pytest.raises(ConfigError, match=r"1\.4375"):
        fourier_surrogate(ecg(), seeded(), probability=1.4375)
