"""The transformer: token order, masking, freezing, precision."""

import pytest
import torch
from torch.nn import functional

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.errors import ConfigError
from ptacl_core.models import (
    CinePatches,
    EcgPatches,
    PatchTransformer,
    build_cine_encoder,
    build_ecg_encoder,
)
from ptacl_core.models.parts.attention import SelfAttention, attend
from ptacl_core.models.parts.transformer import TransformerBlock

SMALL_ECG = EcgEncoderSettings(
    num_leads=4, num_samples=60, patch_samples=10, dim=16, depth=3, num_heads=2,
    layer_scale_init=None, position_init_std=0.02,
)  # fmt: skip
SMALL_CINE = CineEncoderSettings(
    num_frames=6, size_px=8, patch_px=4, dim=16, depth=3, num_heads=2,
    layer_scale_init=0.1, position_init_std=0.02,
)  # fmt: skip


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(11)


def build_ecg(settings=SMALL_ECG, *, generator: torch.Generator | None = None) -> PatchTransformer:
    encoder = build_ecg_encoder(settings, generator=generator)
    assert isinstance(encoder, PatchTransformer)
    return encoder


def build_cine(*, generator: torch.Generator) -> PatchTransformer:
    encoder = build_cine_encoder(SMALL_CINE, generator=generator)
    assert isinstance(encoder, PatchTransformer)
    return encoder


def block_of(encoder: PatchTransformer, index: int) -> TransformerBlock:
    block = encoder.blocks[index]
    assert isinstance(block, TransformerBlock)
    return block


def test_ecg_tokens_are_lead_major():
    layout = EcgPatches(num_leads=12, num_samples=2500, patch_samples=50)
    batch = torch.arange(2 * 12 * 2500.0).view(2, 12, 2500)
    patches = layout.patchify(batch)
    assert patches.shape == (2, 600, 50)
    assert torch.equal(patches[1, 3 * 50 + 7], batch[1, 3, 350:400])
    assert torch.equal(layout.unpatchify(patches), batch)


def test_cine_tokens_are_time_major():
    layout = CinePatches(num_frames=26, size_px=84, patch_frames=2, patch_px=12)
    batch = torch.arange(26 * 84 * 84.0).view(1, 26, 84, 84)
    patches = layout.patchify(batch)
    assert patches.shape == (1, 637, 288)
    token = (5 * 7 + 2) * 7 + 6
    expected = batch[0, 10:12, 24:36, 72:84].flatten()
    assert torch.equal(patches[0, token], expected)
    assert torch.equal(layout.unpatchify(patches), batch)


@pytest.mark.parametrize("kind", ["ecg", "cine"])
def test_patch_embedding_is_the_strided_convolution(kind, generator):
    if kind == "ecg":
        encoder = build_ecg(generator=generator)
        batch = torch.randn(2, 4, 60, generator=generator)
        kernel = encoder.patch_embedding.weight.view(16, 1, 1, 10)
        expected = functional.conv2d(batch[:, None], kernel, stride=(1, 10))
    else:
        encoder = build_cine(generator=generator)
        batch = torch.rand(2, 6, 8, 8, generator=generator)
        kernel = encoder.patch_embedding.weight.view(16, 1, 2, 4, 4)
        expected = functional.conv3d(batch[:, None], kernel, stride=(2, 4, 4))
    embedded = encoder.patch_embedding(encoder.layout.patchify(batch))
    torch.testing.assert_close(embedded, expected.flatten(2).transpose(1, 2))


