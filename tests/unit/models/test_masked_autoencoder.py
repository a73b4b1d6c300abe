"""Masking and the masked autoencoder."""

import pytest
import torch

from ptacl_core.config.encoders import (
    CineEncoderSettings,
    EcgEncoderSettings,
    MaskedAutoencoderSettings,
)
from ptacl_core.errors import ConfigError
from ptacl_core.losses import masked_reconstruction_loss, mean_prediction_loss
from ptacl_core.models import (
    EcgPatches,
    MaskedAutoencoder,
    PatchTransformer,
    build_cine_encoder,
    build_ecg_encoder,
    build_masked_autoencoder,
    count_parameters,
    draw_token_mask,
    num_visible_tokens,
)

SMALL = EcgEncoderSettings(
    num_leads=2, num_samples=80, patch_samples=10, dim=16, depth=1, num_heads=2,
    layer_scale_init=None, position_init_std=0.02,
)  # fmt: skip


def small_autoencoder(seed: int = 0) -> MaskedAutoencoder:
    generator = torch.Generator().manual_seed(seed)
    encoder = build_ecg_encoder(SMALL, generator=generator)
    assert isinstance(encoder, PatchTransformer)
    return MaskedAutoencoder(
        encoder,
        masked_reconstruction_loss,
        mask_ratio=0.75,
        decoder_dim=12,
        decoder_heads=3,
        layer_scale_init=None,
        position_init_std=0.02,
        generator=generator,
    )


@pytest.mark.parametrize(("num_tokens", "ratio", "kept"), [(600, 0.75, 150), (637, 0.9, 64)])
def test_mask_keeps_exactly_the_papers_tokens_and_restores_their_order(num_tokens, ratio, kept):
    drawn = draw_token_mask(5, num_tokens, ratio, torch.Generator().manual_seed(0))
    assert drawn.ids_keep.shape == (5, kept)
    assert (~drawn.mask).sum(dim=1).tolist() == [kept] * 5
    assert not drawn.mask.gather(1, drawn.ids_keep).any()
    tokens = torch.arange(num_tokens).expand(5, -1)
    order = drawn.ids_restore.argsort(dim=1)
    assert torch.equal(order[:, :kept], drawn.ids_keep)
    assert torch.equal(order.gather(1, drawn.ids_restore), tokens)


def test_mask_is_uniform_and_differs_between_samples():
    drawn = draw_token_mask(4000, 20, 0.75, torch.Generator().manual_seed(1))
    share = drawn.mask.float().mean(dim=0)
    assert (share - 0.75).abs().max().item() < 0.03
    together = (drawn.mask[:, 0] & drawn.mask[:, 1]).float().mean().item()
    assert together == pytest.approx(15 / 20 * 14 / 19, abs=0.03)
    assert len(torch.unique(drawn.mask, dim=0)) > 3000


def test_mask_comes_from_the_generator_alone():
    first, again = (draw_token_mask(3, 50, 0.5, torch.Generator().manual_seed(9)) for _ in range(2))
    other = draw_token_mask(3, 50, 0.5, torch.Generator().manual_seed(10))
    assert torch.equal(first.ids_keep, again.ids_keep)
    assert not torch.equal(first.ids_keep, other.ids_keep)


@pytest.mark.parametrize("ratio", [0.999, 0.001])
def test_a_ratio_that_leaves_nothing_to_do_is_refused(ratio):
    with pytest.raises(ConfigError, match=str(ratio)):
        num_visible_tokens(20, ratio)


def test_visible_predictions_get_exactly_zero_gradient():
    model = small_autoencoder()
    result = model(torch.randn(3, 2, 80), torch.Generator().manual_seed(4))
    result.prediction.retain_grad()
    result.loss.backward()
    gradient = result.prediction.grad
    assert torch.equal(gradient[~result.mask], torch.zeros_like(gradient[~result.mask]))
    assert (gradient[result.mask].abs().sum(-1) > 0).all()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_loss_is_that_of_the_parts():
    model = small_autoencoder()
    batch = torch.randn(3, 2, 80)
    result = model(batch, torch.Generator().manual_seed(4))
    assert torch.equal(result.target, model.encoder.layout.patchify(batch))
    expected = (result.prediction - result.target)[result.mask].square().mean()
    assert result.loss.item() == pytest.approx(expected.item(), rel=1e-6)
    again = model(batch, torch.Generator().manual_seed(4))
    assert torch.equal(result.loss, again.loss)


def test_hidden_values_reach_the_target_but_not_the_prediction():
    model = small_autoencoder()
    batch = torch.randn(1, 2, 80)
    first = model(batch, torch.Generator().manual_seed(4))
    layout = model.encoder.layout
    assert isinstance(layout, EcgPatches)
    patches = layout.patchify(batch).clone()
    patches[first.mask] += 5.0
    changed = model(layout.unpatchify(patches), torch.Generator().manual_seed(4))
    assert torch.equal(first.prediction, changed.prediction)
    assert changed.loss.item() > first.loss.item()


def test_training_beats_the_reference_where_the_visible_tell_the_hidden():
    model = small_autoencoder()
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    ratios = []
    for _ in range(120):
        level = torch.randn(32, 1, 1, generator=generator)
        batch = level.expand(-1, 2, 80).contiguous()
        result = model(batch, generator)
        optimizer.zero_grad()
        result.loss.backward()
        optimizer.step()
        ratios.append((result.loss / mean_prediction_loss(result.target, result.mask)).item())
    assert ratios[0] == pytest.approx(1.0, abs=0.1)
    assert sum(ratios[-10:]) / 10 < 0.6


@pytest.mark.parametrize(
    ("settings", "ratio", "added"),
    [(EcgEncoderSettings(), 0.75, 1_088_562), (CineEncoderSettings(), 0.9, 1_159_200)],
)
def test_decoder_adds_a_little_over_a_million_parameters(settings, ratio, added):
    if isinstance(settings, EcgEncoderSettings):
        encoder = build_ecg_encoder(settings)
    else:
        encoder = build_cine_encoder(settings)
    model = build_masked_autoencoder(
        encoder, masked_reconstruction_loss, MaskedAutoencoderSettings(mask_ratio=ratio), settings
    )
    assert count_parameters(model) - count_parameters(encoder) == added
    assert not model.decoder.mask_token.any()


def test_convolutional_encoders_are_refused_with_a_way_out():
    settings = EcgEncoderSettings(family="conv", dim=32, conv_width=8)
    with pytest.raises(ConfigError, match="needs the encoder family 'vit', got ConvEcgEncoder"):
        build_masked_autoencoder(
            build_ecg_encoder(settings),
            masked_reconstruction_loss,
            MaskedAutoencoderSettings(),
            settings,
        )
