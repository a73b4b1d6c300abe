"""Loading weights, also onto another grid."""

import pytest
import torch

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.errors import CheckpointError
from ptacl_core.models import (
    PatchTransformer,
    build_cine_encoder,
    build_ecg_encoder,
    interpolate_positions,
    load_encoder_weights,
)


def small_ecg(seed: int, num_samples: int = 60, num_leads: int = 3) -> PatchTransformer:
    settings = EcgEncoderSettings(
        num_leads=num_leads, num_samples=num_samples, patch_samples=10, dim=8, depth=1,
        num_heads=2, position_init_std=0.02,
    )  # fmt: skip
    encoder = build_ecg_encoder(settings, generator=torch.Generator().manual_seed(seed))
    assert isinstance(encoder, PatchTransformer)
    return encoder


def test_same_grid_loads_every_value_without_a_word():
    source, target = small_ecg(1), small_ecg(2)
    message = load_encoder_weights(target, source.state_dict(), source_grid=source.grid)
    assert message is None
    for name, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], value)


def test_another_grid_is_interpolated_and_says_so():
    source, target = small_ecg(1), small_ecg(2, num_samples=120)
    message = load_encoder_weights(target, source.state_dict(), source_grid=source.grid)
    assert message is not None
    assert "(3, 6)" in message
    assert "(3, 12)" in message
    assert torch.equal(target.patch_embedding.weight, source.patch_embedding.weight)
    assert target.tokens(torch.zeros(1, 3, 120)).shape == (1, 36, 8)


def test_interpolation_keeps_constants_and_straight_lines():
    ramp = torch.arange(6.0).repeat(3)[:, None].repeat(1, 2)
    doubled = interpolate_positions(ramp, source_grid=(3, 6), target_grid=(3, 12)).view(3, 12, 2)
    expected = ((torch.arange(12) + 0.5) / 2 - 0.5).clamp(0, 5)
    torch.testing.assert_close(doubled[1, :, 0], expected)
    volume = torch.full((13 * 49, 4), 2.5)
    moved = interpolate_positions(volume, source_grid=(13, 7, 7), target_grid=(25, 5, 5))
    torch.testing.assert_close(moved, torch.full((625, 4), 2.5))


def test_cine_grid_is_interpolated_along_time_only_where_only_time_differs():
    table = torch.arange(2.0).repeat_interleave(4)[:, None]
    moved = interpolate_positions(table, source_grid=(2, 2, 2), target_grid=(4, 2, 2))
    assert moved.view(4, 4)[:, 0].tolist() == [0.0, 0.25, 0.75, 1.0]


def test_other_leads_are_refused():
    source, target = small_ecg(1, num_leads=3), small_ecg(2, num_leads=2)
    with pytest.raises(CheckpointError, match="checkpoint has 3 leads, the encoder 2"):
        load_encoder_weights(target, source.state_dict(), source_grid=source.grid)


def test_a_grid_that_does_not_match_the_table_is_refused():
    source, target = small_ecg(1), small_ecg(2, num_samples=120)
    with pytest.raises(CheckpointError, match=r"18 rows on the grid \(3, 7\)"):
        load_encoder_weights(target, source.state_dict(), source_grid=(3, 7))


def test_missing_unknown_and_misshapen_entries_are_named():
    source = small_ecg(1)
    weights = dict(source.state_dict())
    weights["blocks.0.unheard_of"] = weights.pop("final_norm.bias")
    weights["patch_embedding.bias"] = torch.zeros(9)
    with pytest.raises(CheckpointError) as caught:
        load_encoder_weights(small_ecg(2), weights, source_grid=source.grid)
    text = str(caught.value)
    assert "missing final_norm.bias" in text
    assert "unknown blocks.0.unheard_of" in text
    assert "patch_embedding.bias is [9], expected [8]" in text


def test_an_ecg_checkpoint_does_not_enter_a_cine_encoder():
    source = small_ecg(1)
    cine = build_cine_encoder(
        CineEncoderSettings(num_frames=4, size_px=8, patch_px=4, dim=8, depth=1, num_heads=2)
    )
    with pytest.raises(CheckpointError):
        load_encoder_weights(cine, source.state_dict(), source_grid=source.grid)
