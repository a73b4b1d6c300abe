"""Three opinions on the ECG that is shown: PTACL's, neurokit2's and the recording device's."""

from collections.abc import Mapping

import numpy as np

from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.ecg_page import SAMPLING_RATE_HZ
from ptacl_app.text.formatting import MISSING
from ptacl_core.documents.doctor import FigureSource, OpinionRow
from ptacl_core.records import FIGURE_UNITS, PreparedEcg

_LABELS = {
    "heart_rate_bpm": "heart rate",
    "pr_ms": "PR",
    "qrs_ms": "QRS",
    "qt_ms": "QT",
    "qtc_ms": "QTc (Bazett)",
    "axis_deg": "axis of QRS",
}
_UNITS = {"deg": "°"}
_WIDTHS: dict[FigureSource, int] = {"ptacl": 9, "neurokit2": 12, "device": 9}


def ask_opinions(patient: PatientView, device: Mapping[str, float]) -> list[OpinionRow]:
    """A row per figure, as `compare_opinions` makes them; none without an ECG.

    Asks neurokit2, which takes half a second or more: for a thread, not for the event loop.
    """
    ecg = patient.ecg
    if ecg is None:
        return []
    from ptacl_core.preprocess.measurements import compare_opinions
    from ptacl_core.preprocess.measurements.second_opinion import ask_neurokit

    peaks = np.rint(np.asarray(ecg.r_peak_times_s) * SAMPLING_RATE_HZ).astype(np.int64)
    prepared = PreparedEcg(
        signal=ecg.signal_mv,
        signal_mv=ecg.signal_mv,
        r_peak_samples=peaks,
        heart_rate_bpm=ecg.heart_rate_bpm,
        findings=patient.findings,
    )
    ours = dict(ecg.measurements)
    if ecg.heart_rate_bpm is not None:
        ours["heart_rate_bpm"] = ecg.heart_rate_bpm
    return compare_opinions(ours, ask_neurokit(prepared), device)


def describe_opinions(rows: list[OpinionRow]) -> str:
    """A table in text: * stands beside what differs from PTACL's beyond the stated limit."""
    if not rows:
        return "no ECG, or nothing that could be measured on it"
    lines = [f"{'':<14}{'PTACL':>9}{'neurokit2':>12}{'device':>9}   limit"]
    for row in rows:
        name = row.figure
        unit = FIGURE_UNITS[name]
        cells = []
        for source, width in _WIDTHS.items():
            value = row.of(source)
            mark = "*" if source in row.disagrees_with else ""
            text = MISSING if value is None else f"{value:.0f}"
            cells.append(f"{text + mark:>{width}}")
        limit = f"{row.limit:.0f} {_UNITS.get(unit, unit)}"
        lines.append(f"{_LABELS[name]:<14}{''.join(cells)}   {limit}")
    has_difference = any(row.disagrees_with for row in rows)
    note = "* differs from PTACL's by more than the limit" if has_difference else "all agree"
    return "\n".join([*lines, "", f"{note}. Research use only."])