def test_attention_is_the_textbook_formula_with_no_key_bias(generator):
    attention = SelfAttention(8, 2)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    tokens = torch.randn(3, 5, 8, generator=generator)
    query_weight, key_weight, value_weight = attention.query_key_value.weight.chunk(3)
    query = tokens @ query_weight.T + attention.query_bias
    key = tokens @ key_weight.T
    value = tokens @ value_weight.T + attention.value_bias
    mixed = []
    for head in (slice(0, 4), slice(4, 8)):
        weights = torch.softmax(query[..., head] @ key[..., head].transpose(1, 2) / 2.0, dim=-1)
        mixed.append(weights @ value[..., head])
    torch.testing.assert_close(attention(tokens), attention.output(torch.cat(mixed, dim=-1)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_explicit_and_fused_attention_agree(generator, dtype):
    query, key, value = torch.randn(3, 2, 2, 7, 8, generator=generator).to(dtype)
    fused = attend(query, key, value, kind="fused")
    explicit = attend(query, key, value, kind="explicit")
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    torch.testing.assert_close(fused, explicit, atol=tolerance, rtol=tolerance)
    automatic = attend(query, key, value, kind="auto")
    assert torch.equal(automatic, fused if dtype == torch.float32 else explicit)


def test_kept_tokens_carry_their_own_positions(generator):
    encoder = build_ecg(generator=generator)
    batch = torch.randn(2, 4, 60, generator=generator)
    everything = torch.stack([torch.randperm(24, generator=generator) for _ in range(2)])
    shuffled = encoder.tokens(batch, ids_keep=everything)
    plain = encoder.tokens(batch)
    index = everything[:, :, None].expand(-1, -1, 16)
    torch.testing.assert_close(shuffled, plain.gather(1, index))
    assert encoder.tokens(batch, ids_keep=everything[:, :5]).shape == (2, 5, 16)


def test_hidden_values_do_not_reach_the_visible_tokens(generator):
    encoder = build_cine(generator=generator)
    batch = torch.rand(1, 6, 8, 8, generator=generator)
    keep = torch.tensor([[0, 5, 7]])
    before = encoder.tokens(batch, ids_keep=keep)
    layout = encoder.layout
    assert isinstance(layout, CinePatches)
    patches = layout.patchify(batch).clone()
    patches[:, [1, 2, 3, 4, 6, 8, 9, 10, 11]] = 1e6
    after = encoder.tokens(layout.unpatchify(patches), ids_keep=keep)
    assert torch.equal(before, after)


def test_final_norm_makes_unit_variance(generator):
    encoder = build_ecg(generator=generator)
    tokens = encoder.tokens(torch.randn(2, 4, 60, generator=generator))
    torch.testing.assert_close(tokens.mean(-1), torch.zeros(2, 24), atol=1e-5, rtol=0)
    torch.testing.assert_close(tokens.var(-1, correction=0), torch.ones(2, 24), atol=1e-4, rtol=0)
    assert encoder.final_norm.eps == 1e-12


@pytest.mark.parametrize(
    ("num_blocks", "embeddings"), [(2, True), (0, True), (2, False), (3, True)]
)
def test_frozen_parts_get_no_gradient_and_change_no_output(generator, num_blocks, embeddings):
    encoder = build_ecg(generator=generator)
    batch = torch.randn(2, 4, 60, generator=generator)
    free = encoder.tokens(batch)
    encoder.freeze_first(num_blocks, embeddings=embeddings)
    frozen = encoder.tokens(batch)
    assert torch.equal(free, frozen)
    if any(parameter.requires_grad for parameter in encoder.parameters()):
        (frozen * torch.randn(frozen.shape, generator=generator)).sum().backward()
    for name, parameter in encoder.named_parameters():
        is_fixed = int(name.split(".")[1]) < num_blocks if name.startswith("blocks") else embeddings
        assert parameter.requires_grad is not is_fixed, name
        assert (parameter.grad is None) is is_fixed, name


def test_gradients_behind_frozen_parts_are_those_of_the_free_encoder(generator):
    encoder = build_cine(generator=generator)
    batch = torch.rand(2, 6, 8, 8, generator=generator)
    weight = torch.randn(2, 12, 16, generator=generator)
    (encoder.tokens(batch) * weight).sum().backward()
    free = {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}
    encoder.zero_grad(set_to_none=True)
    encoder.freeze_first(1, embeddings=True)
    (encoder.tokens(batch) * weight).sum().backward()
    for name, parameter in encoder.named_parameters():
        if parameter.grad is not None:
            assert torch.equal(parameter.grad, free[name]), name


def test_frozen_blocks_record_no_graph_and_drop_no_path(generator):
    settings = SMALL_ECG.model_copy(update={"drop_path": 0.9})
    encoder = build_ecg(settings, generator=generator).train()
    batch = torch.randn(2, 4, 60, generator=generator)
    encoder.freeze_first(3, embeddings=True)
    assert not encoder.tokens(batch).requires_grad
    assert torch.equal(encoder.tokens(batch), encoder.tokens(batch))
    encoder.freeze_first(0, embeddings=False)
    assert block_of(encoder, 2).drop_path.training
    assert not torch.equal(encoder.tokens(batch), encoder.tokens(batch))


def test_drop_path_rises_linearly_and_keeps_the_mean():
    encoder = build_ecg(SMALL_ECG.model_copy(update={"drop_path": 0.5}))
    assert [block_of(encoder, index).drop_path.rate for index in range(3)] == [0.0, 0.25, 0.5]
    torch.manual_seed(0)
    dropped = block_of(encoder, 2).train().drop_path(torch.ones(4000, 2, 3))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.06)
    assert torch.equal(dropped[:, :1, :1].expand_as(dropped), dropped)


def test_builder_is_reproducible_from_its_generator():
    first, again, other = (
        build_ecg(generator=torch.Generator().manual_seed(seed)) for seed in (5, 5, 6)
    )
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.patch_embedding.weight, other.patch_embedding.weight)


def test_weights_start_as_specified():
    encoder = build_ecg(EcgEncoderSettings(), generator=torch.Generator().manual_seed(0))
    assert not encoder.positions.table.any()
    assert encoder.patch_embedding.weight.std().item() == pytest.approx(0.02, rel=0.02)
    block = block_of(encoder, 0)
    assert (block.attention_scale == 1e-5).all()
    assert (block.feed_forward_scale == 1e-5).all()
    assert not block.feed_forward.expand.bias.any()


def test_bfloat16_autocast_keeps_norms_and_residuals_in_float32(generator):
    encoder = build_ecg(generator=generator)
    batch = torch.randn(2, 4, 60, generator=generator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tokens = encoder.tokens(batch)
        assert encoder.final_norm(tokens.bfloat16()).dtype == torch.float32
    assert tokens.dtype == torch.float32
    torch.testing.assert_close(tokens, encoder.tokens(batch), atol=0.1, rtol=0.1)


def test_a_wrong_shape_is_named(generator):
    encoder = build_ecg(generator=generator)
    with pytest.raises(ConfigError, match=r"\[batch, 4, 60\], got \[2, 4, 61\]"):
        encoder.tokens(torch.zeros(2, 4, 61))
    with pytest.raises(ConfigError, match="0 to 3 blocks, got 17"):
        encoder.freeze_first(17)


def test_layers_are_numbered_for_layer_decay(generator):
    encoder = build_ecg(generator=generator)
    assert encoder.num_layers == 5
    layers = {name: encoder.layer_of(name) for name, _ in encoder.named_parameters()}
    assert layers["patch_embedding.weight"] == layers["positions.table"] == 0
    assert layers["blocks.2.attention.query_bias"] == 3
    assert layers["final_norm.bias"] == 4
