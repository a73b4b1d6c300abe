"""Frames of the cycle and augmentations of cine clips."""

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from ptacl_core.augment import (
    augment_cine,
    cine_frame_indices,
    draw_cine_frame_indices,
    sample_cine_frames,
)
from ptacl_core.augment.cine_geometry import ClipGeometry, draw_clip_geometry, resample_clips
from ptacl_core.augment.cine_intensity import (
    add_noise,
    blur_clips,
    blur_matrices,
    vary_brightness_contrast,
)
from ptacl_core.config.augment import SIZE_KEEPING_CINE, CineAugmentSettings
from ptacl_core.errors import ConfigError

CPU = torch.device("cpu")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clips(batch: int = 3, frames: int = 4, size: int = 16) -> torch.Tensor:
    return torch.rand(batch, frames, size, size, generator=seeded(77))


def geometry(**changes: torch.Tensor) -> ClipGeometry:
    values = {
        "half_size": torch.ones(1, 2),
        "centre": torch.zeros(1, 2),
        "angle_rad": torch.zeros(1),
        "is_flipped": torch.zeros(1, dtype=torch.bool),
        "is_upended": torch.zeros(1, dtype=torch.bool),
    }
    return ClipGeometry(**(values | changes))


def test_evaluation_frames_are_even_over_the_cycle_from_end_diastole():
    indices = cine_frame_indices()
    assert indices.tolist() == [math.floor(50 * (i + 0.5) / 26) for i in range(26)]
    assert indices[0] == 0
    assert indices[-1] == 49


def test_training_frames_rise_and_stay_in_their_own_part_of_the_cycle():
    indices = draw_cine_frame_indices(3000, seeded())
    assert indices.shape == (3000, 26)
    assert (indices.diff(dim=1) >= 1).all()
    assert indices.min() == 0
    assert indices.max() == 49
    phase = indices / 50
    step = torch.arange(26) / 26
    assert (phase > step - 1 / 50).all()
    assert (phase < step + 1 / 26).all()
    assert len(torch.unique(indices, dim=0)) > 10


def test_frames_are_taken_per_clip_and_bytes_become_unit_values():
    stored = (torch.arange(2 * 50) % 256).to(torch.uint8).view(2, 50, 1, 1).expand(-1, -1, 5, 5)
    indices = draw_cine_frame_indices(2, seeded(3))
    taken = sample_cine_frames(stored, indices)
    expected = (torch.arange(2)[:, None] * 50 + indices) / 255
    torch.testing.assert_close(taken[:, :, 2, 2], expected)
    fixed = sample_cine_frames(stored.float() / 255, cine_frame_indices())
    assert fixed.shape == (2, 26, 5, 5)
    torch.testing.assert_close(fixed[1, :, 0, 0], (50 + cine_frame_indices()) / 255)


def test_too_few_frames_and_wrong_shapes_are_refused():
    with pytest.raises(ConfigError, match="1 to 25 frames, got 26"):
        cine_frame_indices(num_source_frames=25)
    with pytest.raises(ConfigError, match=r"\[50, 5, 5\]"):
        sample_cine_frames(torch.zeros(50, 5, 5), cine_frame_indices())


def test_identity_geometry_changes_nothing():
    original = clips(1)
    torch.testing.assert_close(resample_clips(original, geometry()), original, atol=1e-5, rtol=0)


def test_neutral_settings_return_the_clips_themselves():
    clips = torch.rand(3, 4, 12, 12, generator=seeded())
    neutral: dict[str, Any] = {
        "crop_scale": (1.0, 1.0), "crop_ratio": (1.0, 1.0), "rotation_deg": 0.0,
        "flip_probability": 0.0, "brightness": 0.0, "contrast": 0.0,
        "blur_probability": 0.0, "noise_probability": 0.0,
    }  # fmt: skip
    assert augment_cine(clips, seeded(), **neutral) is clips
    changes: list[dict[str, Any]] = [{"contrast": 0.1}, {"rotation_deg": 5.0}]
    for changed in changes:
        assert not torch.equal(augment_cine(clips, seeded(), **(neutral | changed)), clips)


