import numpy as np
import pytest
import torch

from ptacl_core.embedding.saliency import (
    explain_ecg,
    find_complete_beats,
    mask_lead,
    mask_step,
)
from ptacl_core.evaluate import LinearProbe
from ptacl_core.models import TokenEncoder


class LeadMeans(TokenEncoder):
    """Token j is the mean of lead j and the mean square of it: what a change must come to."""

    def __init__(self):
        super().__init__()
        self.dim, self.grid, self.input_shape = 12, (12, 1), (12, 1000)
        self.scale = torch.nn.Parameter(torch.ones(1))

    @property
    def num_layers(self):
        return 1

    def tokens(self, batch, *, ids_keep=None):
        return torch.diag_embed(batch.mean(dim=2) * self.scale)

    def freeze_first(self, num_blocks, *, embeddings=True): ...

    def layer_of(self, parameter_name):
        return 0


@pytest.fixture
def probe():
    return LinearProbe(np.eye(12)[:, :10] * 12.0, np.full(10, 100.0))


def test_masking_a_lead_changes_what_hangs_on_it(probe):
    signal = np.full((12, 1000), 2.0, np.float32)
    saliency = explain_ecg(LeadMeans(), probe, signal, np.array([100, 400, 900]), num_steps=13)
    # Target j is the mean of lead j: a flat lead takes 2 from its own and nothing from others.
    np.testing.assert_allclose(saliency.leads[:10], -2.0 * np.eye(10), atol=1e-5)
    np.testing.assert_allclose(saliency.leads[10:], 0.0, atol=1e-5)
    # A constant is its own straight line.
    assert saliency.steps is not None
    np.testing.assert_allclose(saliency.steps, np.zeros((13, 10)), atol=1e-5)


def test_masking_a_step_takes_away_what_happens_in_it(probe):
    signal = np.zeros((12, 1000), np.float32)
    signal[3, 165:170] = 10.0  # inside step 2 of the beat from 100 to 360: samples 140 to 160 …
    saliency = explain_ecg(LeadMeans(), probe, signal, np.array([100, 360]), num_steps=13)
    step = (167 - 100) * 13 // 260
    expected = np.zeros((13, 10))
    expected[step, 3] = -10.0 * 5 / 1000
    assert saliency.steps is not None
    np.testing.assert_allclose(saliency.steps, expected, atol=1e-5)


def test_masked_parts_are_flat_or_straight_and_the_rest_untouched():
    signal = np.random.default_rng(0).normal(size=(12, 500)).astype(np.float32)
    flat = mask_lead(signal, 7)
    assert (flat[7] == 0).all()
    np.testing.assert_array_equal(np.delete(flat, 7, 0), np.delete(signal, 7, 0))
    bridged = mask_step(signal, np.array([[100, 360]]), 4, num_steps=13)
    np.testing.assert_allclose(np.diff(bridged[:, 180:201], n=2, axis=1), 0, atol=1e-5)
    np.testing.assert_array_equal(bridged[:, :181], signal[:, :181])
    np.testing.assert_array_equal(bridged[:, 200:], signal[:, 200:])


def test_only_complete_beats_count(probe):
    beats = find_complete_beats(np.array([-5, 100, 400, 1000, 1300]), 1000)
    assert beats.tolist() == [[100, 400], [400, 1000]]
    assert len(find_complete_beats(np.array([50]), 1000)) == 0
    signal = np.ones((12, 1000), np.float32)
    assert explain_ecg(LeadMeans(), probe, signal, np.array([50]), num_steps=13).steps is None
    # A beat that ends with the crop has its last phase masked up to the last sample.
    end = mask_step(signal, np.array([[400, 1000]]), 12, num_steps=13)
    np.testing.assert_allclose(end, signal)
