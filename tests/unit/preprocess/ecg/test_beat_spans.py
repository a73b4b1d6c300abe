"""Complete beats of recordings, and what is kept of their rhythm."""

import numpy as np
import pytest

from ptacl_core.preprocess.beat_spans import NUM_RHYTHM_VALUES, beat_spans, rhythm_values


def test_every_complete_beat_is_a_row_and_missing_ones_are_minus_one():
    spans = beat_spans([np.array([100, 500, 900, 1300]), np.array([50, 600])], num_samples=1300)
    assert spans.tolist() == [
        [[100, 500], [500, 900], [900, 1300]],
        [[50, 600], [-1, -1], [-1, -1]],
    ]


@pytest.mark.parametrize("peaks", [[], [700], [0, 1200], [0, 100]], ids=str)
def test_no_beat_or_one_peak_or_a_gap_gives_one_row_of_minus_one(peaks):
    """RR of 2.4 s and of 0.2 s are no beats."""
    assert beat_spans([np.array(peaks, np.int64)], num_samples=5000).tolist() == [[[-1, -1]]]


def test_what_lies_behind_the_end_and_ectopic_beats_are_left_out():
    peaks = np.array([0, 400, 800, 990, 1600, 2000, 2400])
    assert beat_spans([peaks], num_samples=2100)[0].tolist() == [
        [0, 400], [400, 800], [1600, 2000],
    ]  # fmt: skip


def test_spans_do_not_depend_on_the_other_recordings():
    random = np.random.default_rng(0)
    peaks = [np.cumsum(random.integers(200, 700, 12)) for _ in range(20)]
    together = beat_spans(peaks, num_samples=5000)
    for row, own in enumerate(peaks):
        alone = beat_spans([own], num_samples=5000)[0]
        assert together[row, : len(alone)].tolist() == alone.tolist()
        assert (together[row, len(alone) :] == -1).all()


def test_rhythm_in_closed_form():
    """RR 0.8, 1.2, 0.8 s: median 0.8, SD √(2/9)·0.4 s, changes ±0.4 s."""
    values = rhythm_values([np.array([0, 400, 1000, 1400])], num_samples=5000)
    assert values.shape == (1, NUM_RHYTHM_VALUES)
    assert values[0].tolist() == pytest.approx([-0.2, 0.4 * np.sqrt(2 / 9), 0.4], abs=1e-6)


def test_fibrillation_differs_from_a_regular_rhythm_of_the_same_rate():
    regular = np.arange(0, 5000, 400)
    irregular = np.cumsum([0, 300, 520, 380, 290, 510, 400, 330, 470, 400, 400, 400])
    steady, shaken = rhythm_values([regular, irregular], num_samples=5000)
    assert steady[0] == pytest.approx(shaken[0], abs=1e-6)
    assert steady[1:].tolist() == pytest.approx([0.0, 0.0], abs=1e-9)
    assert shaken[1:].min() > 0.1


def test_rhythm_counts_ectopic_intervals_that_the_beats_leave_out():
    peaks = np.array([0, 400, 800, 960, 1600, 2000])
    assert rhythm_values([peaks], num_samples=2100)[0, 2] > 0.5
    without = rhythm_values([peaks], num_samples=900)[0]
    assert without.tolist() == pytest.approx([-0.2, 0.0, 0.0])


@pytest.mark.parametrize("peaks", [[], [400], [4900, 5100]], ids=str)
def test_no_interval_gives_zeros_never_nan(peaks):
    assert rhythm_values([np.array(peaks, np.int64)], num_samples=5000).tolist() == [[0, 0, 0]]
