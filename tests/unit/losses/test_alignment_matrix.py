"""Eq. (2): the paper's check values and the shape of P."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_core.errors import ConfigError
from ptacl_core.losses import alignment_entropy, alignment_matrix


def test_eq2_rows_at_sigma_one_tenth():
    matrix = alignment_matrix(13, sigma=0.1, dtype=torch.float64)
    centre = [0.3069, 0.2283, 0.0940, 0.0214, 0.0027, 0.0002]
    edge = [0.4696, 0.3494, 0.1438, 0.0328, 0.0041]
    assert matrix[6, 6:12].tolist() == pytest.approx(centre, abs=5e-5)
    assert matrix[6, 6 - 5 : 7].flip(0).tolist() == pytest.approx(centre, abs=5e-5)
    assert matrix[0, :5].tolist() == pytest.approx(edge, abs=5e-5)


def test_eq2_entropies_at_sigma_one_tenth():
    matrix = alignment_matrix(13, sigma=0.1, dtype=torch.float64)
    rows = torch.special.entr(matrix).sum(dim=1)
    assert rows[6].item() == pytest.approx(1.6813, abs=5e-5)
    assert rows[0].item() == pytest.approx(1.1384, abs=5e-5)
    assert alignment_entropy(matrix).item() == pytest.approx(1.5411, abs=5e-5)


def test_eq2_is_not_symmetric_though_its_kernel_is():
    matrix = alignment_matrix(13, sigma=0.1)
    assert (matrix - matrix.T).abs().max().item() == pytest.approx(0.09, abs=5e-3)
    assert torch.allclose(matrix, matrix.flip(0, 1))


def test_eq2_sigma_zero_is_exactly_the_identity():
    assert torch.equal(alignment_matrix(13, sigma=0.0), torch.eye(13))
    assert alignment_entropy(alignment_matrix(13, sigma=0.0)).item() == 0.0


def test_eq2_wide_sigma_is_uniform_and_narrow_sigma_is_hard():
    assert torch.allclose(alignment_matrix(13, sigma=1e6), torch.full((13, 13), 1 / 13))
    assert torch.equal(alignment_matrix(13, sigma=1e-4), torch.eye(13))


def test_eq2_cyclic_distance_joins_both_ends():
    matrix = alignment_matrix(13, sigma=0.1, is_cyclic=True)
    assert matrix[0, 12].item() == pytest.approx(matrix[0, 1].item())
    assert torch.allclose(matrix, matrix.T)
    assert torch.allclose(matrix[3].roll(4), matrix[7])


@settings(deadline=None)
@given(num_steps=st.integers(1, 40), sigma=st.floats(1e-6, 100.0))
def test_eq2_rows_are_distributions_with_their_peak_on_the_diagonal(num_steps, sigma):
    matrix = alignment_matrix(num_steps, sigma=sigma)
    assert torch.allclose(matrix.sum(dim=1), torch.ones(num_steps))
    assert (matrix >= 0).all()
    assert (matrix.diagonal() >= matrix.max(dim=1).values - 1e-7).all()


@pytest.mark.parametrize("sigma", [-0.125, math.inf, math.nan])
def test_eq2_refuses_a_sigma_and_shows_it(sigma):
    with pytest.raises(ConfigError, match="sigma.*" + repr(sigma)):
        alignment_matrix(13, sigma=sigma)


def test_eq2_refuses_no_steps():
    with pytest.raises(ConfigError, match=r"num_steps.*-3"):
        alignment_matrix(-3, sigma=0.1)
