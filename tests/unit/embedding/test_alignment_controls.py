import numpy as np
import pytest
import torch

from ptacl_core.config.encoders import EcgEncoderSettings
from ptacl_core.embedding.alignment_controls import (
    permute_within_beats,
    roll_frames,
    without_positions,
)
from ptacl_core.models import PatchTransformer, build_ecg_encoder


def test_patches_move_within_their_beat_and_nowhere_else():
    signal = np.repeat(np.arange(20.0), 10)[None, None] * np.ones((2, 12, 1))
    signal = signal.astype(np.float32)
    peaks = [np.array([30, 100, 160]), np.array([], np.int64)]
    permuted = permute_within_beats(
        signal, peaks, patch_samples=10, generator=np.random.default_rng(3)
    )
    slots = permuted[0, 4].reshape(20, 10)
    assert (slots == slots[:, :1]).all()
    order = slots[:, 0].astype(int)
    assert order[:3].tolist() == [0, 1, 2]
    assert sorted(order[3:10]) == list(range(3, 10))
    assert sorted(order[10:16]) == list(range(10, 16))
    assert order[16:].tolist() == [16, 17, 18, 19]
    assert order.tolist() != list(range(20))
    np.testing.assert_array_equal(permuted[0, 0], permuted[0, 11])
    np.testing.assert_array_equal(permuted[1], signal[1])


@pytest.mark.parametrize("shift", [0, 1, 5, 12])
def test_rolled_frames_show_later_content_at_the_same_index(shift):
    frames = np.arange(26, dtype=np.float32)[None, :, None, None] * np.ones((1, 1, 2, 2))
    rolled = roll_frames(frames, num_steps=13, shift=shift)
    np.testing.assert_array_equal(rolled[0, :, 0, 0], (np.arange(26) + 2 * shift) % 26)


def test_without_positions_order_does_not_matter_and_the_encoder_is_left_alone():
    settings = EcgEncoderSettings(
        dim=16, depth=1, num_heads=2, num_samples=400, patch_samples=100, position_init_std=0.5
    )
    generator = torch.Generator().manual_seed(0)
    encoder = build_ecg_encoder(settings, generator=generator).eval()
    assert isinstance(encoder, PatchTransformer)
    bare = without_positions(encoder)
    assert isinstance(bare, PatchTransformer)
    batch = torch.randn(1, 12, 400, generator=generator)
    swapped = torch.cat([batch[:, :, 200:], batch[:, :, :200]], dim=2)
    with torch.no_grad():
        mean, mean_swapped = (bare.tokens(clips).mean(dim=1) for clips in (batch, swapped))
        torch.testing.assert_close(mean, mean_swapped, rtol=1e-4, atol=1e-5)
        whole = encoder.tokens(batch).mean(dim=1)
        assert not torch.allclose(whole, encoder.tokens(swapped).mean(dim=1), atol=1e-3)
    assert encoder.positions is not None
    assert encoder.positions.table.abs().sum() > 0


def test_an_encoder_without_positions_is_told():
    settings = EcgEncoderSettings(family="conv", dim=16, num_samples=400, patch_samples=100)
    assert without_positions(build_ecg_encoder(settings)) is None
