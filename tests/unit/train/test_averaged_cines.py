"""Cines averaged once, as they are read, train the same encoder as whole ones."""

import numpy as np
import pytest
import torch

from ptacl_core.config.augment import CineAugmentSettings
from ptacl_core.config.encoders import CineEncoderSettings
from ptacl_core.errors import ConfigError
from ptacl_core.models.build import build_cine_encoder
from ptacl_core.models.parts.beat_patches import average_frames
from ptacl_core.train.recordings import average_bytes

IDENTITY = CineAugmentSettings(
    crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), rotation_deg=0.0, flip_probability=0.0,
    brightness=0.0, contrast=0.0, blur_probability=0.0, noise_probability=0.0,
)  # fmt: skip


def draw_frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 26, 84, 84), dtype=np.uint8)


def test_bytes_and_floats_have_the_same_averages():
    frames = draw_frames()
    floats = average_frames(torch.from_numpy(frames).float() / 255.0, 14)
    np.testing.assert_allclose(average_bytes(frames, 14), floats.numpy(), atol=5e-7)
    white = np.full((1, 2, 84, 84), 255, np.uint8)
    assert (average_bytes(white, 14) == 1.0).all()


def test_the_encoder_makes_the_same_tokens_of_whole_and_averaged_frames():
    settings = CineEncoderSettings(family="pooled", size_px=84, dim=16, num_heads=2, depth=1)
    encoder = build_cine_encoder(settings).eval()
    frames = draw_frames()
    whole = encoder.tokens(torch.from_numpy(frames).float() / 255.0)
    averaged = encoder.tokens(torch.from_numpy(average_bytes(frames, 14)))
    torch.testing.assert_close(whole, averaged, atol=1e-5, rtol=1e-5)
    with pytest.raises(ConfigError, match="expected a batch of"):
        encoder.tokens(torch.zeros(1, 26, 28, 28))


def test_only_clips_that_stay_as_they_are_may_be_averaged_before():
    assert IDENTITY.is_identity
    for change in (
        {"crop_scale": (0.9, 1.0)}, {"rotation_deg": 1.0}, {"flip_probability": 0.1},
        {"vertical_flip_probability": 0.1}, {"brightness": 0.1}, {"contrast": 0.1},
        {"blur_probability": 0.1}, {"noise_probability": 0.1},
    ):  # fmt: skip
        assert not IDENTITY.model_copy(update=change).is_identity
