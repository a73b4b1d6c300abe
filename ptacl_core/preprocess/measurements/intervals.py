"""Intervals of the representative beat, and QT corrected for heart rate in four ways."""

import math

from ptacl_core.records.marks import EcgMarks

INTERVALS = {
    "p_ms": ("p_onset", "p_offset"),
    "pr_ms": ("p_onset", "qrs_onset"),
    "qrs_ms": ("qrs_onset", "qrs_offset"),
    "qt_ms": ("qrs_onset", "t_end"),
}
"""Each interval's first and last mark."""

_POSSIBLE_MS = {
    "p_ms": (40.0, 200.0),
    "pr_ms": (70.0, 450.0),
    "qrs_ms": (40.0, 240.0),
    "qt_ms": (180.0, 700.0),
}


def measure_intervals(marks: EcgMarks) -> dict[str, float]:
    """P, PR, QRS and QT in ms; those that are there and possible."""
    measured: dict[str, float] = {}
    for name, (start, stop) in INTERVALS.items():
        value_ms = marks.interval_ms(start, stop)
        shortest, longest = _POSSIBLE_MS[name]
        if value_ms is not None and shortest <= value_ms <= longest:
            measured[name] = value_ms
    return measured


def correct_qt(qt_ms: float, rr_ms: float) -> dict[str, float]:
    """QTc in ms by four formulas, for the RR given; RR in s in the formulas.

    Bazett QT/√RR (Heart 1920;7:353), Fridericia QT/∛RR (Acta Med Scand 1920;53:469), Framingham
    QT + 154 (1 − RR) (Sagie, Am J Cardiol 1992;70:797), Hodges QT + 1.75 (rate − 60) (J Am Coll
    Cardiol 1983;1:694).
    """
    rr_s = rr_ms / 1000.0
    return {
        "qtc_ms": qt_ms / math.sqrt(rr_s),
        "qtc_fridericia_ms": qt_ms / math.cbrt(rr_s),
        "qtc_framingham_ms": qt_ms + 154.0 * (1.0 - rr_s),
        "qtc_hodges_ms": qt_ms + 1.75 * (60.0 / rr_s - 60.0),
    }
