from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_core.preprocess import beat_step_matrices, beat_step_matrix

CROP: dict[str, Any] = {"num_samples": 2500, "patch_samples": 50, "num_steps": 13}


def oracle(peaks, *, num_samples, patch_samples, num_steps, mode, rate_hz=500.0):
    """method.md §4 and §6 as loops over beats, phases and tokens."""
    beats = [(int(a), int(b)) for a, b in pairwise(peaks)]
    beats = [
        (a, b)
        for a, b in beats
        if a >= 0
        and b <= num_samples
        and 0.3 <= (b - a) / rate_hz <= 2.0
        and b - a >= 2 * patch_samples
    ]
    if beats:
        median = np.median([b - a for a, b in beats])
        near = [(a, b) for a, b in beats if abs((b - a) - median) <= 0.5 * median]
        beats = near if len(near) >= 2 else beats
    num_tokens = num_samples // patch_samples
    matrix = np.zeros((num_steps, num_tokens))
    for a, b in beats:
        for k in range(num_steps):
            if mode == "phase":
                position = (a + (k + 0.5) * (b - a) / num_steps) / patch_samples - 0.5
                low, high = 0, num_tokens - 1
            else:
                low, high = a // patch_samples, b // patch_samples - 1
                position = low + (k + 0.5) * (high - low + 1) / num_steps - 0.5
            position = min(max(position, low), high)
            left = int(np.floor(position))
            right = min(left + 1, num_tokens - 1)
            matrix[k, left] += (1 - (position - left)) / len(beats)
            matrix[k, right] += (position - left) / len(beats)
    return matrix, bool(beats)


@pytest.mark.parametrize("mode", ["phase", "tokens"])
@settings(max_examples=150, deadline=None)
@given(first=st.integers(-400, 800), gaps=st.lists(st.integers(1, 1200), max_size=14))
def test_equals_the_loop(mode, first, gaps):
    peaks = np.cumsum([first, *gaps]).astype(np.int64)
    matrix, is_valid = beat_step_matrix(peaks, mode=mode, **CROP)
    expected, expected_valid = oracle(peaks, mode=mode, **CROP)
    assert matrix.dtype == np.float32
    assert is_valid is expected_valid
    np.testing.assert_allclose(matrix, expected, atol=1e-6)
    if is_valid:
        np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-6)
        assert (matrix >= 0).all()
    else:
        assert (matrix == 0).all()


@pytest.mark.parametrize("mode", ["phase", "tokens"])
def test_batch_equals_single_records(mode):
    generator = np.random.default_rng(0)
    peaks = [
        np.cumsum(generator.integers(120, 700, size=size)).astype(np.int64)
        for size in (0, 1, 2, 5, 12, 30, 8, 0)
    ]
    starts = generator.integers(0, 2500, size=len(peaks))
    matrices, is_valid = beat_step_matrices(peaks, crop_starts=starts, mode=mode, **CROP)
    assert matrices.shape == (8, 13, 50)
    assert is_valid.dtype == np.bool_
    for index, (own, start) in enumerate(zip(peaks, starts, strict=True)):
        single, single_valid = beat_step_matrix(own - start, mode=mode, **CROP)
        np.testing.assert_array_equal(matrices[index], single)
        assert is_valid[index] == single_valid


def test_phase_positions_are_recovered_from_a_ramp():
    peaks = np.array([400, 900, 1400], np.int64)
    matrix, _ = beat_step_matrix(peaks, **CROP)
    centres = 50 * np.arange(50) + 25.0  # middle sample of every token
    expected = np.mean([r0 + (np.arange(13) + 0.5) * 500 / 13 for r0 in (400, 900)], axis=0)
    np.testing.assert_allclose(matrix @ centres, expected, atol=0.01)


def test_constant_tokens_stay_constant():
    matrix, _ = beat_step_matrix(np.array([100, 520, 930, 1380], np.int64), **CROP)
    np.testing.assert_allclose(matrix @ np.full((50, 3), 2.5), 2.5, atol=1e-6)


