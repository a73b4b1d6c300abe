"""The figures of two ECGs and their difference, as aligned text."""

from collections.abc import Mapping

from ptacl_app.data.patient_view import EcgView
from ptacl_app.text.formatting import MISSING, format_number

FIGURES = (
    ("HR", "heart_rate_bpm", "bpm"),
    ("PR", "pr_ms", "ms"),
    ("QRS", "qrs_ms", "ms"),
    ("QT", "qt_ms", "ms"),
    ("QTc", "qtc_ms", "ms"),
    ("axis", "axis_deg", "°"),
)
WIDTH = 10


def list_figures(ecg: EcgView | None) -> Mapping[str, float]:
    """Heart rate, intervals and axis of an ECG, as far as they are known."""
    if ecg is None:
        return {}
    figures = dict(ecg.measurements)
    if ecg.heart_rate_bpm is not None:
        figures["heart_rate_bpm"] = ecg.heart_rate_bpm
    return figures


def describe_differences(
    now: tuple[str, EcgView | None], other: tuple[str, EcgView | None]
) -> tuple[str, ...]:
    """Four lines: headings, this ECG, the other one, this less the other; each with its name.

    The axis turns the shorter way: from 170° to −170° it is +20°.
    """
    names = [now[0], other[0], "difference"]
    room = max(map(len, names)) + 1
    figures = [list_figures(ecg) for _, ecg in (now, other)]
    rows = [["" for _ in FIGURES] for _ in range(3)]
    for column, (_, name, unit) in enumerate(FIGURES):
        values = [known.get(name) for known in figures]
        rows[0][column], rows[1][column] = (format_number(value, unit=unit) for value in values)
        rows[2][column] = _format_difference(values[0], values[1], unit)
    heading = " " * (room + 1) + "".join(
        f"{f'{label} {unit}':>{WIDTH}}" for label, _, unit in FIGURES
    )
    lines = [
        f" {name:<{room}}" + "".join(f"{cell:>{WIDTH}}" for cell in cells)
        for name, cells in zip(names, rows, strict=True)
    ]
    return (heading, *lines)


def _format_difference(now: float | None, other: float | None, unit: str) -> str:
    if now is None or other is None:
        return MISSING
    difference = now - other
    if unit == "°":
        difference = (difference + 180.0) % 360.0 - 180.0
    return f"{difference:+.0f}".replace("-", "−")
