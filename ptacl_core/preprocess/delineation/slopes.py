"""How fast the leads change together: the signals on which onsets and offsets are found."""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.preprocess.medians import median_along

SAMPLE_MS = 2.0
_LEVEL = 5
_LIMIT_SCALES = (0.7, 0.85, 1.0, 1.15, 1.3)
_LONGEST_TAIL = 2.5
"""A flank that joins another wave is drawn out to this many times what is seen of it."""


class Slopes(NamedTuple):
    """How fast the leads change in µV/ms, less what noise adds; and the noise's own slope."""

    values: Float64[Array, " sample"]
    noise: float


def compute_slopes(
    signal_mv: Float32[Array, "lead sample"],
    noise_mv: Float32[Array, "lead sample"] | None,
    *,
    half_span: int,
    directions: Float64[Array, "direction lead"] | None = None,
) -> Slopes:
    """Slopes over `half_span` samples either side, of the leads or of some directions over them.

    Both are scaled by the number of leads, so that limits mean the same for any number of them.
    """
    vectors = _slope_vectors(signal_mv, half_span, directions)
    power = np.einsum("ds,ds->s", vectors, vectors)
    noise_power = 0.0
    if noise_mv is not None:
        noise_vectors = _slope_vectors(noise_mv, half_span, directions)[:, half_span:-half_span]
        # The median: near QRS complexes, what is left over is misalignment rather than noise.
        noise_power = float(median_along(np.einsum("ds,ds->s", noise_vectors, noise_vectors)))
    return Slopes(np.sqrt(np.maximum(power - noise_power, 0.0)), noise_power**0.5)


def _slope_vectors(
    signal_mv: Float32[Array, "lead sample"],
    half_span: int,
    directions: Float64[Array, "direction lead"] | None,
) -> Float64[Array, "direction sample"]:
    path = signal_mv if directions is None else directions @ signal_mv
    scale = 1000.0 / (2 * half_span * SAMPLE_MS) / np.sqrt(len(signal_mv))
    vectors = np.zeros(path.shape)
    vectors[:, half_span:-half_span] = (
        path[:, 2 * half_span :] - path[:, : -2 * half_span]
    ) * scale
    return vectors


def smooth(
    signal_mv: Float32[Array, "lead sample"], half_width: int
) -> Float32[Array, "lead sample"]:
    """The mean of `2 * half_width + 1` samples, the ends as they are."""
    width = 2 * half_width + 1
    total = np.cumsum(signal_mv, axis=1, dtype=np.float64)
    smoothed = signal_mv.astype(np.float32, copy=True)
    inner = total[:, width - 1 :].copy()
    inner[:, 1:] -= total[:, :-width]
    smoothed[:, half_width : signal_mv.shape[1] - half_width] = inner / width
    return smoothed


def hold_after(
    signal_mv: Float32[Array, "lead sample"], sample: int
) -> Float32[Array, "lead sample"]:
    """The leads with all from a sample on replaced by their level just before it."""
    held = signal_mv.copy()
    first = max(0, sample - _LEVEL + 1)
    held[:, sample:] = signal_mv[:, first : sample + 1].mean(axis=1, keepdims=True)
    return held


def main_directions(
    segment_mv: Float32[Array, "lead sample"], num_directions: int
) -> Float64[Array, "direction lead"]:
    """The directions over the leads in which a segment varies most, each of length 1."""
    centred = segment_mv - segment_mv.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    return vectors[:, ::-1][:, :num_directions].T


def walk_until_quiet(
    values: Float64[Array, " sample"],
    start: int,
    stop: int,
    *,
    below: float,
    for_samples: int,
) -> int | None:
    """The first sample from `start` towards `stop` after which `values` stay below a limit.

    They must do so for `for_samples` in that direction (or up to `stop`, when at least half of
    them are left); None when they never do.
    """
    step = 1 if stop >= start else -1
    places = np.arange(start, stop + step, step)
    quiet = 0
    for offset, is_loud in enumerate((values[places] >= below).tolist()):
        quiet = 0 if is_loud else quiet + 1
        if quiet >= for_samples:
            return start + step * (offset - quiet + 1)
    return start + step * (len(places) - quiet) if quiet >= max(1, for_samples // 2) else None


class EdgeLimits(NamedTuple):
    """When a slow wave's flank has died away."""

    share: float
    """Of the flank's steepest slope."""
    noise_factor: float
    """Times the slope of the noise."""
    least: float
    """In µV/ms, whatever the wave."""
    quiet: int
    """Samples for which the slope stays below the limit."""
    max_valley_share: float
    """Largest slope, of the steepest, at the flattest point of a flank that does not die away."""


def find_edge(slopes: Slopes, steepest_at: int, stop: int, limits: EdgeLimits) -> int | None:
    """Where the flank of a slow wave dies away on the way from its steepest point to `stop`.

    The mean over five limits around the stated one, so that a foot which rises as slowly as one
    of them does not decide alone. None when the flank does not stand out, or does not end.
    """
    if steepest_at == stop:
        return None
    steepest = float(slopes.values[steepest_at])
    limit = max(limits.share * steepest, limits.noise_factor * slopes.noise, limits.least)
    if steepest < 1.5 * limit:
        return None
    step = 1 if stop > steepest_at else -1
    flank = slopes.values[np.arange(steepest_at, stop + step, step)]
    ends = [
        end
        for scale in _LIMIT_SCALES
        if (end := _flank_end(flank, scale * limit, limits)) is not None
    ]
    if len(ends) <= len(_LIMIT_SCALES) // 2:
        return None
    return steepest_at + step * round(float(np.mean(ends)))


def _flank_end(flank: Float64[Array, " sample"], limit: float, limits: EdgeLimits) -> float | None:
    """Samples from the steepest point to where the slope stays below a limit.

    A flank that joins another wave does not lie still: it ends where its slope last falls below
    the limit, or, when the other wave comes before that, where it would as half of a Gaussian
    that is as flat at the joint. None when the joint is nearly as steep as the flank.
    """
    end = walk_until_quiet(flank, 0, len(flank) - 1, below=limit, for_samples=limits.quiet)
    if end is not None:
        return end
    is_below = np.flatnonzero(flank < limit)
    if is_below.size:
        is_loud = np.flatnonzero(flank[: is_below[-1]] >= limit)
        return int(is_loud[-1]) + 1
    distance = int(np.argmin(flank))
    share = float(flank[distance] / flank[0])
    if distance == 0 or share > limits.max_valley_share:
        return None
    longer = (_deviations(limit / float(flank[0])) - 1.0) / (_deviations(share) - 1.0)
    return distance * min(longer, _LONGEST_TAIL)


_FLANK_DEVIATIONS = np.linspace(1.0, 4.0, 301)
_FLANK_SHARES = _FLANK_DEVIATIONS * np.exp(0.5 * (1.0 - _FLANK_DEVIATIONS**2))


def _deviations(share: float) -> float:
    """How far from its centre, in SD, a Gaussian has this share of its steepest slope."""
    return float(np.interp(-share, -_FLANK_SHARES, _FLANK_DEVIATIONS))
