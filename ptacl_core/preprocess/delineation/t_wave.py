"""Where the T wave has its peak and its end, over all leads together."""

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

_HALF_SPAN = 8
_HALF_WIDTH = 7
_FIRST_PEAK, _LAST_PEAK = 30, 230
"""Samples after the QRS complex between which T peaks: 60 and 460 ms."""

_LAST_END = 290
_END = EdgeLimits(share=0.28, noise_factor=2.0, least=0.12, quiet=10, max_valley_share=0.6)
_LATE_SHARE = 0.5
_DOWNSLOPE = 90
_TURN_SHARE, _PHASE_SHARE, _PHASE_LEFT = 0.4, 0.22, 0.2
"""Slopes at a turn and after it, of the steepest, and what is left there of T's height."""

_MIN_PEAK_MV = 0.015
_MIN_PEAK_SHARE = 0.5


class TWave(NamedTuple):
    """Peak and end in samples of the average beat; None where they cannot be told."""

    peak: int | None
    end: int | None
    reason: str = ""
    latest_end: int | None = None


def find_t_wave(
    signal_mv: Float32[Array, "lead sample"],
    noise_mv: Float32[Array, "lead sample"] | None,
    qrs_offset: int,
    *,
    last_sample: int,
) -> TWave:
    """Peak: the most prominent excursion after the QRS. End: where its last slope has died away.

    The leads are projected on the two directions in which ST and T vary most. T ends where
    their slope (over 32 ms) stays below 28 % of its steepest after the peak for 20 ms; a biphasic
    T ends with its last phase. Before `last_sample` (the next P wave or QRS complex) the
    flattest point is taken when the slope does not die away. `latest_end` is where half of that
    limit, for 40 ms, would put the end.
    """
    first = qrs_offset + _FIRST_PEAK
    last = min(qrs_offset + _LAST_END, last_sample, signal_mv.shape[1] - 1 - _HALF_SPAN)
    if last - first < 20:
        return TWave(None, None, "the next beat begins where T would be")
    smoothed = smooth(smooth(hold_after(signal_mv, last), _HALF_WIDTH), _HALF_WIDTH)
    directions = main_directions(smoothed[:, qrs_offset + 15 : last], 2)
    noise = None if noise_mv is None else smooth(smooth(noise_mv, _HALF_WIDTH), _HALF_WIDTH)
    slopes = compute_slopes(smoothed, noise, half_span=_HALF_SPAN, directions=directions)
    path = (directions @ smoothed) / np.sqrt(len(signal_mv))
    peak = _find_peak(path, first, min(qrs_offset + _LAST_PEAK, last))
    if peak is None:
        return TWave(None, None, "no T wave stands out after the QRS complex")
    after = slopes.values[peak : min(peak + _DOWNSLOPE, last)]
    if after.size < 5:
        return TWave(peak, None, "the next beat begins where T would end")
    steepest_at = _last_phase(slopes, path, peak, peak + int(np.argmax(after)), last)
    end = find_edge(slopes, steepest_at, last, _END)
    if end is None:
        return TWave(
            peak, None, "T does not end before the next wave, or is too flat to have an end"
        )
    weak = _END._replace(share=_LATE_SHARE * _END.share, quiet=2 * _END.quiet)
    return TWave(peak, end, latest_end=find_edge(slopes, steepest_at, last, weak))


def _last_phase(
    slopes: Slopes, path: Float64[Array, "direction sample"], peak: int, steepest_at: int, last: int
) -> int:
    """The steepest point of T's last flank, of which a biphasic T has two after its peak.

    The leads lie still at the turn between two phases too, but far from the level that they come
    to after it; at the end of T they stay near it, even where a U wave follows.
    """
    stop = min(last, peak + _DOWNSLOPE)
    values = slopes.values[: stop + 1]
    steepest = values[steepest_at]
    turn = steepest_at + 1
    while turn < stop and not (
        values[turn] < _TURN_SHARE * steepest and values[turn] <= values[turn + 1]
    ):
        turn += 1
    rest = values[turn:]
    if rest.size < 5 or rest.max() < _PHASE_SHARE * steepest:
        return steepest_at
    again = turn + int(np.argmax(rest))
    settled = again + int(np.argmin(values[again:]))
    left = np.linalg.norm(path[:, turn] - path[:, settled])
    height = np.linalg.norm(path[:, peak] - path[:, settled])
    return again if left > _PHASE_LEFT * height else steepest_at


def _find_peak(path: Float64[Array, "direction sample"], first: int, last: int) -> int | None:
    """The first local maximum that stands out at least half as much as the one that does most.

    The first, since at fast rates the next P wave lies in reach.
    """
    distance = np.sqrt(np.einsum("ds,ds->s", path, path))
    inner = distance[first : last + 1]
    if inner.size < 3:
        return None
    places = np.flatnonzero((inner[1:-1] >= inner[:-2]) & (inner[1:-1] > inner[2:])) + 1
    lowest_before = np.minimum.accumulate(inner)
    lowest_after = np.minimum.accumulate(inner[::-1])[::-1]
    sides = np.stack([inner[places] - lowest_before[places], inner[places] - lowest_after[places]])
    # A T wave on an elevated ST segment may only fall, a deep one only rise.
    heights = np.maximum(sides.min(axis=0), 0.5 * sides.max(axis=0))
    if not heights.size or heights.max() < _MIN_PEAK_MV:
        return None
    return first + int(places[np.argmax(heights >= _MIN_PEAK_SHARE * heights.max())])
