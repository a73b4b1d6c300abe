"""Each equation against an independent float64 version written with loops, on random inputs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_core.losses import (
    alignment_matrix,
    cosine_alignment_loss,
    nt_xent_loss,
    patient_alignment_loss,
    ptacl_loss,
    temporal_alignment_loss,
)

TOLERANCE = 2e-5


def cosine(first, second):
    return float(np.dot(first, second) / (math.sqrt(first @ first) * math.sqrt(second @ second)))


def minus_log_softmax(logits, index):
    top = max(logits)
    return math.log(sum(math.exp(value - top) for value in logits)) + top - logits[index]


def numpy_patient_loss(ecg, cmr, temperature, weight):
    n = len(ecg)
    forward = [
        minus_log_softmax([cosine(ecg[i], cmr[j]) / temperature for j in range(n)], i)
        for i in range(n)
    ]
    backward = [
        minus_log_softmax([cosine(cmr[i], ecg[j]) / temperature for j in range(n)], i)
        for i in range(n)
    ]
    return weight * sum(forward) / n + (1 - weight) * sum(backward) / n


def numpy_matrix(num_steps, sigma):
    kernel = np.zeros((num_steps, num_steps))
    for k in range(num_steps):
        for t in range(num_steps):
            if sigma == 0:
                kernel[k, t] = float(k == t)
            else:
                kernel[k, t] = math.exp(-0.5 * (abs(k - t) / num_steps / sigma) ** 2)
        kernel[k] /= kernel[k].sum()
    return kernel


def numpy_temporal_loss(ecg, cmr, temperature, sigma, weight, valid):
    matrix = numpy_matrix(ecg.shape[1], sigma)
    steps = range(ecg.shape[1])
    losses = []
    for e, c, is_valid in zip(ecg, cmr, valid, strict=True):
        if not is_valid:
            continue
        forward = backward = 0.0
        for k in steps:
            to_cmr = [cosine(e[k], c[t]) / temperature for t in steps]
            to_ecg = [cosine(c[k], e[t]) / temperature for t in steps]
            forward += sum(matrix[k, t] * minus_log_softmax(to_cmr, t) for t in steps)
            backward += sum(matrix[k, t] * minus_log_softmax(to_ecg, t) for t in steps)
        losses.append((weight * forward + (1 - weight) * backward) / len(steps))
    return sum(losses) / len(losses) if losses else 0.0


seeds = st.integers(0, 2**31 - 1)
temperatures = st.floats(0.07, 2.0)
sigmas = st.one_of(st.just(0.0), st.floats(0.02, 1.0))
weights = st.floats(0.0, 1.0)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, patients=st.integers(1, 12), temperature=temperatures, weight=weights)
def test_eq1_agrees_with_loops(seed, patients, temperature, weight):
    ecg, cmr = np.random.default_rng(seed).normal(size=(2, patients, 5)).astype(np.float32)
    loss = patient_alignment_loss(
        torch.from_numpy(ecg),
        torch.from_numpy(cmr),
        temperature=temperature,
        ecg_to_cmr_weight=weight,
    )
    expected = numpy_patient_loss(
        ecg.astype(np.float64), cmr.astype(np.float64), temperature, weight
    )
    assert loss.item() == pytest.approx(expected, abs=TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(num_steps=st.integers(1, 20), sigma=sigmas)
def test_eq2_agrees_with_loops(num_steps, sigma):
    matrix = alignment_matrix(num_steps, sigma=sigma).numpy()
    np.testing.assert_allclose(matrix, numpy_matrix(num_steps, sigma), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    seed=seeds,
    patients=st.integers(1, 4),
    num_steps=st.sampled_from([2, 7, 13]),
    temperature=temperatures,
    sigma=sigmas,
    weight=weights,
)
def test_eq3_and_eq4_agree_with_loops(seed, patients, num_steps, temperature, sigma, weight):
    rng = np.random.default_rng(seed)
    ecg, cmr = rng.normal(size=(2, patients, num_steps, 4)).astype(np.float32)
    valid = rng.random(patients) < 0.7
    loss = temporal_alignment_loss(
        torch.from_numpy(ecg),
        torch.from_numpy(cmr),
        temperature=temperature,
        sigma=sigma,
        ecg_to_cmr_weight=weight,
        is_valid=torch.from_numpy(valid),
    )
    expected = numpy_temporal_loss(
        ecg.astype(np.float64), cmr.astype(np.float64), temperature, sigma, weight, valid
    )
    assert loss.item() == pytest.approx(expected, abs=TOLERANCE)
    total = ptacl_loss(torch.tensor(0.25), loss, beta=0.5)
    assert total.item() == pytest.approx(0.25 + 0.5 * expected, abs=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, patients=st.integers(1, 5), sigma=sigmas)
def test_cosine_ablation_agrees_with_loops(seed, patients, sigma):
    ecg, cmr = np.random.default_rng(seed).normal(size=(2, patients, 6, 4)).astype(np.float32)
    matrix = numpy_matrix(6, sigma)
    expected = 1 - np.mean(
        [
            sum(matrix[k, t] * cosine(e[k].astype(float), c[t].astype(float)) for t in range(6))
            for e, c in zip(ecg, cmr, strict=True)
            for k in range(6)
        ]
    )
    loss = cosine_alignment_loss(torch.from_numpy(ecg), torch.from_numpy(cmr), sigma=sigma)
    assert loss.item() == pytest.approx(expected, abs=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, records=st.integers(1, 8), temperature=temperatures)
def test_nt_xent_agrees_with_loops(seed, records, temperature):
    views = np.random.default_rng(seed).normal(size=(2 * records, 5)).astype(np.float32)
    losses = []
    for i in range(2 * records):
        partner = (i + records) % (2 * records)
        others = [j for j in range(2 * records) if j != i]
        logits = [
            cosine(views[i].astype(float), views[j].astype(float)) / temperature for j in others
        ]
        losses.append(minus_log_softmax(logits, others.index(partner)))
    first, second = torch.from_numpy(views).chunk(2)
    loss = nt_xent_loss(first, second, temperature=temperature)
    assert loss.item() == pytest.approx(np.mean(losses), abs=TOLERANCE)
