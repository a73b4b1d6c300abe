"""Log loss of events with missing labels: closed forms."""

import math

import pytest
import torch

from ptacl_core.losses import masked_event_terms


def test_predicting_the_share_costs_one():
    share = torch.tensor([0.25, 0.5])
    target = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    total, count = masked_event_terms(torch.logit(share).expand(4, 2), target, share)
    assert count == 8
    assert (total / count).item() == pytest.approx(1.0, abs=1e-6)


def test_a_missing_event_costs_nothing_and_gets_no_gradient():
    log_odds = torch.zeros(2, 1, requires_grad=True)
    target = torch.tensor([[float("nan")], [1.0]])
    total, count = masked_event_terms(log_odds, target, torch.tensor([0.5]))
    total.backward()
    assert (total.item(), count.item()) == (pytest.approx(1.0), 1.0)
    assert log_odds.grad is not None
    assert log_odds.grad.ravel().tolist() == [0.0, pytest.approx(-0.5 / math.log(2))]
