"""Pooling, steps of the cycle, heads and the two towers."""

import pytest
import torch
from torch import nn

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings, ProjectionSettings
from ptacl_core.errors import ConfigError
from ptacl_core.losses import patient_alignment_loss, ptacl_loss, temporal_alignment_loss
from ptacl_core.models import (
    AttentionPooling,
    MeanPooling,
    ProjectionHead,
    RegressionHead,
    Regressor,
    SimclrHead,
    SimclrModel,
    build_ecg_encoder,
    build_two_tower,
    cine_step_features,
    count_parameters,
    ecg_step_features,
    mean_pool,
)

ECG = EcgEncoderSettings(
    num_leads=3, num_samples=100, patch_samples=10, dim=16, depth=2, num_heads=2,
    position_init_std=0.02,
)  # fmt: skip
CINE = CineEncoderSettings(
    num_frames=8, size_px=8, patch_px=4, dim=16, depth=2, num_heads=2, position_init_std=0.02
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(8)


def beat_matrix(batch: int, steps: int, slots: int, generator: torch.Generator) -> torch.Tensor:
    return torch.softmax(3 * torch.randn(batch, steps, slots, generator=generator), dim=2)


def test_beat_alignment_as_one_product_equals_the_loop(generator):
    tokens = torch.randn(4, 12 * 50, 8, generator=generator)
    matrix = beat_matrix(4, 13, 50, generator)
    expected = torch.zeros(4, 13, 8)
    for patient in range(4):
        for lead in range(12):
            for step in range(13):
                for slot in range(50):
                    token = tokens[patient, lead * 50 + slot]
                    expected[patient, step] += matrix[patient, step, slot] * token / 12
    torch.testing.assert_close(
        ecg_step_features(tokens, matrix, 12), expected, atol=5e-6, rtol=1e-5
    )


def test_equal_tokens_give_equal_steps_and_no_beat_gives_zero(generator):
    tokens = torch.ones(2, 30, 4) * torch.randn(4, generator=generator)
    matrix = beat_matrix(2, 5, 10, generator)
    matrix[1] = 0.0
    steps = ecg_step_features(tokens, matrix, 3)
    torch.testing.assert_close(steps[0], tokens[0, :5])
    assert torch.equal(steps[1], torch.zeros(5, 4))


def test_cine_steps_average_the_places_of_each_time(generator):
    tokens = torch.randn(2, 13 * 49, 6, generator=generator)
    steps = cine_step_features(tokens, 13)
    torch.testing.assert_close(steps[1, 4], tokens[1, 4 * 49 : 5 * 49].mean(dim=0))
    torch.testing.assert_close(steps.mean(dim=1), mean_pool(tokens), atol=1e-6, rtol=1e-5)


def test_steps_refuse_tokens_that_do_not_fit(generator):
    with pytest.raises(ConfigError, match="37 tokens are not 3 leads × 10 slots"):
        ecg_step_features(torch.zeros(1, 37, 2), torch.zeros(1, 5, 10), 3)
    with pytest.raises(ConfigError, match="36 tokens cannot be split into 13"):
        cine_step_features(torch.zeros(1, 36, 2), 13)


def test_steps_stay_float32_under_autocast(generator):
    tokens = torch.randn(2, 30, 4, generator=generator)
    matrix = beat_matrix(2, 5, 10, generator)
    plain = ecg_step_features(tokens, matrix, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(ecg_step_features(tokens, matrix, 3), plain)


def test_attention_pooling_equals_the_library_block(generator):
    pooling = AttentionPooling(8, 2)
    for parameter in pooling.parameters():
        nn.init.normal_(parameter, generator=generator)
    library = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        library.in_proj_weight.copy_(torch.cat((pooling.query.weight, pooling.key_value.weight)))
        library.in_proj_bias.copy_(torch.cat((pooling.query.bias, pooling.key_value.bias)))
        library.out_proj.load_state_dict(pooling.output.state_dict())
    tokens = torch.randn(3, 11, 8, generator=generator)
    query = tokens.mean(dim=1, keepdim=True)
    expected = pooling.norm(library(query, tokens, tokens, need_weights=False)[0][:, 0])
    torch.testing.assert_close(pooling(tokens), expected, atol=1e-5, rtol=1e-4)
    order = torch.randperm(11, generator=generator)
    torch.testing.assert_close(pooling(tokens[:, order]), pooling(tokens), atol=1e-5, rtol=1e-4)


def test_projections_have_the_stated_layers():
    assert count_parameters(ProjectionHead(512, 128)) == 512 * 128
    assert count_parameters(ProjectionHead(512, 128, kind="mlp")) == 512 * 513 + 512 * 128
    kinds = [type(layer).__name__ for layer in SimclrHead(16, 8).layers]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear"]


def test_regression_head_starts_near_zero(generator):
    head = RegressionHead(512, 10, generator=generator)
    assert head.linear.weight.std().item() == pytest.approx(0.01 * 0.88, rel=0.05)
    assert head.linear.weight.abs().max().item() <= 0.02
    assert not head.linear.bias.any()


def test_two_tower_gives_what_the_losses_take(generator):
    towers = build_two_tower(ECG, CINE, ProjectionSettings(dim=6), generator=generator)
    ecg = torch.randn(3, 3, 100, generator=generator)
    cine = torch.rand(3, 8, 8, 8, generator=generator)
    pair = towers(ecg, cine, beat_matrix(3, 4, 10, generator))
    assert pair.ecg_features.shape == pair.cmr_features.shape == (3, 6)
    assert pair.ecg_steps.shape == pair.cmr_steps.shape == (3, 4, 16)
    loss = ptacl_loss(
        patient_alignment_loss(pair.ecg_features, pair.cmr_features, temperature=0.1),
        temporal_alignment_loss(pair.ecg_steps, pair.cmr_steps, temperature=1.0, sigma=0.1),
        beta=1.0,
    )
    loss.backward()
    assert all(parameter.grad is not None for parameter in towers.parameters())
    pooled = mean_pool(towers.ecg_encoder.tokens(ecg))
    torch.testing.assert_close(pair.ecg_features, towers.ecg_projection(pooled))


def test_two_tower_without_beats_is_the_global_row(generator):
    towers = build_two_tower(ECG, CINE, generator=generator)
    pair = towers(torch.zeros(1, 3, 100), torch.zeros(1, 8, 8, 8))
    assert pair.ecg_steps is None
    assert pair.cmr_steps is None
    assert pair.ecg_features.shape == (1, 128)


def test_two_tower_refuses_steps_that_the_cine_does_not_have(generator):
    towers = build_two_tower(ECG, CINE, generator=generator)
    with pytest.raises(ConfigError, match="5 steps, but the cine encoder has 4"):
        towers(torch.zeros(1, 3, 100), torch.zeros(1, 8, 8, 8), torch.zeros(1, 5, 10))


def test_regressor_pools_by_mean_or_attention(generator):
    encoder = build_ecg_encoder(ECG, generator=generator)
    batch = torch.randn(2, 3, 100, generator=generator)
    head = RegressionHead(16, 10, generator=generator)
    mean = Regressor(encoder, MeanPooling(), head)(batch)
    asked = Regressor(encoder, AttentionPooling(16, 2, generator=generator), head)(batch)
    torch.testing.assert_close(mean, head(mean_pool(encoder.tokens(batch))))
    assert asked.shape == (2, 10)
    assert not torch.allclose(mean, asked)


def test_simclr_head_sees_the_gathered_batch(generator):
    encoder = build_ecg_encoder(ECG, generator=generator)
    model = SimclrModel(encoder, SimclrHead(16, 8, generator=generator))
    first, second = torch.randn(2, 4, 3, 100, generator=generator)
    whole = model(first, second)
    views = [
        mean_pool(encoder.tokens(torch.cat((first[part], second[part])))).view(2, 2, 16)
        for part in (slice(0, 2), slice(2, 4))
    ]
    other = views[1].transpose(0, 1)
    parts = model(first[:2], second[:2], gather=lambda local: torch.cat((local, other)))
    for one, other_view in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other_view, atol=1e-5, rtol=1e-4)
