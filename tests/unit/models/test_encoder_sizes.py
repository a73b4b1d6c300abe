"""The paper's numbers: parameters, trainable parameters, tokens."""

import pytest
import torch

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.models import (
    AttentionPooling,
    PatchTransformer,
    TokenEncoder,
    build_cine_encoder,
    build_ecg_encoder,
    count_parameters,
    num_visible_tokens,
)
from ptacl_core.models.parts.transformer import TransformerBlock


@pytest.mark.parametrize(
    ("build", "total", "trainable", "grid"),
    [
        (build_ecg_encoder, 19_251_712, 12_611_584, (12, 50)),
        (build_cine_encoder, 13_086_720, 6_305_792, (13, 7, 7)),
    ],
)
def test_paper_encoders_have_exactly_the_papers_parameters(build, total, trainable, grid):
    encoder = build()
    assert encoder.grid == grid
    assert count_parameters(encoder) == total
    encoder.freeze_first(2, embeddings=True)
    assert count_parameters(encoder, is_trainable=True) == trainable
    assert count_parameters(encoder, is_trainable=False) == total - trainable
    encoder.freeze_first(0, embeddings=False)
    assert count_parameters(encoder, is_trainable=True) == total


def test_one_block_has_the_papers_parameters():
    assert count_parameters(TransformerBlock(512, 8, 2048)) == 3_152_896


def test_masking_keeps_exactly_150_and_64_tokens():
    assert num_visible_tokens(600, 0.75) == 150
    assert num_visible_tokens(637, 0.9) == 64


def test_attention_pooling_is_its_four_layers_plus_a_norm():
    pooling = AttentionPooling(512, 8)
    assert count_parameters(pooling.norm) == 1_024
    assert count_parameters(pooling) - count_parameters(pooling.norm) == 1_050_624


def test_layer_scale_can_be_left_out():
    plain = TransformerBlock(512, 8, 2048, layer_scale_init=None)
    assert count_parameters(plain) == 3_152_896 - 2 * 512
    assert plain.attention_scale is None


def first_width(encoder: TokenEncoder) -> int:
    assert isinstance(encoder, PatchTransformer)
    block = encoder.blocks[0]
    assert isinstance(block, TransformerBlock)
    return block.feed_forward.expand.out_features


def test_every_size_follows_the_settings():
    ecg = build_ecg_encoder(
        EcgEncoderSettings(
            num_leads=3, num_samples=200, patch_samples=25, dim=24, depth=2, num_heads=3, mlp_dim=40
        )
    )
    cine = build_cine_encoder(
        CineEncoderSettings(
            num_frames=9, patch_frames=3, size_px=20, patch_px=10, dim=16, depth=1, num_heads=2
        )
    )
    assert ecg.tokens(torch.zeros(2, 3, 200)).shape == (2, 3 * 8, 24)
    assert first_width(ecg) == 40
    assert cine.tokens(torch.zeros(2, 9, 20, 20)).shape == (2, 3 * 2 * 2, 16)
    assert first_width(cine) == 64


@pytest.mark.parametrize(
    ("model", "values", "shown"),
    [
        (EcgEncoderSettings, {"num_samples": 2510}, "2510"),
        (EcgEncoderSettings, {"dim": 513}, "513"),
        (CineEncoderSettings, {"num_frames": 25}, "25"),
        (CineEncoderSettings, {"size_px": 85}, "85"),
    ],
)
def test_settings_refuse_sizes_that_do_not_divide(model, values, shown):
    from ptacl_core.errors import ConfigError

    with pytest.raises(ConfigError, match=shown):
        model.from_mapping(values, source="test.toml")