def test_validity_at_the_limits():
    def is_valid(peaks, **changes):
        arguments = CROP | changes
        return beat_step_matrix(np.array(peaks, np.int64), **arguments)[1]

    assert is_valid([100, 250])  # 0.3 s
    assert not is_valid([100, 249])
    assert is_valid([100, 1100])  # 2 s
    assert not is_valid([100, 1101])
    assert is_valid([0, 400])
    assert not is_valid([-1, 400])
    assert is_valid([2100, 2500])  # the interval [r0, r1) ends with the crop
    assert not is_valid([2100, 2501])
    assert not is_valid([])
    assert not is_valid([700])
    assert not is_valid([100, 270], patch_samples=100)  # under two tokens
    assert is_valid([100, 300], patch_samples=100)


def test_ectopy_is_dropped_only_when_two_others_remain():
    steady = beat_step_matrix(np.array([0, 400, 800], np.int64), **CROP)[0]
    with_pause = beat_step_matrix(np.array([0, 400, 800, 1500], np.int64), **CROP)[0]
    np.testing.assert_array_equal(with_pause, steady)
    # Two beats of 300 and 900: the median is 600, both lie at its limit and both stay.
    both = beat_step_matrix(np.array([0, 300, 1200], np.int64), **CROP)[0]
    first = beat_step_matrix(np.array([0, 300], np.int64), **CROP)[0]
    second = beat_step_matrix(np.array([300, 1200], np.int64), **CROP)[0]
    np.testing.assert_allclose(both, (first + second) / 2, atol=1e-6)
    # 200, 300 and 1000: only 200 and 300 are near the median of 300.
    three = beat_step_matrix(np.array([0, 200, 500, 1500], np.int64), **CROP)[0]
    near = beat_step_matrix(np.array([0, 200, 500], np.int64), **CROP)[0]
    np.testing.assert_array_equal(three, near)


def test_adding_whole_tokens_shifts_the_matrix():
    peaks = np.array([300, 700, 1120], np.int64)
    matrix, _ = beat_step_matrix(peaks, **CROP)
    shifted, _ = beat_step_matrix(peaks + 250, **CROP)
    np.testing.assert_allclose(shifted[:, 5:], matrix[:, :-5], atol=1e-6)


def test_a_beat_at_the_edge_is_clamped():
    matrix, is_valid = beat_step_matrix(np.array([0, 200], np.int64), **CROP)
    assert is_valid
    assert matrix[0, 0] == 1.0  # phase 1/26 of 200 samples lies before the first token's middle


def test_another_rate_scales_the_limits():
    peaks = np.array([100, 225], np.int64)  # 0.5 s at 250 Hz
    common: dict[str, Any] = {"num_samples": 1250, "patch_samples": 25, "num_steps": 13}
    matrix, is_valid = beat_step_matrix(peaks, sampling_rate_hz=250.0, **common)
    twice, _ = beat_step_matrix(2 * peaks, **CROP)
    assert is_valid
    np.testing.assert_allclose(matrix, twice, atol=1e-6)


def test_wrong_arguments_are_named():
    peaks = np.array([0, 400], np.int64)
    with pytest.raises(ValueError, match="2501 and 50"):
        beat_step_matrix(peaks, num_samples=2501, patch_samples=50, num_steps=13)
    with pytest.raises(ValueError, match="got 0"):
        beat_step_matrix(peaks, num_samples=2500, patch_samples=50, num_steps=0)
    with pytest.raises((ValueError, TypeError), match="'linear'"):
        beat_step_matrix(peaks, mode="linear", **CROP)  # pyright: ignore[reportArgumentType] - a wrong mode
    with pytest.raises(ValueError, match="1 lists of R peaks but 2 crop starts"):
        beat_step_matrices([peaks], crop_starts=np.zeros(2, np.int64), **CROP)
