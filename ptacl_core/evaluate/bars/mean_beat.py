"""The mean beat of an ECG: what a line can read without any learning."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from ptacl_core.arrays import Array, Float64

SAMPLES_PER_BEAT = 104
MIN_RR_SAMPLES, MAX_RR_SAMPLES = 150, 1000
"""0.3 s and 2 s at 500 Hz: RR intervals outside are missed or invented beats."""
MAX_DEVIATION = 0.5
"""Beats whose RR interval differs from the median by more than this share are left out."""


def mean_beat_features(
    signals: Float[Array, "patient lead sample"],
    r_peak_samples: Sequence[Int[Array, " _"]],
) -> Float64[Array, "patient feature"]:
    """Beats from R to R, resampled to 104 points, averaged; 12 leads and the RR interval.

    The RR interval (median, in seconds at 500 Hz) is the last feature. An ECG without a
    complete, regular beat is NaN throughout.
    """
    num_leads = signals.shape[1]
    features = np.full((len(signals), num_leads * SAMPLES_PER_BEAT + 1), np.nan)
    for row, peaks in enumerate(r_peak_samples):
        starts, intervals = _regular_beats(np.asarray(peaks, np.int64), signals.shape[2])
        if not len(starts):
            continue
        beats = _resample(np.asarray(signals[row], np.float64), starts, intervals)
        features[row, :-1] = beats.mean(axis=1).ravel()
        features[row, -1] = float(np.median(intervals)) / 500.0
    return features


def _regular_beats(peaks: np.ndarray, num_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """First samples and lengths of the beats that are kept."""
    inside = peaks[(peaks >= 0) & (peaks < num_samples)]
    intervals = np.diff(inside)
    if not len(intervals):
        return intervals, intervals
    median = np.median(intervals)
    kept = (intervals >= MIN_RR_SAMPLES) & (intervals <= MAX_RR_SAMPLES)
    kept &= np.abs(intervals - median) <= MAX_DEVIATION * median
    return inside[:-1][kept], intervals[kept]


def _resample(
    signal: Float64[Array, "lead sample"], starts: np.ndarray, intervals: np.ndarray
) -> Float64[Array, "lead beat point"]:
    """Linear interpolation at the middles of 104 equal parts of each beat."""
    phase = (np.arange(SAMPLES_PER_BEAT) + 0.5) / SAMPLES_PER_BEAT
    at = np.clip(starts[:, None] + phase * intervals[:, None] - 0.5, 0, signal.shape[1] - 1)
    low = np.minimum(np.floor(at).astype(np.int64), signal.shape[1] - 2)
    share = at - low
    return signal[:, low] * (1.0 - share) + signal[:, low + 1] * share
