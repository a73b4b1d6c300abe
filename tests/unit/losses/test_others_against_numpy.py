"""The losses beside Eqs. (1)-(4) against loops in float64, and their gradients."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_core.losses import (
    masked_reconstruction_loss,
    masked_target_mse,
    mean_prediction_loss,
    two_anchor_loss,
)

TOLERANCE = 2e-5
seeds = st.integers(0, 2**31 - 1)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, batch=st.integers(1, 4), tokens=st.integers(1, 7), values=st.integers(1, 6))
def test_masked_reconstruction_agrees_with_loops(seed, batch, tokens, values):
    rng = np.random.default_rng(seed)
    prediction, target = rng.normal(size=(2, batch, tokens, values)).astype(np.float32)
    mask = rng.random((batch, tokens)) < 0.6
    errors, squares = [], []
    mean = float(np.mean(target.astype(np.float64)))
    for sample in range(batch):
        for token in range(tokens):
            if mask[sample, token]:
                pairs = zip(prediction[sample, token], target[sample, token], strict=True)
                errors.append(sum((float(p) - float(t)) ** 2 for p, t in pairs) / values)
                squares.append(sum((mean - float(t)) ** 2 for t in target[sample, token]) / values)
    arguments = torch.from_numpy(target), torch.from_numpy(mask)
    loss = masked_reconstruction_loss(torch.from_numpy(prediction), *arguments)
    assert loss.item() == pytest.approx(np.mean(errors) if errors else 0.0, abs=TOLERANCE)
    reference = mean_prediction_loss(*arguments)
    assert reference.item() == pytest.approx(np.mean(squares) if squares else 0.0, abs=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, patients=st.integers(1, 6))
def test_masked_target_agrees_with_loops(seed, patients):
    rng = np.random.default_rng(seed)
    prediction, target = rng.normal(size=(2, patients, 10)).astype(np.float32)
    target[rng.random((patients, 10)) < 0.4] = np.nan
    errors = [
        (float(p) - float(t)) ** 2
        for p, t in zip(prediction.ravel(), target.ravel(), strict=True)
        if not math.isnan(t)
    ]
    loss = masked_target_mse(torch.from_numpy(prediction), torch.from_numpy(target))
    assert loss.item() == pytest.approx(np.mean(errors) if errors else 0.0, abs=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    patients=st.integers(1, 5),
    temperature=st.floats(0.07, 2.0),
    end_systole=st.integers(1, 12),
)
def test_two_anchors_agree_with_loops(seed, patients, temperature, end_systole):
    rng = np.random.default_rng(seed)
    ecg, cmr = rng.normal(size=(2, patients, 13, 4)).astype(np.float32)
    is_valid = rng.random(patients) < 0.7
    losses = []
    for e, c in zip(ecg[is_valid].astype(float), cmr[is_valid].astype(float), strict=True):
        anchors = (0, end_systole)
        logits = np.array(
            [
                [e[k] @ c[t] / np.linalg.norm(e[k]) / np.linalg.norm(c[t]) for t in anchors]
                for k in anchors
            ]
        ) / temperature  # fmt: skip
        total = 0.0
        for k in (0, 1):
            for row in (logits[k], logits[:, k]):
                total += math.log(sum(math.exp(value) for value in row)) - row[k]
        losses.append(total / 4)
    loss = two_anchor_loss(
        torch.from_numpy(ecg),
        torch.from_numpy(cmr),
        temperature=temperature,
        end_systole_step=end_systole,
        is_valid=torch.from_numpy(is_valid),
    )
    assert loss.item() == pytest.approx(np.mean(losses) if losses else 0.0, abs=TOLERANCE)


def test_two_anchors_gradient_is_exact_in_float64():
    ecg, cmr = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=torch.manual_seed(1))
    is_valid = torch.tensor([True, False, True])
    assert torch.autograd.gradcheck(
        lambda a, b: two_anchor_loss(a, b, temperature=0.3, end_systole_step=2, is_valid=is_valid),
        (ecg.requires_grad_(), cmr.requires_grad_()),
    )


def test_masked_target_gradient_is_exact_in_float64():
    prediction = torch.randn(4, 10, dtype=torch.float64, generator=torch.manual_seed(2))
    target = torch.randn(4, 10, dtype=torch.float64)
    target[1, 3] = target[2] = torch.nan
    assert torch.autograd.gradcheck(
        lambda values: masked_target_mse(values, target), (prediction.requires_grad_(),)
    )
