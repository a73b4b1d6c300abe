"""HL7 annotated ECG (aECG): the rhythm series, never the derived representative beat."""

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, PtaclError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg
from ptacl_core.io.ecg.device import clean_statements, place_marks, unreadable_beat
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead, find_missing_leads
from ptacl_core.io.ecg.person_facts import aecg_person
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.io.ecg.xml.fields import read_xml_root, text_of
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.number_text import parse_number, parse_numbers
from ptacl_core.records import BeatMarks, EcgRecord, Finding

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "min": 60.0}
_MEASUREMENTS = {
    "MDC_ECG_HEART_RATE": "heart_rate_bpm",
    "MDC_ECG_TIME_PD_PR": "pr_ms",
    "MDC_ECG_TIME_PD_QRS": "qrs_ms",
    "MDC_ECG_TIME_PD_QT": "qt_ms",
    "MDC_ECG_TIME_PD_QTC": "qtc_ms",
    "MDC_ECG_ANGLE_QRS_FRONT": "axis_deg",
    "MDC_ECG_ANGLE_P_FRONT": "p_axis_deg",
    "MDC_ECG_ANGLE_T_FRONT": "t_axis_deg",
    "MDC_ECG_TIME_PD_P": "p_ms",
}
_WAVES = {
    "MDC_ECG_WAVC_PWAVE": ("p_onset", "p_offset"),
    "MDC_ECG_WAVC_QRSWAVE": ("qrs_onset", "qrs_offset"),
    "MDC_ECG_WAVC_TWAVE": (None, "t_end"),
}
_STATEMENT_CODES = ("MDC_ECG_RHY", "MDC_ECG_INTERPRETATION")
_SAME_BEAT_S = 0.15
"""R peaks of several leads within this are one beat's."""
_TIME_CODES = {"TIME_ABSOLUTE", "TIME_RELATIVE"}


def read_hl7_aecg(path: Path, hints: EcgHints) -> EcgRecord:
    """The first series with 12 leads (or number `record_index`); value = origin + scale · digit.

    Measurements are those of the first annotation that has each. Raises UnsupportedFormatError
    without such a series, MissingUnitError without time step or voltage unit,
    UnreadableFileError for digits that are not numbers.
    """
    name = shown_name(path)
    root = read_xml_root(path)
    series = [one for one in root.findall(".//component/series") if not _is_beat(one)]
    sets = [
        (one, sequence_set)
        for one in series
        for sequence_set in one.findall("component/sequenceSet")
    ]
    if not sets:
        kind = "MegaCare XML" if root.tag == "MegaCare" else "an aECG"
        raise UnsupportedFormatError(
            f"{name}: expected a rhythm series (component/series/component/sequenceSet), found "
            f"{kind} without one; export the rhythm, or SCP or DICOM"
        )
    whole = [pair for pair in sets if not find_missing_leads(_labels(pair[1]))] or sets[:1]
    index = hints.record_index or 0
    if index >= len(whole):
        raise UnsupportedFormatError(
            f"{name}: record_index {index} was asked for, the file holds {len(whole)} recordings "
            "(counted from 0)"
        )
    chosen, sequence_set = whole[index]
    findings: list[Finding] = []
    if len(whole) > 1:
        message = f"the file holds {len(whole)} 12-lead recordings; number {index} was taken"
        findings.append(Finding("several_recordings", "info", message))
    rate_hz = _read_rate(sequence_set, hints, name)
    channels = [
        _read_lead(sequence, code, hints, name)
        for sequence, code in _sequences(sequence_set)
        if code not in _TIME_CODES
    ]
    derived = chosen.find("derivation/derivedSeries")
    return assemble_ecg(
        Recording(
            name,
            "hl7_aecg",
            rate_hz,
            channels,
            findings,
            _read_r_samples(chosen, rate_hz),
            _read_measurements(chosen),
            device_beat=_read_beat(derived, hints, name, findings),
            device_marks=_read_marks(derived),
            person=aecg_person(root),
            device_statements=clean_statements(_statements(chosen)),
        )
    )


def _read_r_samples(series: Element, rate_hz: float) -> Array | None:
    """R peaks that are annotated in time from the series' start, the leads' put together."""
    times_s: list[float] = []
    for wave in series.findall("subjectOf/annotationSet//annotation"):
        if _code_of(wave.find("value")) != "MDC_ECG_WAVC_RWAVE":
            continue
        for inner in (wave, *wave.findall("component/annotation")):
            if inner is not wave and _code_of(inner.find("value")) != "MDC_ECG_WAVC_PEAK":
                continue
            for boundary in inner.findall("support/supportingROI/component/boundary"):
                value = boundary.find("value")
                number = parse_number(value.get("value")) if value is not None else None
                unit = value.get("unit", "") if value is not None else ""
                is_time = _code_of(boundary.find("code")) == "TIME_RELATIVE"
                if is_time and number is not None and unit in _SECONDS:
                    times_s.append(number * _SECONDS[unit])
    if not times_s:
        return None
    ordered = np.sort(np.array(times_s))
    beats = np.split(ordered, np.flatnonzero(np.diff(ordered) > _SAME_BEAT_S) + 1)
    return np.rint(np.array([np.median(beat) for beat in beats]) * rate_hz)


