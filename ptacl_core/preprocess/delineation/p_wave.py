"""Where the P wave begins and ends, over all leads together; and whether there is one."""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.preprocess.delineation.slopes import (
    EdgeLimits,
    Slopes,
    compute_slopes,
    find_edge,
    hold_after,
    main_directions,
    smooth,
)
from ptacl_core.preprocess.medians import median_along

_HALF_SPAN = 6
_HALF_WIDTH = 6
_CENTRE = 12
_FLANK = (28, 42)
_LATEST_PEAK = 14
"""A P wave peaks 28 ms or more before the QRS complex."""

_EARLIEST_PEAK = 170
_REACH = 52
"""Samples (104 ms) from the peak of P to its ends at most: farther lies another wave."""

_MAX_CANDIDATES = 3
_MIN_RISE_SHARE = 0.35
"""A bulge that the leads hardly rise to is the still stretch between T and P."""

_NEAREST_JOINT = 14
_JOINT_HALF_WIDTH = 4
"""A P wave begins 28 ms or more before its peak; what lies still does so for some 20 ms."""

_MIN_BULGE_MV = 0.006
_NOISE_FACTOR = 4.0
_EDGE = EdgeLimits(share=0.36, noise_factor=2.0, least=0.10, quiet=10, max_valley_share=0.65)
_FLANK_SAMPLES = 45
_MIN_P_MS, _MAX_P_MS = 40.0, 200.0


class PWave(NamedTuple):
    """Onset, peak and offset in samples of the average beat; None where they cannot be told."""

    onset: int | None
    peak: int | None
    offset: int | None
    reason: str = ""
    joint: int | None = None
    """Before the onset: where the wave before ends at the latest."""


def find_p_wave(
    signal_mv: Float32[Array, "lead sample"],
    noise_mv: Float32[Array, "lead sample"] | None,
    qrs_onset: int,
    *,
    first_sample: int,
) -> PWave:
    """The strongest bulge of 50-150 ms between the last T wave and the QRS complex.

    A bulge is the mean of 50 ms less the mean of the flanks beside it, root mean square over the
    leads. The wave begins and ends where the slope (over 24 ms) in its two main directions stays
    below 36 % of its steepest for 20 ms, or where it joins T or runs into
    the QRS complex. `first_sample` is where the T wave before it ends.
    """
    held = hold_after(signal_mv, qrs_onset)
    smoothed = smooth(held, _HALF_WIDTH)
    first = max(first_sample, qrs_onset - _EARLIEST_PEAK - _REACH, _HALF_SPAN)
    earliest = max(first + 10, qrs_onset - _EARLIEST_PEAK)
    latest = qrs_onset - _LATEST_PEAK
    if latest - earliest < 5:
        return PWave(None, None, None, "T of the beat before reaches the QRS complex")
    bulge = _bulge(smoothed)
    least = _MIN_BULGE_MV
    noise = None
    if noise_mv is not None:
        noise = smooth(noise_mv, _HALF_WIDTH)
        noise_bulge = _bulge(noise)[max(_FLANK[1], first) : qrs_onset]
        least = max(least, _NOISE_FACTOR * float(median_along(noise_bulge)))
    inner = bulge[earliest : latest + 1]
    is_peak = np.ones(len(inner), bool)
    is_peak[1:-1] = (inner[1:-1] >= inner[:-2]) & (inner[1:-1] >= inner[2:])
    is_peak[0] = is_peak[-1] = False
    candidates = np.flatnonzero(is_peak & (inner >= least))
    if not candidates.size:
        return PWave(None, None, None, "no P wave stands out before the QRS complex")
    slopes = compute_slopes(smoothed, noise, half_span=_HALF_SPAN)
    wave = PWave(None, None, None)
    for place in candidates[np.argsort(-inner[candidates])][:_MAX_CANDIDATES]:
        peak = earliest + int(place)
        joint = _find_joint(slopes, max(first, peak - _REACH), peak)
        rise = smoothed[:, peak] - smoothed[:, joint]
        if np.linalg.norm(rise) < _MIN_RISE_SHARE * bulge[peak] * np.sqrt(len(rise)):
            wave = PWave(None, None, None, "the P wave does not stand out of the T wave before it")
            continue
        wave = _find_ends(smoothed, noise, slopes, (joint, peak), (first, qrs_onset))
        if wave.onset is not None:
            break
    return wave


