"""A recording laid under another: shifted so that their beats meet where the reader looks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ptacl_app.drawing.beat_traces import NUM_COLUMNS
from ptacl_app.drawing.trace import Trace
from ptacl_core.records import LEAD_NAMES
from ptacl_core.records.marks import EcgMarks


def align_at_beat(
    trace: Trace,
    peaks_s: Sequence[float],
    *,
    onto_s: Sequence[float],
    around_s: float,
) -> Trace:
    """`trace` moved in time so that its beat nearest to `around_s` lies on the other's there.

    `onto_s` are the R peaks of the recording on top. Without beats on either side nothing moves.
    """
    if not len(peaks_s) or not len(onto_s):
        return trace
    target_s = _nearest(onto_s, around_s)
    return replace(trace, offset_s=trace.offset_s + target_s - _nearest(peaks_s, target_s))


def _nearest(times_s: Sequence[float], around_s: float) -> float:
    return min(times_s, key=lambda time_s: abs(time_s - around_s))


def build_median_ghost(marks: EcgMarks, onto: EcgMarks) -> Trace | None:
    """The representative beat of `marks` on the page of `onto`'s, R peak on R peak.

    None where either has no representative beat. What lies beyond the other beat's ends is cut.
    """
    beat, beat_mv = marks.representative, marks.representative_mv
    page, page_mv = onto.representative, onto.representative_mv
    if beat is None or beat_mv is None or page is None or page_mv is None:
        return None
    length = page_mv.shape[1]
    shift = page.r_peak - beat.r_peak
    first, last = max(shift, 0), min(shift + beat_mv.shape[1], length)
    signal = np.full((beat_mv.shape[0], NUM_COLUMNS * length), np.nan, np.float32)
    if last > first:
        for lead in range(beat_mv.shape[0]):
            column = (lead // 3) * length
            part = beat_mv[lead, first - shift : last - shift]
            signal[lead, column + first : column + last] = part
    return Trace(signal, onto.sampling_rate_hz, LEAD_NAMES)
