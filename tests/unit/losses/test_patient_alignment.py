"""Eq. (1): closed forms and laws."""

import math

import pytest
import torch

from ptacl_core.errors import ConfigError
from ptacl_core.losses import patient_alignment_loss, patient_alignment_loss_gathered


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("num_patients", [2, 7, 64])
@pytest.mark.parametrize("temperature", [0.07, 0.1, 1.0])
def test_eq1_equal_embeddings_give_ln_batch(num_patients, temperature):
    features = torch.ones(num_patients, 5)
    loss = patient_alignment_loss(features, features, temperature=temperature)
    assert loss.item() == pytest.approx(math.log(num_patients), abs=1e-6)


def test_eq1_one_patient_gives_exactly_zero(generator):
    features = torch.randn(1, 6, generator=generator, requires_grad=True)
    loss = patient_alignment_loss(features, features.roll(1, 1), temperature=0.1)
    loss.backward()
    assert loss.item() == 0.0
    assert features.grad is not None
    assert torch.equal(features.grad, torch.zeros_like(features))


def test_eq1_orthonormal_matches_give_the_closed_form():
    eye = torch.eye(8)
    loss = patient_alignment_loss(eye, eye, temperature=0.5)
    assert loss.item() == pytest.approx(math.log(math.exp(2.0) + 7) - 2.0, abs=1e-6)


def test_eq1_does_not_see_lengths_nor_the_order_of_patients(generator):
    ecg, cmr = torch.randn(2, 9, 4, generator=generator)
    loss = patient_alignment_loss(ecg, cmr, temperature=0.1)
    scale = torch.rand(9, 1, generator=generator) * 10 + 0.1
    order = torch.randperm(9, generator=generator)
    changed = patient_alignment_loss((ecg * scale)[order], cmr[order], temperature=0.1)
    assert changed.item() == pytest.approx(loss.item(), abs=2e-6)


def test_eq1_weights_mix_the_two_directions(generator):
    ecg, cmr = torch.randn(2, 6, 4, generator=generator)
    forward = patient_alignment_loss(ecg, cmr, temperature=0.2, ecg_to_cmr_weight=1.0)
    backward = patient_alignment_loss(ecg, cmr, temperature=0.2, ecg_to_cmr_weight=0.0)
    swapped = patient_alignment_loss(cmr, ecg, temperature=0.2, ecg_to_cmr_weight=1.0)
    mixed = patient_alignment_loss(ecg, cmr, temperature=0.2, ecg_to_cmr_weight=0.75)
    assert backward.item() == pytest.approx(swapped.item(), abs=1e-6)
    assert forward.item() != pytest.approx(backward.item(), abs=1e-3)
    assert mixed.item() == pytest.approx(0.75 * forward.item() + 0.25 * backward.item(), abs=1e-6)


@pytest.mark.parametrize("num_processes", [1, 2, 4])
def test_eq1_mean_over_processes_is_the_whole_batch(generator, num_processes):
    ecg, cmr = torch.randn(2, 8, 5, generator=generator)
    size = 8 // num_processes
    parts = [
        patient_alignment_loss_gathered(
            ecg[first : first + size],
            cmr[first : first + size],
            ecg,
            cmr,
            offset=first,
            temperature=0.1,
            ecg_to_cmr_weight=0.3,
        )
        for first in range(0, 8, size)
    ]
    whole = patient_alignment_loss(ecg, cmr, temperature=0.1, ecg_to_cmr_weight=0.3)
    assert torch.stack(parts).mean().item() == pytest.approx(whole.item(), abs=2e-6)


def test_eq1_gradient_is_exact_in_float64(generator):
    ecg, cmr = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda a, b: patient_alignment_loss(a, b, temperature=0.3, ecg_to_cmr_weight=0.4),
        (ecg.requires_grad_(), cmr.requires_grad_()),
    )


def test_eq1_is_float32_under_autocast_and_for_half_inputs(generator):
    ecg, cmr = torch.randn(2, 16, 8, generator=generator).bfloat16()
    plain = patient_alignment_loss(ecg.float(), cmr.float(), temperature=0.07)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = patient_alignment_loss(ecg, cmr, temperature=0.07)
    assert cast.dtype == torch.float32
    assert cast.item() == plain.item()


def test_eq1_zero_embeddings_keep_loss_and_gradient_finite():
    ecg = torch.zeros(3, 4, requires_grad=True)
    loss = patient_alignment_loss(ecg, torch.eye(3, 4), temperature=0.07)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(3), abs=1e-6)
    assert ecg.grad is not None
    assert torch.isfinite(ecg.grad).all()


@pytest.mark.parametrize("temperature", [0.0, -0.25, math.inf, math.nan])
def test_eq1_refuses_a_temperature_and_shows_it(temperature):
    with pytest.raises(ConfigError, match=repr(temperature).replace("-", r"\-")):
        patient_alignment_loss(torch.eye(2), torch.eye(2), temperature=temperature)


def test_eq1_refuses_weights_shapes_and_offsets():
    eye = torch.eye(3)
    with pytest.raises(ConfigError, match=r"1\.625"):
        patient_alignment_loss(eye, eye, temperature=0.1, ecg_to_cmr_weight=1.625)
    with pytest.raises(ConfigError, match="2 local rows from 2 exceed the 3"):
        patient_alignment_loss_gathered(eye[:2], eye[:2], eye, eye, offset=2, temperature=0.1)
