"""The frontal axes of P, QRS and T: the direction of the area under leads I and aVF."""

import math

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.records.ecg import LEAD_NAMES
from ptacl_core.records.marks import BeatMarks

_MIN_AREA_MV_S = {"p_axis_deg": 0.0005, "axis_deg": 0.002, "t_axis_deg": 0.002}
_SPANS = {
    "p_axis_deg": ("p_onset", "p_offset"),
    "axis_deg": ("qrs_onset", "qrs_offset"),
    "t_axis_deg": ("qrs_offset", "t_end"),
}
_SAMPLE_S = 0.002
_ONE, _AVF = LEAD_NAMES.index("I"), LEAD_NAMES.index("aVF")


def measure_axes(beat_mv: Float32[Array, "12 sample"], marks: BeatMarks) -> dict[str, float]:
    """Angles in degrees (-180 to 180) of the net areas of P, QRS and T.

    aVF counts 2/√3 of its voltage, since Goldberger's leads are shorter. P counts from the line
    between its ends, QRS and T from the level before QRS. No axis where the net area is next to
    nothing.
    """
    axes: dict[str, float] = {}
    for name, (start, stop) in _SPANS.items():
        first, last = marks.at(start), marks.at(stop)
        if first is None or last is None or last - first < 4:
            continue
        part = beat_mv[[_ONE, _AVF], first : last + 1].astype(np.float64)
        if name == "p_axis_deg":
            share = np.linspace(0.0, 1.0, part.shape[1])
            part = part - part[:, :1] * (1.0 - share) - part[:, -1:] * share
        one, avf = part.sum(axis=1) * _SAMPLE_S
        avf *= 2.0 / math.sqrt(3.0)
        if math.hypot(one, avf) >= _MIN_AREA_MV_S[name]:
            axes[name] = math.degrees(math.atan2(avf, one))
    return axes
