"""Where the QRS complex begins and ends, over all leads together."""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.preprocess.delineation.slopes import (
    Slopes,
    compute_slopes,
    walk_until_quiet,
)
from ptacl_core.preprocess.medians import median_along

_HALF_SPAN = 2
_ONSET_SHARE, _OFFSET_SHARE = 0.025, 0.04
_MIN_ONSET_LIMIT, _MIN_OFFSET_LIMIT = 2.3, 3.3
"""µV/ms, root mean square over the leads: slopes under it are not activation."""

_NOISE_FACTOR = 1.5
_CORE_SHARE = 0.3
_CORE_BEFORE, _CORE_AFTER = 60, 80
_EARLIEST, _LATEST = 90, 130
"""Samples from R within which the complex begins and ends: 180 and 260 ms."""

_ONSET_QUIET, _OFFSET_QUIET = 6, 4
_LATE_QUIET = 12
_LATE_SHARE = 0.5
_ST_RATIO = 1.6
_MAX_SHARE = 0.15
_MIN_QRS_MS, _MAX_QRS_MS = 40.0, 240.0


class Qrs(NamedTuple):
    """Onset and offset in samples of the average beat; None where neither can be told."""

    onset: int | None
    offset: int | None
    reason: str = ""
    latest_offset: int | None = None


def find_qrs(
    signal_mv: Float32[Array, "lead sample"],
    noise_mv: Float32[Array, "lead sample"] | None,
    r_sample: int,
) -> Qrs:
    """From the steepest slope outwards until the leads lie still.

    Still is a slope (root mean square over the leads, over 8 ms) under 2.5 % of the complex's
    steepest and 2.3 µV/ms for 12 ms before it, or under 4 % and 3.3 µV/ms for 8 ms after it,
    whichever limit is larger. Where the ST segment itself slopes, the limit is 1.6 times its
    median slope. `latest_offset` is where half of the limit, for 24 ms, would put the end.
    """
    slope = compute_slopes(signal_mv, noise_mv, half_span=_HALF_SPAN)
    around = slice(max(0, r_sample - _CORE_BEFORE), r_sample + _CORE_AFTER)
    steepest = float(slope.values[around].max())
    if steepest < 3.0 * _MIN_ONSET_LIMIT or steepest < 4.0 * slope.noise:
        return Qrs(None, None, "no QRS complex stands out of the noise")
    steep = np.flatnonzero(slope.values[around] >= _CORE_SHARE * steepest) + around.start
    onset_limit, least = (
        max(share * steepest, lowest, _NOISE_FACTOR * slope.noise)
        for share, lowest in (
            (_ONSET_SHARE, _MIN_ONSET_LIMIT),
            (_OFFSET_SHARE, _MIN_OFFSET_LIMIT),
        )
    )
    onset = _search(
        slope, int(steep[0]), max(0, r_sample - _EARLIEST), onset_limit, _ONSET_QUIET, steepest
    )
    last = min(signal_mv.shape[1] - 1, r_sample + _LATEST)
    offset = _search(slope, int(steep[-1]), last, least, _OFFSET_QUIET, steepest)
    if offset is not None:
        st_limit = _ST_RATIO * _median_slope(slope.values, offset)
        limit = min(st_limit, _MAX_SHARE * steepest)
        if limit > least:
            offset = _search(slope, int(steep[-1]), last, limit, _OFFSET_QUIET, steepest)
            if offset is None:
                return Qrs(None, None, "the QRS complex does not end before a steep ST segment")
    if onset is None or offset is None:
        side = "begins" if onset is None else "ends"
        return Qrs(None, None, f"the leads do not lie still where the QRS complex {side}")
    duration_ms = (offset - onset) * 2.0
    if not _MIN_QRS_MS <= duration_ms <= _MAX_QRS_MS:
        return Qrs(None, None, f"the QRS complex would last {duration_ms:.0f} ms")
    weak = max(_LATE_SHARE * least, _NOISE_FACTOR * slope.noise)
    latest = walk_until_quiet(slope.values, offset, last, below=weak, for_samples=_LATE_QUIET)
    return Qrs(onset, offset, latest_offset=offset if latest is None else latest)


def _search(
    slope: Slopes, start: int, stop: int, limit: float, quiet: int, steepest: float
) -> int | None:
    """With a limit that rises while the search does not end: P or T waves may join the complex."""
    while limit <= _MAX_SHARE * steepest:
        walked = walk_until_quiet(slope.values, start, stop, below=limit, for_samples=quiet)
        if walked is not None:
            return walked
        limit *= 1.25
    return None


def _median_slope(values: Float64[Array, " sample"], offset: int) -> float:
    after = values[offset + 8 : offset + 40]
    return float(median_along(after)) if after.size else 0.0