def test_flips_and_quarter_turns_are_exact():
    original = clips(1)
    yes = torch.ones(1, dtype=torch.bool)
    flipped = resample_clips(original, geometry(is_flipped=yes))
    torch.testing.assert_close(flipped, original.flip(3), atol=1e-5, rtol=0)
    upended = resample_clips(original, geometry(is_upended=yes))
    torch.testing.assert_close(upended, original.flip(2), atol=1e-5, rtol=0)
    turned = resample_clips(original, geometry(angle_rad=torch.tensor([math.pi / 2])))
    torch.testing.assert_close(turned, original.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_crop_of_a_quarter_is_that_quarter_enlarged():
    original = clips(1)
    quarter = geometry(half_size=torch.full((1, 2), 0.5), centre=torch.tensor([[0.5, -0.5]]))
    cropped = resample_clips(original, quarter)
    assert cropped.shape == original.shape
    inner = functional.interpolate(original[:, :, :8, 8:], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(cropped[..., 1:-1, 1:-1], inner[..., 1:-1, 1:-1], atol=1e-5, rtol=0)


def test_drawn_crops_keep_their_area_and_lie_inside():
    drawn = draw_clip_geometry(
        3000, seeded(), CPU, crop_scale=(0.6, 1.0), crop_ratio=(0.75, 4 / 3), rotation_deg=45.0,
        flip_probability=0.5, vertical_flip_probability=0.0,
    )  # fmt: skip
    area = drawn.half_size.prod(dim=1)
    assert area.max() <= 1.0
    assert area.min() > 0.5
    assert ((drawn.centre.abs() + drawn.half_size) <= 1.0 + 1e-6).all()
    assert drawn.angle_rad.abs().max().item() <= math.radians(45.0)
    assert drawn.angle_rad.abs().max().item() > math.radians(44.0)
    assert drawn.is_flipped.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert not drawn.is_upended.any()


def test_all_frames_of_a_clip_are_changed_alike():
    still = clips(6, frames=1).expand(-1, 5, -1, -1)
    augmented = augment_cine(still, seeded(), noise_probability=0.0)
    assert torch.equal(augmented, augmented[:, :1].expand_as(augmented))
    assert not torch.equal(augmented[0], augmented[1])


def test_brightness_and_contrast_are_a_line_per_clip():
    original = 0.4 + 0.1 * clips()
    varied = vary_brightness_contrast(original, seeded(1), brightness=0.5, contrast=0.5)
    for before, after in zip(original, varied, strict=True):
        slope = (after.max() - after.min()) / (before.max() - before.min())
        line = after.mean() + slope * (before - before.mean())
        torch.testing.assert_close(after, line, atol=1e-5, rtol=1e-4)
        assert 0.25 <= slope.item() <= 2.25
        assert 0.5 <= (after.mean() / before.mean()).item() <= 1.5
    same = vary_brightness_contrast(original, seeded(1), brightness=0.0, contrast=0.0)
    torch.testing.assert_close(same, original)


def test_blur_equals_a_separable_convolution_with_repeated_borders():
    original = clips(2)
    sigma = torch.tensor([[0.8]])
    kernel = torch.exp(-0.5 * (torch.arange(-2, 3) / 0.8) ** 2)
    kernel = kernel / kernel.sum()
    padded = functional.pad(original, (2, 2, 2, 2), mode="replicate").flatten(0, 1)[:, None]
    expected = functional.conv2d(padded, (kernel[:, None] * kernel)[None, None]).view_as(original)
    blurred = blur_clips(original, seeded(), sigma_px=(0.8, 0.8), probability=1.0)
    torch.testing.assert_close(blurred, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(blur_matrices(9, sigma).sum(dim=2), torch.ones(1, 9))


def test_blur_and_noise_touch_the_chosen_clips_only():
    original = clips(200, frames=2, size=8)
    blurred = blur_clips(original, seeded(), sigma_px=(0.5, 1.0), probability=0.3)
    noisy = add_noise(original, seeded(), std=0.02, probability=0.5)
    for changed, share in ((blurred, 0.3), (noisy, 0.5)):
        touched = (changed != original).flatten(1).any(dim=1)
        assert touched.float().mean().item() == pytest.approx(share, abs=0.1)
        assert torch.equal(changed[~touched], original[~touched])
    difference = (noisy - original)[(original > 0.2) & (original < 0.8)]
    assert difference[difference != 0].std().item() == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("settings", [CineAugmentSettings(), SIZE_KEEPING_CINE])
def test_values_stay_in_range_and_come_from_the_generator_alone(settings):
    original = clips(8)
    kept = original.clone()
    first, again = (augment_cine(original, seeded(4), **settings.strengths()) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, augment_cine(original, seeded(5), **settings.strengths()))
    assert first.min() >= 0.0
    assert first.max() <= 1.0
    assert torch.equal(original, kept)


def test_frames_keep_their_order():
    moving = torch.zeros(4, 6, 16, 16)
    for frame in range(6):
        moving[:, frame] = 0.1 + 0.1 * frame
    augmented = augment_cine(moving, seeded(), noise_probability=0.0)
    centre = augmented[:, :, 8, 8]
    assert (centre.diff(dim=1) >= 0).all()


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"crop_scale": [0.9, 0.8]}, "crop_scale"),
        ({"crop_scale": [0.5, 1.3125]}, "1.3125"),
        ({"blur_sigma_px": [0.0, 1.0]}, "blur_sigma_px"),
        ({"rotation_deg": 181.5}, "181.5"),
        ({"rotation": 3.0}, "nearest: rotation_deg"),
    ],
)
def test_settings_refuse_ranges_and_name_them(values, shown):
    with pytest.raises(ConfigError, match=shown):
        CineAugmentSettings.from_mapping(values, source="a.toml")