def _statements(series: Element) -> list[str]:
    """Rhythm and interpretation in words, as the annotations name them."""
    texts: list[str] = []
    for annotation in series.findall("subjectOf/annotationSet//annotation"):
        code, value = _code_of(annotation.find("code")), annotation.find("value")
        if value is None or not code.startswith(_STATEMENT_CODES):
            continue
        texts.append(value.get("displayName") or (value.text or ""))
    return texts


def _code_of(element: Element | None) -> str:
    return element.get("code", "").upper() if element is not None else ""


def _read_beat(
    derived: Element | None, hints: EcgHints, name: str, findings: list[Finding]
) -> tuple[list[Channel], float] | None:
    """The representative beat; without it the rhythm is read all the same."""
    sequence_set = None if derived is None else derived.find("component/sequenceSet")
    if sequence_set is None:
        return None
    try:
        channels = [
            _read_lead(sequence, code, hints, name)
            for sequence, code in _sequences(sequence_set)
            if code not in _TIME_CODES
        ]
        return channels, _read_rate(sequence_set, hints, name)
    except PtaclError as error:
        findings.append(unreadable_beat(error))
        return None


def _read_marks(derived: Element | None) -> BeatMarks | None:
    """Ends of P, QRS and T on the representative beat, in ms from its first sample."""
    marks_ms: dict[str, float | None] = {}
    annotations = [] if derived is None else derived.findall("subjectOf/annotationSet//annotation")
    for annotation in annotations:
        value = annotation.find("value")
        names = _WAVES.get(value.get("code", "").upper()) if value is not None else None
        bounds = annotation.find("support/supportingROI/component/boundary/value")
        if names is None or bounds is None:
            continue
        for name, side in zip(names, ("low", "high"), strict=True):
            end = bounds.find(side)
            number = parse_number(end.get("value")) if end is not None else None
            unit = end.get("unit", "ms") if end is not None else "ms"
            if (
                name is not None
                and name not in marks_ms
                and number is not None
                and unit in _SECONDS
            ):
                marks_ms[name] = number * _SECONDS[unit] * 1000.0
    return place_marks(marks_ms)


def _is_beat(series: Element) -> bool:
    """Whether a series is a representative beat, which some carts store beside the rhythm."""
    code = series.find("code")
    kind = code.get("code", "").upper() if code is not None else ""
    return "REPRESENTATIVE" in kind or "MEDIAN" in kind


def _sequences(sequence_set: Element) -> list[tuple[Element, str]]:
    sequences: list[tuple[Element, str]] = []
    for sequence in sequence_set.findall("component/sequence"):
        code = sequence.find("code")
        sequences.append((sequence, code.get("code", "") if code is not None else ""))
    return sequences


def _labels(sequence_set: Element) -> list[str]:
    codes = (find_lead(code) for _, code in _sequences(sequence_set))
    return [lead for lead in codes if lead is not None]


def _read_rate(sequence_set: Element, hints: EcgHints, name: str) -> float:
    for sequence, code in _sequences(sequence_set):
        increment = sequence.find("value/increment")
        if code not in _TIME_CODES or increment is None:
            continue
        step = parse_number(increment.get("value"))
        unit = increment.get("unit", "").strip()
        if step is None or step <= 0 or unit not in _SECONDS:
            break
        return round(1.0 / (step * _SECONDS[unit]), 6)
    if hints.sampling_rate_hz is not None:
        return hints.sampling_rate_hz
    raise MissingUnitError(
        f"{name}: expected a time sequence with a positive increment in s, ms or us, found none; "
        "give sampling_rate_hz="
    )


def _read_lead(sequence: Element, code: str, hints: EcgHints, name: str) -> Channel:
    lead = find_lead(code)
    where = f"lead {lead or 'beside the 12'}"
    raw = parse_numbers(text_of(sequence, "value/digits"), name=name, where=where)
    scale_mv, step = _read_quantity(sequence.find("value/scale"), hints, name, f"{where} scale")
    origin = sequence.find("value/origin")
    origin_mv = 0.0
    if origin is not None and parse_number(origin.get("value")):
        origin_mv, _ = _read_quantity(origin, hints, name, f"{where} origin")
    return Channel(
        label=code,
        raw=raw,
        scale_mv=scale_mv,
        baseline=-origin_mv / scale_mv if step else 0.0,
    )


def _read_quantity(
    element: Element | None, hints: EcgHints, name: str, where: str
) -> tuple[float, float]:
    """A voltage in mV, and its number as written."""
    number = parse_number(element.get("value")) if element is not None else None
    if element is None or number is None:
        raise MissingUnitError(f"{name}: expected a voltage at {where}, found none")
    unit = element.get("unit") or hints.unit or ""
    return number * read_millivolts(unit, name=name, where=where), number


def _read_measurements(series: Element) -> dict[str, float]:
    figures: dict[str, float] = {}
    for annotation in series.findall("subjectOf/annotationSet//annotation"):
        code, value = annotation.find("code"), annotation.find("value")
        if code is None or value is None:
            continue
        key = _MEASUREMENTS.get(code.get("code", "").upper())
        number = parse_number(value.get("value"))
        if key is None or key in figures or number is None:
            continue
        if key.endswith("_ms"):
            number *= _SECONDS.get(value.get("unit", ""), 0.0) * 1000.0
        if number > 0 or key.endswith("axis_deg"):
            figures[key] = number
    return figures
