"""The median beat as a page of its own, and marks as lines over any page."""

import numpy as np

from ptacl_app.drawing.ecg_picture import Mark, Wave
from ptacl_app.drawing.trace import Trace
from ptacl_core.records import LEAD_NAMES
from ptacl_core.records.marks import MARK_NAMES, BeatMarks, EcgMarks

WAVE_OF = {
    "p_onset": Wave.P,
    "p_offset": Wave.P,
    "qrs_onset": Wave.QRS,
    "qrs_offset": Wave.QRS,
    "t_end": Wave.T,
}
"""Marks that are drawn: where waves begin and end."""
NUM_COLUMNS = 4


def build_median_trace(marks: EcgMarks) -> Trace | None:
    """The representative beat of every lead, each in its column of a 3×4 page; None without one.

    A lead of column c has its beat in the c-th quarter and nothing elsewhere.
    """
    beat = marks.representative_mv
    if beat is None or beat.shape[1] < 2:
        return None
    num_leads, length = beat.shape
    signal = np.full((num_leads, NUM_COLUMNS * length), np.nan, np.float32)
    for lead in range(num_leads):
        first = (lead // 3) * length
        signal[lead, first : first + length] = beat[lead]
    signal.flags.writeable = False
    return Trace(signal, marks.sampling_rate_hz, LEAD_NAMES)


def list_marks(marks: EcgMarks) -> tuple[Mark, ...]:
    """Every beat's marks, in seconds of the recording."""
    return tuple(
        mark
        for number, beat in enumerate(marks.beats)
        for mark in _marks_of(beat, marks.sampling_rate_hz, 0.0, number=number)
    )


def list_median_marks(marks: EcgMarks) -> tuple[Mark, ...]:
    """The representative beat's marks, in every column of the page of `build_median_trace`."""
    beat, signal = marks.representative, marks.representative_mv
    if beat is None or signal is None:
        return ()
    length_s = signal.shape[1] / marks.sampling_rate_hz
    return tuple(
        mark
        for column in range(NUM_COLUMNS)
        for mark in _marks_of(beat, marks.sampling_rate_hz, column * length_s)
    )


def _marks_of(beat: BeatMarks, rate_hz: float, offset_s: float, *, number: int = -1) -> list[Mark]:
    marks_there = []
    for name in MARK_NAMES:
        sample = beat.at(name)
        if sample is not None and name in WAVE_OF:
            marks_there.append(Mark(offset_s + sample / rate_hz, WAVE_OF[name], name, number))
    return marks_there
