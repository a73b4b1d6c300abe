"""PTACL-2: contrast under an unknown shift, same phase across patients, both together."""

import math

import numpy as np
import pytest
import torch

from ptacl_core.errors import ConfigError
from ptacl_core.losses import (
    ptacl2_local_loss,
    same_phase_loss,
    same_phase_terms,
    temporal_alignment_loss,
    turn_steps_back,
    unknown_shift_loss,
)


def _steps(seed=0, patients=4, steps=5, dim=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(patients, steps, dim, generator=generator, dtype=dtype) for _ in "ab"]


def test_ptacl2_eq1_without_a_shift_is_eq3():
    ecg, cmr = _steps()
    still = torch.zeros(4, dtype=torch.long)
    turned = unknown_shift_loss(ecg, cmr, still, temperature=0.2, sigma=0.1)
    assert turned.item() == temporal_alignment_loss(ecg, cmr, temperature=0.2, sigma=0.1).item()


def test_ptacl2_eq1_turns_each_patient_back_by_its_own_shift():
    ecg, cmr = _steps(1)
    shift = torch.tensor([0, 1, 4, 3])
    shifted = torch.stack([steps.roll(-int(s), 0) for steps, s in zip(cmr, shift, strict=True)])
    assert torch.equal(turn_steps_back(shifted, shift), cmr)
    turned = unknown_shift_loss(ecg, shifted, shift, temperature=0.3, sigma=0.0)
    expected = temporal_alignment_loss(ecg, cmr, temperature=0.3, sigma=0.0)
    assert turned.item() == pytest.approx(expected.item(), abs=1e-12)


def test_ptacl2_eq1_of_steps_that_only_know_their_place_cannot_fall_to_zero():
    """A clock sees the turned index: after turning back it matches with probability 1/T only."""
    clock = torch.eye(5, dtype=torch.float64).expand(5, -1, -1)
    shift = torch.arange(5)
    at_rest = unknown_shift_loss(clock, clock, shift * 0, temperature=0.05, sigma=0.0)
    moved = unknown_shift_loss(clock, clock, shift, temperature=0.05, sigma=0.0)
    assert at_rest.item() < 1e-7
    assert moved.item() == pytest.approx(4 / 5 * 20.0, abs=1e-6)  # wrong by 1/τ = 20 nats in 4 of 5


def test_ptacl2_eq1_refuses_another_number_of_shifts():
    _, cmr = _steps()
    with pytest.raises(ConfigError, match=r"shift: expected one per patient, \[4\], got \[3\]"):
        turn_steps_back(cmr, torch.zeros(3).long())


def test_ptacl2_eq2_of_equal_embeddings_is_ln_n():
    same = torch.ones(7, 3, 4, dtype=torch.float64)
    assert same_phase_loss(same, same, temperature=0.1).item() == pytest.approx(math.log(7))
    is_valid = torch.tensor([True] * 5 + [False] * 2)
    among_five = same_phase_loss(same, same, temperature=0.1, is_valid=is_valid)
    assert among_five.item() == pytest.approx(math.log(5))


def test_ptacl2_eq2_in_closed_form_for_two_patients():
    """Orthogonal patients: own cosine 1, other 0, so −log σ(1/τ) in both directions."""
    ecg = torch.eye(2, dtype=torch.float64)[:, None].expand(-1, 3, -1)
    loss = same_phase_loss(ecg, 5.0 * ecg, temperature=0.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2.0)), abs=1e-12)


def test_ptacl2_eq2_against_numpy():
    ecg, cmr = _steps(2)
    a, b = (x / np.linalg.norm(x, axis=2, keepdims=True) for x in (ecg.numpy(), cmr.numpy()))
    total = 0.0
    for step in range(5):
        logits = a[:, step] @ b[:, step].T / 0.2
        for weight, table in ((0.3, logits), (0.7, logits.T)):
            chance = np.exp(table) / np.exp(table).sum(1, keepdims=True)
            total += weight * -np.log(np.diag(chance)).mean() / 5
    loss = same_phase_loss(ecg, cmr, temperature=0.2, ecg_to_cmr_weight=0.3)
    assert loss.item() == pytest.approx(total, abs=1e-12)


def test_ptacl2_eq2_is_blind_to_what_all_patients_share_at_a_step():
    """Turning every step by a rotation of its own changes nothing: phase is no shortcut."""
    ecg, cmr = _steps(3)
    turns = torch.linalg.qr(torch.randn(5, 6, 6, generator=torch.manual_seed(1)).double())[0]
    turned = [torch.einsum("ikd,kde->ike", x, turns) for x in (ecg, cmr)]
    loss = same_phase_loss(ecg, cmr, temperature=0.2)
    assert same_phase_loss(*turned, temperature=0.2).item() == pytest.approx(loss.item(), abs=1e-12)


def test_ptacl2_eq2_gives_invalid_patients_no_gradient_and_few_no_loss():
    ecg, cmr = (x.requires_grad_() for x in _steps(4))
    is_valid = torch.tensor([True, False, True, True])
    same_phase_loss(ecg, cmr, temperature=0.2, is_valid=is_valid).backward()
    assert ecg.grad is not None
    assert torch.equal(ecg.grad[1], torch.zeros_like(ecg.grad[1]))
    assert ecg.grad[0].abs().sum() > 0
    alone = torch.tensor([False, False, True, False])
    assert same_phase_loss(ecg, cmr, temperature=0.2, is_valid=alone).item() == 0.0
    nobody = torch.zeros(4, dtype=torch.bool)
    assert same_phase_loss(ecg, cmr, temperature=0.2, is_valid=nobody).item() == 0.0


def test_ptacl2_eq2_of_two_halves_is_that_of_the_whole():
    ecg, cmr = _steps(5)
    is_valid = torch.tensor([True, True, False, True])
    whole = same_phase_loss(ecg, cmr, temperature=0.2, is_valid=is_valid)
    halves = [
        same_phase_terms(
            ecg[part], cmr[part], ecg, cmr, offset=part.start, temperature=0.2, is_valid=is_valid
        )
        for part in (slice(0, 2), slice(2, 4))
    ]
    total = sum(half[0] for half in halves) / sum(half[1] for half in halves)
    assert float(total) == pytest.approx(whole.item(), abs=1e-12)


def test_ptacl2_eq2_gradient_is_exact_in_float64():
    ecg, cmr = _steps(6, patients=3, steps=2, dim=3)
    assert torch.autograd.gradcheck(
        lambda a, b: same_phase_loss(a, b, temperature=0.5),
        (ecg.requires_grad_(), cmr.requires_grad_()),
    )


@pytest.mark.parametrize(("offset", "shown"), [(-1, "-1"), (3, "3")])
def test_ptacl2_eq2_refuses_rows_outside_the_gathered_ones(offset, shown):
    ecg, cmr = _steps()
    with pytest.raises(ConfigError, match=f"2 local rows from {shown} exceed the 4 gathered"):
        same_phase_terms(ecg[:2], cmr[:2], ecg, cmr, offset=offset, temperature=0.1)


def test_ptacl2_eq3_is_the_weighted_sum():
    shift, phase = torch.tensor(2.0), torch.tensor(5.0)
    assert ptacl2_local_loss(shift, phase).item() == 3.5
    assert ptacl2_local_loss(shift, phase, same_phase_share=0.25).item() == 2.75
    assert ptacl2_local_loss(shift, phase, same_phase_share=0.0).item() == 2.0
    with pytest.raises(ConfigError, match=r"same_phase_share.*1\.5"):
        ptacl2_local_loss(shift, phase, same_phase_share=1.5)
