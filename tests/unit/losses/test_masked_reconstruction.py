"""The masked autoencoder's loss counts hidden tokens only."""

import pytest
import torch

from ptacl_core.losses import masked_reconstruction_loss, mean_prediction_loss


def test_only_hidden_tokens_count_and_visible_ones_get_exactly_zero_gradient():
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(3, 8, 5, generator=generator, requires_grad=True)
    target = torch.randn(3, 8, 5, generator=generator)
    mask = torch.rand(3, 8, generator=generator) < 0.75
    loss = masked_reconstruction_loss(prediction, target, mask)
    loss.backward()
    expected = (prediction - target)[mask].square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert prediction.grad is not None
    assert torch.equal(prediction.grad[~mask], torch.zeros_like(prediction.grad[~mask]))
    assert (prediction.grad[mask] != 0).all()


def test_nothing_hidden_gives_zero_with_a_graph():
    prediction = torch.ones(1, 2, 3, requires_grad=True)
    loss = masked_reconstruction_loss(
        prediction, torch.zeros(1, 2, 3), torch.zeros(1, 2, dtype=torch.bool)
    )
    loss.backward()
    assert loss.item() == 0.0
    assert prediction.grad is not None
    assert torch.equal(prediction.grad, torch.zeros(1, 2, 3))


def test_reference_is_the_variance_of_the_targets():
    generator = torch.Generator().manual_seed(1)
    target = 3.0 + 2.0 * torch.randn(4, 30, 50, generator=generator)
    everything = torch.ones(4, 30, dtype=torch.bool)
    reference = mean_prediction_loss(target, everything)
    assert reference.item() == pytest.approx(target.var(correction=0).item(), rel=1e-5)


def test_gradient_is_exact_in_float64():
    generator = torch.Generator().manual_seed(2)
    prediction, target = torch.randn(2, 2, 4, 3, generator=generator, dtype=torch.float64)
    mask = torch.tensor([[True, False, True, False], [False, True, True, True]])
    assert torch.autograd.gradcheck(
        lambda values: masked_reconstruction_loss(values, target, mask),
        (prediction.requires_grad_(),),
    )


def test_half_precision_predictions_are_compared_in_float32():
    prediction = torch.full((1, 1, 4), 1.0, dtype=torch.bfloat16)
    target = torch.full((1, 1, 4), 1.001)
    loss = masked_reconstruction_loss(prediction, target, torch.ones(1, 1, dtype=torch.bool))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1e-6, rel=1e-3)
