"""The frontal axes of P, QRS and T, from leads I and aVF."""

import math

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.records.ecg import LEAD_NAMES
from ptacl_core.records.marks import BeatMarks

_MIN_NET = {"p_axis_deg": 0.0005, "axis_deg": 0.05, "t_axis_deg": 0.002}
"""Net area (P, T; mV s) or net voltage (QRS; mV) under which there is no direction."""

_SPANS = {
    "p_axis_deg": ("p_onset", "p_offset"),
    "axis_deg": ("qrs_onset", "qrs_offset"),
    "t_axis_deg": ("qrs_offset", "t_end"),
}
_SAMPLE_S = 0.002
_ONE, _AVF = LEAD_NAMES.index("I"), LEAD_NAMES.index("aVF")


def measure_axes(beat_mv: Float32[Array, "12 sample"], marks: BeatMarks) -> dict[str, float]:
    """Angles in degrees (-180 to 180) of P, QRS and T.

    QRS by its net voltage, the highest deflection plus the deepest, as it is read from paper; P
    and T by their net areas, P from the line between its ends. aVF counts 2/√3 of its voltage,
    since Goldberger's leads are shorter. No axis where the net is next to nothing.
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
        if name == "axis_deg":
            one, avf = part.max(axis=1) + part.min(axis=1)
        else:
            one, avf = part.sum(axis=1) * _SAMPLE_S
        avf *= 2.0 / math.sqrt(3.0)
        if math.hypot(one, avf) >= _MIN_NET[name]:
            axes[name] = math.degrees(math.atan2(avf, one))
    return axes
