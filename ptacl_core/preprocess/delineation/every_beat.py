"""From the representative beat to each beat: does its P repeat, and where do P and T lie."""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64, Int64
from ptacl_core.preprocess.delineation.beats import BEFORE
from ptacl_core.preprocess.delineation.slopes import main_directions, smooth

P_REACH, T_REACH = 12, 20
"""Samples (24 and 40 ms) by which P and T of one beat may lie elsewhere than the average's."""

_STRIDE = 2
_MARGIN = 8
_HALF_WIDTH = 4
_MIN_FIT = 0.7
_MIN_P_CORRELATION = 0.3
_MIN_P_SCORE = 6.0


class Repeats(NamedTuple):
    """Mean correlation of each beat's P wave with that of the others, and its score."""

    correlation: float
    score: float

    @property
    def is_credible(self) -> bool:
        """A P wave that repeats; fibrillation and dissociated P waves do not."""
        return self.correlation >= _MIN_P_CORRELATION and self.score >= _MIN_P_SCORE


def p_repeats(
    live: Float32[Array, "lead sample"],
    r_samples: Int64[Array, " beat"],
    onset: int,
    offset: int,
) -> Repeats:
    """How alike the P waves of the beats are, lead by lead, each without its level and drift.

    The score is the mean correlation with the mean of the other beats, over its standard error.
    """
    segments = _segments(live, r_samples, onset - _MARGIN, offset + _MARGIN)
    if len(segments) < 3:
        return Repeats(0.0, 0.0)
    flat = _detrend(segments).reshape(len(segments), -1)
    others = flat.sum(axis=0) - flat
    product = np.einsum("bs,bs->b", flat, others)
    power = np.einsum("bs,bs->b", flat, flat) * np.einsum("bs,bs->b", others, others)
    correlation = product / np.sqrt(np.maximum(power, 1e-20))
    error = max(float(correlation.std(ddof=1)), 0.05) / np.sqrt(len(correlation))
    mean = float(correlation.mean())
    return Repeats(mean, mean / error)


def move_wave(
    live: Float32[Array, "lead sample"],
    r_samples: Int64[Array, " beat"],
    average_mv: Float32[Array, "lead sample"],
    onset: int,
    offset: int,
    *,
    reach: int,
) -> Int64[Array, " beat"]:
    """Samples by which each beat's wave lies later than the average's, in its main direction.

    0 where the wave does not fit well (correlation under 0.7) or fits best at the limit.
    """
    template = average_mv[:, max(0, onset - _MARGIN) : offset + _MARGIN]
    direction = main_directions(template, 1)
    shape = (direction @ template)[0]
    shape = shape - shape.mean()
    path = smooth((direction @ live).astype(np.float32), _HALF_WIDTH)[0]
    shape = shape[::_STRIDE]
    start = r_samples - BEFORE + max(0, onset - _MARGIN)
    index = start[:, None] + np.arange(-reach, _STRIDE * len(shape) + reach, _STRIDE)
    pieces = path[np.clip(index, 0, live.shape[1] - 1)].astype(np.float64)
    sliding = np.lib.stride_tricks.sliding_window_view(pieces, len(shape), axis=1)
    product = sliding @ shape
    power = ((sliding - sliding.mean(axis=2, keepdims=True)) ** 2).sum(axis=2)
    fit = product / np.sqrt(np.maximum(power * (shape @ shape), 1e-20))
    best = np.argmax(fit, axis=1)
    last = fit.shape[1] - 1
    is_good = (fit[np.arange(len(best)), best] >= _MIN_FIT) & (best > 0) & (best < last)
    return np.where(is_good, _STRIDE * best - reach, 0)


def _segments(
    live: Float32[Array, "lead sample"], r_samples: Int64[Array, " beat"], low: int, high: int
) -> Float32[Array, "beat lead segment"]:
    """The smoothed leads from `low` to `high` of each beat that has them whole."""
    start = r_samples - BEFORE + low - _HALF_WIDTH
    width = high - low + 2 * _HALF_WIDTH
    is_whole = (start >= 0) & (start + width <= live.shape[1])
    index = start[is_whole][:, None] + np.arange(width)
    cut = live[:, index].transpose(1, 0, 2)
    flat = smooth(cut.reshape(-1, width), _HALF_WIDTH)[:, _HALF_WIDTH:-_HALF_WIDTH]
    return flat.reshape(cut.shape[0], cut.shape[1], -1)


def _detrend(segments: Float32[Array, "beat lead sample"]) -> Float64[Array, "beat lead sample"]:
    time = np.linspace(-1.0, 1.0, segments.shape[2])
    level = segments.mean(axis=2, keepdims=True)
    drift = (segments @ time)[:, :, None] / (time @ time)
    return segments - level - drift * time
