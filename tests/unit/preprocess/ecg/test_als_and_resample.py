import numpy as np
import pytest

from ptacl_core.preprocess.als_baseline import subtract_als_baseline
from ptacl_core.preprocess.resample import resample_ecg


def dense_als(samples, smoothness, asymmetry, num_iterations):
    """The same normal equations with a dense second-difference matrix."""
    difference = np.diff(np.eye(samples.size), 2, axis=0)
    weights, baseline = np.ones(samples.size), samples
    for _ in range(num_iterations):
        system = np.diag(weights) + smoothness * difference.T @ difference
        baseline = np.linalg.solve(system, weights * samples)
        weights = np.where(samples > baseline, asymmetry, 1 - asymmetry)
    return baseline


def test_als_equals_the_dense_solution():
    signal = np.random.default_rng(0).normal(size=(2, 300)).cumsum(axis=1).astype(np.float32)
    got = subtract_als_baseline(signal, smoothness=1e3, clip_std=100.0)
    for row, samples in zip(got, signal.astype(np.float64), strict=True):
        np.testing.assert_allclose(row, samples - dense_als(samples, 1e3, 0.3, 5), atol=1e-5)


def test_als_removes_a_line_exactly_and_clips_first():
    line = np.linspace(-1, 3, 400)[None].astype(np.float32)
    np.testing.assert_allclose(subtract_als_baseline(line, clip_std=100.0), 0.0, atol=1e-4)
    spike = np.zeros((1, 2000), np.float32)
    spike[0, 1000] = 10.0
    limit = 4 * spike.std()
    assert subtract_als_baseline(spike)[0, 1000] == pytest.approx(limit, rel=0.01)


def test_equal_rates_return_the_array_itself():
    signal = np.ones((12, 100), np.float32)
    assert resample_ecg(signal, from_hz=500.0, to_hz=500.0) is signal
    assert resample_ecg(signal, from_hz=500.02, to_hz=500.0) is signal


@pytest.mark.parametrize("from_hz", [100.0, 128.0, 250.0, 257.0, 360.0, 977.0, 1000.0, 2000.0])
def test_a_slow_wave_keeps_its_shape_and_duration(from_hz):
    time_s = np.arange(round(10 * from_hz)) / from_hz
    signal = (0.3 + np.sin(2 * np.pi * 3.0 * time_s))[None].astype(np.float32)
    resampled = resample_ecg(signal, from_hz=from_hz, to_hz=500.0)
    assert abs(resampled.shape[1] - 5000) <= 2
    expected = 0.3 + np.sin(2 * np.pi * 3.0 * np.arange(5000) / 500.0)
    inner = slice(250, 4750)
    np.testing.assert_allclose(resampled[0, inner], expected[inner], atol=0.01)
    assert resampled.dtype == np.float32
