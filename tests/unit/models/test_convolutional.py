"""The convolutional baselines."""

import pytest
import torch

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.errors import ConfigError
from ptacl_core.models import build_cine_encoder, build_ecg_encoder, count_parameters
from ptacl_core.models.conv_ecg_encoder import ConvEcgEncoder, ResidualBlock1d, stage_strides


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(8)


def small_ecg(generator, **changes):
    values = {"num_leads": 3, "num_samples": 300, "patch_samples": 50, "dim": 32, "conv_width": 8}
    return build_ecg_encoder(
        EcgEncoderSettings(family="conv", **values, **changes), generator=generator
    )


def test_strides_multiply_to_the_patch():
    assert stage_strides(50) == [5, 5, 2]
    assert stage_strides(1) == [1]
    assert stage_strides(97) == [97]


@pytest.mark.parametrize(("mixes_leads", "grid"), [(False, (3, 6)), (True, (1, 6))])
def test_ecg_grid_is_that_of_the_transformer(generator, mixes_leads, grid):
    encoder = small_ecg(generator, mixes_leads=mixes_leads)
    assert encoder.grid == grid
    tokens = encoder.tokens(torch.randn(2, 3, 300, generator=generator))
    assert tokens.shape == (2, encoder.num_tokens, 32)
    assert build_ecg_encoder(EcgEncoderSettings(family="conv")).grid == (12, 50)


def test_ecg_leads_are_encoded_alone_and_in_lead_major_order(generator):
    encoder = small_ecg(generator)
    batch = torch.randn(1, 3, 300, generator=generator)
    tokens = encoder.tokens(batch).view(3, 6, 32)
    changed = batch.clone()
    changed[:, 1] += 1.0
    moved = encoder.tokens(changed).view(3, 6, 32)
    assert torch.equal(tokens[[0, 2]], moved[[0, 2]])
    assert not torch.equal(tokens[1], moved[1])


def test_ecg_token_is_centred_on_its_patch(generator):
    encoder = small_ecg(generator)
    batch = torch.zeros(1, 3, 300, requires_grad=True)
    assert isinstance(encoder, ConvEcgEncoder)
    block = encoder.stack.stages[0]
    assert isinstance(block, ResidualBlock1d)
    block.first(encoder.stack.stem(batch[:, :1]))[0, :, 20].sum().backward()
    assert batch.grad is not None
    touched = batch.grad[0, 0].nonzero().squeeze(1)
    assert (touched.min() + touched.max()).item() / 2 == pytest.approx(20 * 5 + 2.0)


def test_cine_takes_frames_as_channels(generator):
    encoder = build_cine_encoder(
        CineEncoderSettings(
            family="resnet", num_frames=6, size_px=48, patch_px=12, dim=16, conv_width=8
        ),
        generator=generator,
    )
    tokens = encoder.tokens(torch.rand(2, 6, 48, 48, generator=generator))
    assert encoder.grid == (1, 3, 3)
    assert tokens.shape == (2, 9, 16)


def test_no_batch_statistics(generator):
    encoder = small_ecg(generator).train()
    batch = torch.randn(4, 3, 300, generator=generator)
    torch.testing.assert_close(encoder.tokens(batch)[:2], encoder.tokens(batch[:2]))


def test_freezing_and_layers(generator):
    encoder = small_ecg(generator)
    total = count_parameters(encoder)
    encoder.freeze_first(2, embeddings=True)
    encoder.tokens(torch.randn(1, 3, 300, generator=generator)).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        is_fixed = encoder.layer_of(name) <= 2
        assert (parameter.grad is None) is is_fixed, name
        assert parameter.requires_grad is not is_fixed, name
    encoder.freeze_first(0, embeddings=False)
    assert count_parameters(encoder, is_trainable=True) == total
    assert encoder.num_layers == 5
    with pytest.raises(ConfigError, match="0 to 3 stages, got 9"):
        encoder.freeze_first(9)


def test_leaving_tokens_out_is_refused(generator):
    with pytest.raises(ConfigError, match="ConvEcgEncoder computes all tokens"):
        small_ecg(generator).tokens(
            torch.zeros(1, 3, 300), ids_keep=torch.zeros(1, 2, dtype=torch.long)
        )
