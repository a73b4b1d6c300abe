"""The beat family: steps of a mean beat as tokens, and whole averaged frames."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ptacl_core.config.encoders import (
    CineEncoderSettings,
    EcgEncoderSettings,
    MaskedAutoencoderSettings,
)
from ptacl_core.embedding.ecg_input import build_ecg_input, find_beat_layout
from ptacl_core.embedding.encoding import encode_ecgs
from ptacl_core.errors import ConfigError
from ptacl_core.losses import masked_reconstruction_loss
from ptacl_core.models import (
    EncoderView,
    PatchTransformer,
    PooledCinePatches,
    build_cine_encoder,
    build_ecg_encoder,
    build_masked_autoencoder,
)
from ptacl_core.models.masked_autoencoder import normalise_per_token

VIEW = EncoderView(crop_samples=5000, patch_samples=50, num_steps=13, num_frames=26)
BEAT = EcgEncoderSettings(
    family="beat", num_samples=5000, dim=16, depth=1, num_heads=2,
    layer_scale_init=None, position_init_std=0.02,
)  # fmt: skip
POOLED = CineEncoderSettings(
    family="pooled", dim=16, depth=1, num_heads=2, layer_scale_init=None, position_init_std=0.02
)


def _encoder(
    settings: EcgEncoderSettings | CineEncoderSettings = BEAT, seed: int = 0
) -> PatchTransformer:
    generator = torch.Generator().manual_seed(seed)
    if isinstance(settings, CineEncoderSettings):
        encoder = build_cine_encoder(settings, generator=generator)
    else:
        encoder = build_ecg_encoder(settings, generator=generator)
    assert isinstance(encoder, PatchTransformer)
    return encoder


def _encode(encoder, signals, peaks, **options):
    return encode_ecgs(
        encoder, None, signals, peaks, VIEW, with_steps=True, **options
    )  # fmt: skip


def _signals(count=3, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 12, 5000)).astype(np.float32)


def test_a_beat_becomes_13_tokens_and_a_frame_pair_one():
    ecg, cine = _encoder(), _encoder(POOLED)
    assert (ecg.grid, ecg.input_shape, ecg.num_tokens) == ((1, 13), (13, 12 * 8 + 3), 13)
    assert (cine.grid, cine.input_shape) == ((13, 1, 1), (26, 84, 84))
    assert ecg.tokens(torch.zeros(2, 13, 99)).shape == (2, 13, 16)
    assert cine.tokens(torch.zeros(2, 26, 84, 84)).shape == (2, 13, 16)
    with pytest.raises(ConfigError, match=r"\[batch, 13, 99\], got \[2, 12, 5000\]"):
        ecg.tokens(torch.zeros(2, 12, 5000))


def test_averaged_frames_are_the_means_of_their_cells():
    layout = _encoder(POOLED).layout
    clip = torch.rand(2, 26, 84, 84, generator=torch.manual_seed(0))
    patches = layout.patchify(clip)
    assert patches.shape == (2, 13, 2 * 14 * 14)
    assert patches[1, 3, 196 + 14 * 2 + 5].item() == pytest.approx(
        clip[1, 7, 12:18, 30:36].mean().item(), abs=1e-6
    )


def test_pixels_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="size_px 84 must be a multiple of pooled_px 13"):
        CineEncoderSettings(family="pooled", pooled_px=13)


def test_features_do_not_depend_on_where_the_recording_begins():
    encoder, signals = _encoder(), _signals(1)
    peaks = np.arange(300, 4300, 400)
    later = np.zeros_like(signals)
    later[:, :, :-211] = signals[:, :, 211:]
    here = _encode(encoder, signals, [peaks])
    there = _encode(encoder, later, [peaks - 211])
    assert here.pooled == pytest.approx(there.pooled, abs=1e-4)
    assert here.steps == pytest.approx(there.steps, abs=1e-4)


@pytest.mark.parametrize("peaks", [[], [700], [100, 1600]], ids=str)
def test_a_recording_without_a_complete_beat_is_invalid_and_finite(peaks):
    features = _encode(
        _encoder(), _signals(2), [np.array(peaks, np.int64), np.arange(0, 5000, 400)]
    )
    assert features.is_step_valid.tolist() == [False, True]
    assert np.isfinite(features.pooled).all()
    assert features.steps is not None
    assert not features.steps[0].any()
    assert features.steps[1].any()


def test_fibrillation_changes_the_features_of_the_same_beats():
    """Beats of one shape: only the intervals between them differ."""
    encoder = _encoder()
    regular = np.arange(0, 4801, 400)
    irregular = np.array([0, 300, 820, 1200, 1490, 2000, 2400, 2730, 3200, 3600, 4000, 4400, 4800])
    signals = np.zeros((2, 12, 5000), np.float32)
    for row, peaks in enumerate((regular, irregular)):
        for start, stop in pairwise(peaks):
            phase = (np.arange(start, stop) - start + 0.5) / (stop - start)
            signals[row, :, start:stop] = np.sin(2 * np.pi * phase)
    shapes = build_ecg_input(encoder, signals, [regular, irregular], crop_samples=5000)
    assert torch.allclose(shapes[0, :, :96], shapes[1, :, :96], atol=0.02)
    features = _encode(encoder, signals, [regular, irregular])
    assert np.abs(features.pooled[0] - features.pooled[1]).max() > 1e-3


def test_every_lead_and_phase_reaches_the_features():
    encoder = _encoder()
    batch = torch.randn(1, 13, 99, generator=torch.manual_seed(3)).requires_grad_()
    encoder.tokens(batch)[:, :, 0].square().sum().backward()
    assert batch.grad is not None
    assert (batch.grad[0].abs().sum(dim=1) > 0).all()
    assert (batch.grad[0].abs().sum(dim=0) > 0).all()
    assert find_beat_layout(encoder) is not None
    assert find_beat_layout(_encoder(EcgEncoderSettings(dim=16, depth=1, num_heads=2))) is None


def test_masked_autoencoder_predicts_the_samples_of_hidden_steps_only():
    settings = MaskedAutoencoderSettings(mask_ratio=0.75, decoder_dim=8, decoder_heads=2)
    model = build_masked_autoencoder(_encoder(), masked_reconstruction_loss, settings, BEAT)
    batch = torch.randn(4, 13, 99, generator=torch.manual_seed(4))
    result = model(batch, torch.Generator().manual_seed(0))
    assert result.prediction.shape == result.target.shape == (4, 13, 96)
    assert result.mask.sum(dim=1).tolist() == [10] * 4
    assert torch.equal(result.target, batch[:, :, :96])


def test_normalised_targets_have_mean_zero_and_variance_one_per_token():
    values = 5.0 + 3.0 * torch.randn(4, 13, 96, generator=torch.manual_seed(5))
    values[0, 0] = 2.0
    normalised = normalise_per_token(values)
    assert torch.equal(normalised[0, 0], torch.zeros(96))
    assert normalised[1:].mean(dim=2).abs().max().item() < 1e-5
    assert normalised[1:].var(dim=2, correction=0).numpy() == pytest.approx(1.0, abs=1e-4)
    settings = MaskedAutoencoderSettings(
        mask_ratio=0.75, decoder_dim=8, decoder_heads=2, normalises_targets=True
    )
    model = build_masked_autoencoder(_encoder(), masked_reconstruction_loss, settings, BEAT)
    batch = torch.randn(4, 13, 99, generator=torch.manual_seed(6))
    target = model(batch, torch.Generator().manual_seed(0)).target
    assert torch.equal(target, normalise_per_token(batch[:, :, :96]))


def test_pooled_tokens_are_whole_frames_of_the_averaged_clip():
    layout = PooledCinePatches(num_frames=26, size_px=84, patch_frames=2, pooled_px=12)
    clips = torch.rand(2, 26, 84, 84, generator=torch.Generator().manual_seed(0))
    averaged = clips.reshape(2, 26, 12, 7, 12, 7).mean(dim=(3, 5))
    tokens = averaged.reshape(2, 13, 2 * 12 * 12)
    assert torch.equal(layout.patchify(clips), tokens)
    assert torch.equal(layout.patchify(averaged), tokens)
    assert layout.grid == (13, 1, 1)
    with pytest.raises(ConfigError, match="multiple of patch_frames 2, got 25"):
        PooledCinePatches(num_frames=25, size_px=84, patch_frames=2, pooled_px=12)
