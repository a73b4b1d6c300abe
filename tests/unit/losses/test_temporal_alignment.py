"""Eq. (3): closed forms, bounds and invariances of method.md §6."""

import math

import pytest
import torch

from ptacl_core.errors import ConfigError
from ptacl_core.losses import (
    alignment_entropy,
    alignment_matrix,
    cosine_alignment_loss,
    step_similarity,
    temporal_alignment_loss,
    temporal_alignment_terms,
)


@pytest.fixture
def steps() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    ecg, cmr = torch.randn(2, 5, 13, 8, generator=generator)
    return ecg, cmr


@pytest.mark.parametrize("sigma", [0.0, 0.05, 0.1, 1.0])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_eq3_equal_embeddings_give_ln_13(sigma, temperature):
    equal = torch.ones(4, 13, 6)
    loss = temporal_alignment_loss(equal, equal, temperature=temperature, sigma=sigma)
    assert loss.item() == pytest.approx(2.5649, abs=5e-5)
    assert loss.item() == pytest.approx(math.log(13), abs=2e-6)


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, 1.6891), (0.07, 7.5e-6)])
def test_eq3_orthonormal_aligned_hard_gives_the_closed_form(temperature, expected):
    eye = torch.eye(13, dtype=torch.float64).expand(3, -1, -1)
    loss = temporal_alignment_loss(eye, eye, temperature=temperature, sigma=0.0).item()
    assert loss == pytest.approx(math.log(math.exp(1 / temperature) + 12) - 1 / temperature)
    assert loss == pytest.approx(expected, rel=5e-3)


def test_eq3_at_temperature_one_never_falls_below_its_bound():
    opposed = torch.eye(13)[None] - 1 / 13
    aligned = temporal_alignment_loss(opposed, opposed, temperature=1.0, sigma=0.0).item()
    lowest = math.log(math.e + 12 / math.e) - 1.0
    assert lowest == pytest.approx(0.965, abs=5e-4)
    assert lowest < aligned < math.log(13)


def test_eq3_soft_loss_is_never_below_the_entropy_of_p(steps):
    ecg, cmr = steps
    entropy = alignment_entropy(alignment_matrix(13, sigma=0.1)).item()
    assert entropy == pytest.approx(1.5411, abs=5e-5)
    for temperature in (0.01, 0.07, 1.0):
        loss = temporal_alignment_loss(ecg, cmr, temperature=temperature, sigma=0.1)
        assert loss.item() >= entropy


