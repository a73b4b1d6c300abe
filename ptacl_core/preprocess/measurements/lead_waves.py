"""The deflections of one QRS complex in one lead, and the amplitudes of every lead."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.records.analysis import LEAD_FIGURE_NAMES
from ptacl_core.records.marks import BeatMarks

MIN_WAVE_MV = 0.02
MIN_WAVE_SAMPLES = 3
"""Deflections under 20 µV or 6 ms are none (CSE working party, Eur Heart J 1985;6:815)."""

_ST_SAMPLES = {"st_j_mv": 0, "st_j60_mv": 30, "st_j80_mv": 40}
_ST_HALF_WIDTH = 2


class Deflection(NamedTuple):
    """One deflection of a QRS complex: its height (negative: downwards), start and stop."""

    height_mv: float
    start: int
    stop: int

    @property
    def duration_ms(self) -> float:
        """From crossing to crossing of the level before QRS."""
        return 2.0 * (self.stop - self.start)


def find_deflections(
    lead_mv: Float32[Array, " sample"], qrs_onset: int, qrs_offset: int
) -> list[Deflection]:
    """The deflections between onset and offset, in order, from the level 0 before QRS."""
    part = np.asarray(lead_mv[qrs_onset : qrs_offset + 1], dtype=np.float64)
    sign = np.sign(part)
    edges = np.flatnonzero(np.diff(sign)) + 1
    bounds = [0, *edges.tolist(), len(part)]
    deflections = []
    for start, stop in pairwise(bounds):
        piece = part[start:stop]
        height = float(piece[np.argmax(np.abs(piece))])
        if abs(height) >= MIN_WAVE_MV and stop - start >= MIN_WAVE_SAMPLES:
            deflections.append(Deflection(height, qrs_onset + start, qrs_onset + stop))
    return deflections


def measure_leads(
    beat_mv: Float32[Array, "12 sample"],
    marks: BeatMarks,
    deflections: Sequence[Sequence[Deflection]],
) -> Float64[Array, "12 figure"]:
    """A row per lead, a column per name in `LEAD_FIGURE_NAMES`, in mV; NaN where absent.

    Q is the first deflection when it is negative and a positive one follows, R the highest
    positive, S the deepest negative after the first positive; a complex without a positive
    deflection (QS) has its depth as Q. ST is the mean of 10 ms around each point. T is the largest
    excursion from J + 80 ms to the end of T, P that from the line between its ends. A wave
    that a lead does not have has amplitude 0. `deflections` are those of each lead.
    """
    figures = np.full((12, len(LEAD_FIGURE_NAMES)), np.nan)
    onset, offset = marks.qrs_onset, marks.qrs_offset
    if onset is None or offset is None:
        return figures
    column = {name: index for index, name in enumerate(LEAD_FIGURE_NAMES)}
    for lead, samples in enumerate(beat_mv):
        if not np.ptp(samples) > 0:
            continue
        q_mv, r_mv, s_mv = _name_waves(deflections[lead])
        figures[lead, [column["q_mv"], column["r_mv"], column["s_mv"]]] = q_mv, r_mv, s_mv
        for name, later in _ST_SAMPLES.items():
            at = offset + later
            figures[lead, column[name]] = samples[
                at - _ST_HALF_WIDTH : at + _ST_HALF_WIDTH + 1
            ].mean()
        if marks.t_end is not None and marks.t_end - offset > 45:
            figures[lead, column["t_mv"]] = _largest(samples[offset + 40 : marks.t_end])
        if marks.p_onset is not None and marks.p_offset is not None:
            part = samples[marks.p_onset : marks.p_offset + 1]
            figures[lead, column["p_mv"]] = _largest(
                part - np.linspace(part[0], part[-1], len(part))
            )
    return figures


def _name_waves(deflections: Sequence[Deflection]) -> tuple[float, float, float]:
    positive = [index for index, deflection in enumerate(deflections) if deflection.height_mv > 0]
    if not positive:
        depth = min((deflection.height_mv for deflection in deflections), default=0.0)
        return depth, 0.0, 0.0
    first = deflections[0]
    q_mv = first.height_mv if first.height_mv < 0 else 0.0
    r_mv = max(deflections[index].height_mv for index in positive)
    after = [
        deflection.height_mv
        for deflection in deflections[positive[0] :]
        if deflection.height_mv < 0
    ]
    return q_mv, r_mv, min(after, default=0.0)


def _largest(values: Float32[Array, " sample"]) -> float:
    return float(values[np.argmax(np.abs(values))])
