"""R times and figures that a cart wrote into a DICOM waveform object."""

import math
from typing import Any

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.io.ecg.device import clean_statements

_MEASUREMENTS = {
    "pr interval": "pr_ms",
    "qrs duration": "qrs_ms",
    "qt interval": "qt_ms",
    "qtc interval": "qtc_ms",
    "qrs axis": "axis_deg",
    "p axis": "p_axis_deg",
    "t axis": "t_axis_deg",
    "rr interval": "rr_ms",
    "ventricular heart rate": "heart_rate_bpm",
    "heart rate": "heart_rate_bpm",
}
_UNITS = {"ms": 1.0, "s": 1000.0, "deg": 1.0, "bpm": 1.0, "{h.b.}/min": 1.0, "/min": 1.0}
_FIDUCIAL_POINT = "5.7.1-3"
_FIRST_BEAT_GROUP = 100
"""Where a cart numbers its beats from here on, lower annotation groups are the median's."""


def read_device_figures(
    dataset: Any, *, group_number: int
) -> tuple[Array | None, dict[str, float]]:
    """R samples of multiplex group `group_number` (from 1) and measurements by our names."""
    peaks: list[tuple[int, int]] = []
    figures: dict[str, float] = {}
    for annotation in dataset.get("WaveformAnnotationSequence") or []:
        concepts = annotation.get("ConceptNameCodeSequence")
        if not concepts:
            continue
        code = str(concepts[0].get("CodeValue", ""))
        meaning = str(concepts[0].get("CodeMeaning", "")).strip().casefold()
        if code == _FIDUCIAL_POINT and _refers_to(annotation, group_number):
            number = int(annotation.get("AnnotationGroupNumber") or 0)
            peaks += [(number, position - 1) for position in _positions(annotation)]
        elif (key := _MEASUREMENTS.get(meaning)) is not None and key not in figures:
            value = _read_value(annotation)
            if value is not None:
                figures[key] = value
    rr_ms = figures.pop("rr_ms", 0.0)
    if "heart_rate_bpm" not in figures and rr_ms > 0:
        figures["heart_rate_bpm"] = 60_000.0 / rr_ms
    beats = [sample for number, sample in peaks if number >= _FIRST_BEAT_GROUP]
    samples = beats or [sample for _, sample in peaks]
    return (np.array(samples) if samples else None), figures


def read_device_statements(dataset: Any) -> tuple[str, ...]:
    """The interpretation as the cart words it."""
    texts = (
        str(annotation.get("UnformattedTextValue") or "")
        for annotation in dataset.get("WaveformAnnotationSequence") or []
    )
    return clean_statements(texts)


def _refers_to(annotation: Any, group_number: int) -> bool:
    channels = annotation.get("ReferencedWaveformChannels")
    return channels is not None and int(channels[0]) == group_number


def _positions(annotation: Any) -> list[int]:
    positions = annotation.get("ReferencedSamplePositions")
    if positions is None:
        return []
    return [int(position) for position in np.atleast_1d(np.array(positions, dtype=np.int64))]


def _read_value(annotation: Any) -> float | None:
    """The figure in ms, bpm or degrees; None when absent, 0 (not measured) or of other unit."""
    units = annotation.get("MeasurementUnitsCodeSequence")
    numbers = annotation.get("NumericValue")
    if numbers is None or not units:
        return None
    factor = _UNITS.get(str(units[0].get("CodeValue", "")).casefold())
    number = float(np.atleast_1d(np.array(numbers, dtype=np.float64))[0])
    is_axis = str(units[0].get("CodeValue", "")).casefold() == "deg"
    if factor is None or not math.isfinite(number) or (number <= 0 and not is_axis):
        return None
    return number * factor