def _find_ends(
    smoothed_mv: Float32[Array, "lead sample"],
    noise_mv: Float32[Array, "lead sample"] | None,
    all_slopes: Slopes,
    joint_and_peak: tuple[int, int],
    bounds: tuple[int, int],
) -> PWave:
    """Onset and offset of a bulge, or why it is no P wave."""
    joint, peak = joint_and_peak
    high = min(bounds[1], peak + _REACH)
    before = all_slopes.values[joint : peak + 1]
    if before[0] > _EDGE.max_valley_share * before.max():
        return PWave(None, None, None, "the P wave does not stand out of the T wave before it")
    directions = main_directions(smoothed_mv[:, max(joint, peak - 40) : min(high, peak + 40)], 2)
    slopes = compute_slopes(smoothed_mv, noise_mv, half_span=_HALF_SPAN, directions=directions)
    onset = _edge(slopes, peak, joint)
    offset = _edge(slopes, peak, high)
    if onset is None or offset is None:
        return PWave(None, None, None, "the P wave does not stand out of the T wave before it")
    onset, offset = max(onset, bounds[0]), min(offset, bounds[1])
    duration_ms = (offset - onset) * 2.0
    if not _MIN_P_MS <= duration_ms <= _MAX_P_MS:
        return PWave(None, None, None, f"the P wave would last {duration_ms:.0f} ms")
    return PWave(onset, peak, offset, joint=min(joint, onset))


def _find_joint(slopes: Slopes, low: int, peak: int) -> int:
    """Where the leads change least between `low` and P: in the gap after T, or where both join."""
    last = peak - _NEAREST_JOINT
    if last - low < 2:
        return low
    around = np.ones(2 * _JOINT_HALF_WIDTH + 1)
    mean = np.convolve(slopes.values, around, mode="same")
    return low + int(np.argmin(mean[low : last + 1]))


def _edge(slopes: Slopes, peak: int, stop: int) -> int | None:
    step = 1 if stop > peak else -1
    flank = slopes.values[np.arange(peak, stop + step, step)][:_FLANK_SAMPLES]
    if flank.size < 5:
        return None
    steepest_at = peak + step * int(np.argmax(flank))
    return find_edge(slopes, steepest_at, stop, _EDGE)


def _bulge(smoothed_mv: Float32[Array, "lead sample"]) -> Float64[Array, " sample"]:
    """Mean of ±24 ms less the mean of 56-84 ms either side, root mean square over the leads.

    The least of three: less both sides, less that before, less that after. A dip between two
    waves differs from both sides together, but not from the still leads on one of them.
    """
    total = np.cumsum(np.pad(smoothed_mv, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    num_samples = smoothed_mv.shape[1]
    near, far = _FLANK
    at = np.arange(far, num_samples - far)
    centre = (total[:, at + _CENTRE + 1] - total[:, at - _CENTRE]) / (2 * _CENTRE + 1)
    before = centre - (total[:, at - near + 1] - total[:, at - far]) / (far - near + 1)
    after = centre - (total[:, at + far + 1] - total[:, at + near]) / (far - near + 1)
    contrasts = np.stack((before, after, 0.5 * (before + after)))
    values = np.zeros(num_samples)
    power = np.einsum("cls,cls->cs", contrasts, contrasts).min(axis=0)
    values[far : num_samples - far] = np.sqrt(power / len(smoothed_mv))
    return values