def test_eq3_reaches_the_entropy_where_the_softmax_equals_p():
    matrix = alignment_matrix(13, sigma=0.1, dtype=torch.float64)
    logits = matrix.log()
    loss = -(matrix * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
    assert loss.item() == pytest.approx(alignment_entropy(matrix).item(), abs=1e-12)


def test_eq3_sum_outside_the_logarithm_is_at_least_the_sum_inside(steps):
    ecg, cmr = steps
    probability = torch.softmax(step_similarity(ecg, cmr) / 0.1, dim=2)
    for sigma in (0.0, 0.1):
        matrix = alignment_matrix(13, sigma=sigma)
        inside = -(matrix * probability).sum(dim=2).log().mean()
        outside = temporal_alignment_loss(
            ecg, cmr, temperature=0.1, sigma=sigma, ecg_to_cmr_weight=1.0
        )
        if sigma == 0:
            assert inside.item() == pytest.approx(outside.item(), rel=1e-5)
        else:
            assert inside < outside


def test_eq3_does_not_see_lengths_nor_the_order_of_patients(steps):
    ecg, cmr = steps
    loss = temporal_alignment_loss(ecg, cmr, temperature=0.1, sigma=0.1)
    order = torch.tensor([3, 0, 4, 1, 2])
    scale = torch.linspace(0.1, 40.0, 5)[:, None, None]
    changed = temporal_alignment_loss(
        (ecg * scale)[order], cmr[order] * 7.0, temperature=0.1, sigma=0.1
    )
    assert changed.item() == pytest.approx(loss.item(), abs=2e-6)


def test_eq3_batch_is_the_mean_of_single_patients(steps):
    ecg, cmr = steps
    whole = temporal_alignment_loss(ecg, cmr, temperature=0.07, sigma=0.1)
    single = [
        temporal_alignment_loss(ecg[i : i + 1], cmr[i : i + 1], temperature=0.07, sigma=0.1)
        for i in range(5)
    ]
    assert whole.item() == pytest.approx(torch.stack(single).mean().item(), rel=1e-6)


def test_eq3_both_directions_use_the_rows_of_p(steps):
    ecg, cmr = steps
    backward = temporal_alignment_loss(ecg, cmr, temperature=0.1, sigma=0.1, ecg_to_cmr_weight=0.0)
    swapped = temporal_alignment_loss(cmr, ecg, temperature=0.1, sigma=0.1, ecg_to_cmr_weight=1.0)
    transposed = torch.log_softmax(step_similarity(ecg, cmr) / 0.1, dim=1).transpose(1, 2)
    matrix = alignment_matrix(13, sigma=0.1)
    assert backward.item() == pytest.approx(swapped.item(), rel=1e-6)
    assert backward.item() == pytest.approx(-(matrix * transposed).sum(2).mean().item(), rel=1e-5)
    assert backward.item() != pytest.approx(-(matrix.T * transposed).sum(2).mean().item(), rel=1e-3)


@pytest.mark.parametrize("loss_name", ["contrast", "cosine"])
def test_eq3_invalid_patient_gets_exactly_zero_gradient(steps, loss_name):
    ecg, cmr = (part.clone() for part in steps)
    ecg[1] = 0.0  # what the beat-step matrix of a record without beats gives
    ecg.requires_grad_()
    cmr.requires_grad_()
    is_valid = torch.tensor([True, False, True, True, False])

    def loss_of(first, second, valid):
        if loss_name == "cosine":
            return cosine_alignment_loss(first, second, is_valid=valid)
        return temporal_alignment_loss(first, second, temperature=1.0, sigma=0.1, is_valid=valid)

    loss = loss_of(ecg, cmr, is_valid)
    loss.backward()
    assert loss.item() == pytest.approx(
        loss_of(ecg[is_valid], cmr[is_valid], None).item(), rel=1e-6
    )
    for gradient in (ecg.grad, cmr.grad):
        assert torch.equal(gradient[~is_valid], torch.zeros_like(gradient[~is_valid]))
        assert (gradient[is_valid].abs().sum(dim=(1, 2)) > 0).all()


def test_eq3_not_a_number_in_an_invalid_patient_reaches_nobody(steps):
    ecg, cmr = (part.clone() for part in steps)
    ecg[2] = torch.nan
    ecg.requires_grad_()
    is_valid = torch.tensor([True, True, False, True, True])
    loss = temporal_alignment_loss(ecg, cmr, temperature=1.0, sigma=0.1, is_valid=is_valid)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(ecg.grad).all()


def test_eq3_no_valid_patient_gives_exactly_zero_with_a_graph(steps):
    ecg, cmr = (part.clone().requires_grad_() for part in steps)
    is_valid = torch.zeros(5, dtype=torch.bool)
    loss = temporal_alignment_loss(ecg, cmr, temperature=0.07, sigma=0.1, is_valid=is_valid)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(ecg.grad, torch.zeros_like(ecg))
    assert torch.equal(cmr.grad, torch.zeros_like(cmr))


def test_eq3_sums_and_counts_add_up_over_processes(steps):
    ecg, cmr = steps
    is_valid = torch.tensor([True, False, False, True, True])
    arguments = {"temperature": 0.1, "sigma": 0.1}
    parts = [
        temporal_alignment_terms(ecg[part], cmr[part], is_valid=is_valid[part], **arguments)
        for part in (slice(0, 3), slice(3, 5))
    ]
    count = sum(part[1] for part in parts)
    whole = temporal_alignment_loss(ecg, cmr, is_valid=is_valid, **arguments)
    assert count == 3
    assert (sum(part[0] for part in parts) / count).item() == pytest.approx(whole.item(), rel=1e-6)


def test_eq3_gradient_is_exact_in_float64(steps):
    ecg, cmr = (part[:3, :4, :3].double().requires_grad_() for part in steps)
    is_valid = torch.tensor([True, False, True])
    assert torch.autograd.gradcheck(
        lambda a, b: temporal_alignment_loss(
            a, b, temperature=0.5, sigma=0.2, ecg_to_cmr_weight=0.3, is_valid=is_valid
        ),
        (ecg, cmr),
    )


def test_eq3_is_float32_under_autocast(steps):
    ecg, cmr = (part.bfloat16() for part in steps)
    plain = temporal_alignment_loss(ecg.float(), cmr.float(), temperature=0.07, sigma=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = temporal_alignment_loss(ecg, cmr, temperature=0.07, sigma=0.1)
    assert cast.dtype == torch.float32
    assert cast.item() == plain.item()


def test_eq3_refuses_bad_constants(steps):
    ecg, cmr = steps
    with pytest.raises(ConfigError, match=r"sigma.*-0\.375"):
        temporal_alignment_loss(ecg, cmr, temperature=1.0, sigma=-0.375)
    with pytest.raises(ConfigError, match=r"temperature.*-1\.75"):
        temporal_alignment_loss(ecg, cmr, temperature=-1.75, sigma=0.1)
