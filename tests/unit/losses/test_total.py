"""Eq. (4) and the pieces around it."""

import math

import pytest
import torch

from ptacl_core.errors import ConfigError
from ptacl_core.losses import (
    cosine_alignment_loss,
    cosine_alignment_terms,
    masked_target_mse,
    masked_target_terms,
    nt_xent_loss,
    nt_xent_loss_gathered,
    ptacl_loss,
    two_anchor_loss,
)


def test_eq4_is_the_weighted_sum_and_beta_zero_the_global_row():
    patient, temporal = torch.tensor(1.5), torch.tensor(2.25)
    assert ptacl_loss(patient, temporal, beta=1.0).item() == 3.75
    assert ptacl_loss(patient, temporal, beta=0.5).item() == 2.625
    assert ptacl_loss(patient, temporal, beta=0.0).item() == 1.5


def test_eq4_gradient_is_exact_in_float64():
    values = torch.tensor([0.3, 1.7], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda a, b: ptacl_loss(a, b, beta=0.7),
        (values[0].clone().requires_grad_(), values[1].clone().requires_grad_()),
    )


@pytest.mark.parametrize("beta", [-0.625, math.inf, math.nan])
def test_eq4_refuses_a_beta_and_shows_it(beta):
    with pytest.raises(ConfigError, match="beta.*" + repr(beta)):
        ptacl_loss(torch.tensor(1.0), torch.tensor(1.0), beta=beta)


def test_cosine_alignment_runs_from_zero_to_two():
    eye = torch.eye(13).expand(2, -1, -1)
    assert cosine_alignment_loss(eye, 3.0 * eye).item() == pytest.approx(0.0, abs=1e-6)
    assert cosine_alignment_loss(eye, -eye).item() == pytest.approx(2.0, abs=1e-6)
    assert cosine_alignment_loss(eye, eye.roll(1, 1)).item() == pytest.approx(1.0, abs=1e-6)


def test_cosine_alignment_gradient_and_counts():
    ecg, cmr = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.manual_seed(2))
    is_valid = torch.tensor([True, True, False])
    assert torch.autograd.gradcheck(
        lambda a, b: cosine_alignment_loss(a, b, sigma=0.1, is_valid=is_valid),
        (ecg.requires_grad_(), cmr.requires_grad_()),
    )
    total, count = cosine_alignment_terms(ecg, cmr, is_valid=~is_valid & is_valid)
    assert (total.item(), count.item()) == (0.0, 0.0)


def test_two_anchors_equal_embeddings_give_ln_2():
    equal = torch.ones(3, 13, 4)
    loss = two_anchor_loss(equal, equal, temperature=0.1, end_systole_step=5)
    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)


def test_two_anchors_see_their_two_steps_only():
    ecg, cmr = torch.randn(2, 3, 13, 4, generator=torch.manual_seed(5))
    loss = two_anchor_loss(ecg, cmr, temperature=0.1, end_systole_step=5)
    per_patient = two_anchor_loss(
        ecg, cmr, temperature=0.1, end_systole_step=torch.tensor([5, 5, 5])
    )
    ecg[:, [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]] = 99.0
    changed = two_anchor_loss(ecg, cmr, temperature=0.1, end_systole_step=5)
    assert loss.item() == changed.item() == per_patient.item()
    moved = two_anchor_loss(ecg, cmr, temperature=0.1, end_systole_step=torch.tensor([5, 6, 5]))
    assert moved.item() != loss.item()


@pytest.mark.parametrize("step", [13, -1, 0])
def test_two_anchors_refuse_a_step_and_show_it(step):
    steps = torch.ones(1, 13, 2)
    with pytest.raises(ConfigError, match=f"end_systole_step.*{step}"):
        two_anchor_loss(steps, steps, temperature=0.1, end_systole_step=step)


def test_nt_xent_equal_views_give_ln_of_the_others():
    views = torch.ones(6, 4)
    assert nt_xent_loss(views, views, temperature=0.1).item() == pytest.approx(
        math.log(11), abs=1e-6
    )
    assert nt_xent_loss(views[:1], views[:1], temperature=0.1).item() == 0.0


def test_nt_xent_orthonormal_records_give_the_closed_form():
    eye = torch.eye(5)
    loss = nt_xent_loss(eye, 2.0 * eye, temperature=0.5)
    assert loss.item() == pytest.approx(math.log(math.exp(2.0) + 8) - 2.0, abs=1e-6)


def test_nt_xent_processes_average_to_the_whole_and_views_may_swap():
    first, second = torch.randn(2, 8, 5, generator=torch.manual_seed(4))
    whole = nt_xent_loss(first, second, temperature=0.1).item()
    parts = [
        nt_xent_loss_gathered(
            first[o : o + 4], second[o : o + 4], first, second, offset=o, temperature=0.1
        ).item()
        for o in (0, 4)
    ]
    assert sum(parts) / 2 == pytest.approx(whole, abs=2e-6)
    assert nt_xent_loss(second, first, temperature=0.1).item() == pytest.approx(whole, abs=2e-6)
    with pytest.raises(ConfigError, match="from 5 exceed the 8"):
        nt_xent_loss_gathered(first[:4], second[:4], first, second, offset=5, temperature=0.1)


def test_nt_xent_gradient_is_exact_in_float64():
    first, second = torch.randn(2, 4, 3, dtype=torch.float64, generator=torch.manual_seed(6))
    assert torch.autograd.gradcheck(
        lambda a, b: nt_xent_loss(a, b, temperature=0.5),
        (first.requires_grad_(), second.requires_grad_()),
    )


def test_missing_targets_get_exactly_zero_gradient():
    prediction = torch.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    target = torch.tensor([[0.0, torch.nan], [torch.nan, 1.0]])
    loss = masked_target_mse(prediction, target)
    loss.backward()
    assert loss.item() == pytest.approx((1.0 + 16.0) / 2)
    assert prediction.grad is not None
    assert prediction.grad.tolist() == [[1.0, 0.0], [0.0, 4.0]]


def test_no_target_at_all_gives_zero_with_a_graph():
    prediction = torch.ones(2, 3, requires_grad=True)
    loss = masked_target_mse(prediction, torch.full((2, 3), torch.nan))
    loss.backward()
    assert loss.item() == 0.0
    assert prediction.grad is not None
    assert torch.equal(prediction.grad, torch.zeros(2, 3))
    assert masked_target_terms(prediction, torch.zeros(2, 3))[1].item() == 6.0
