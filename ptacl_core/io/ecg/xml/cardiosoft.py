"""CardioSoft "CardiologyXML", the rest ECG of UK Biobank (field 20205): the 10 s strip."""

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, PtaclError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg
from ptacl_core.io.ecg.device import clean_statements, place_marks, unreadable_beat
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.person_facts import cardiosoft_person
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.io.ecg.xml.fields import (
    check_count,
    read_measurements,
    read_xml_root,
    require_rate_hz,
    text_of,
)
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.number_text import parse_number, parse_numbers
from ptacl_core.records import BeatMarks, EcgRecord, Finding

_MEASUREMENTS = {
    "VentricularRate": "heart_rate_bpm",
    "PQInterval": "pr_ms",
    "QRSDuration": "qrs_ms",
    "QTInterval": "qt_ms",
    "QTCInterval": "qtc_ms",
    "RAxis": "axis_deg",
    "PAxis": "p_axis_deg",
    "TAxis": "t_axis_deg",
    "PDuration": "p_ms",
    "RRInterval": "rr_ms",
}
_MARKS = {
    "POnset": "p_onset",
    "POffset": "p_offset",
    "QOnset": "qrs_onset",
    "QOffset": "qrs_offset",
    "TOffset": "t_end",
}
_NO_SAMPLE = -32768


def read_cardiosoft_xml(path: Path, hints: EcgHints) -> EcgRecord:
    """The rhythm strip (`StripData`), never the median beat or the full disclosure.

    R times come from `ArrhythmiaResults`. Raises UnsupportedFormatError for exercise tests
    (3 chest leads) and files without a strip, MissingUnitError without rate or resolution,
    UnreadableFileError when stated and stored counts differ.
    """
    name = shown_name(path)
    root = read_xml_root(path)
    strips = [strip for strip in root.iter("StripData") if strip.find("WaveformData") is not None]
    _refuse_exercise(root, strips, name)
    if not strips:
        held = "only a median beat" if root.find(".//MedianSamples") is not None else "none"
        raise UnsupportedFormatError(
            f"{name}: expected a rhythm strip (StripData with WaveformData), found {held}"
        )
    strip = strips[0]
    waveforms = strip.findall("WaveformData")
    check_count(text_of(strip, "NumberOfLeads"), len(waveforms), name=name, what="leads")
    rate_hz = require_rate_hz(text_of(strip, "SampleRate"), name=name, where="StripData/SampleRate")
    scale_mv = _read_scale(strip, hints, name)
    channels = [
        Channel(
            label=waveform.get("lead", ""),
            raw=_read_samples(waveform, strip, number, name),
            scale_mv=scale_mv,
            missing_values=(_NO_SAMPLE,),
        )
        for number, waveform in enumerate(waveforms, start=1)
    ]
    findings = _several(len(strips))
    return assemble_ecg(
        Recording(
            name,
            "cardiosoft_xml",
            rate_hz,
            channels,
            findings,
            _read_r_times(strip, rate_hz),
            read_measurements(root.find(".//RestingECGMeasurements"), _MEASUREMENTS),
            device_beat=_read_beat(root, hints, name, findings),
            device_marks=_read_marks(root),
            person=cardiosoft_person(root),
            device_statements=clean_statements(
                text_of(text) for text in root.findall(".//Interpretation/Diagnosis/DiagnosisText")
            ),
        )
    )


def _read_beat(
    root: Element, hints: EcgHints, name: str, findings: list[Finding]
) -> tuple[list[Channel], float] | None:
    """The median beat up to its last valid sample; without it the strip is read all the same."""
    median = root.find(".//RestingECGMeasurements/MedianSamples")
    if median is None or median.find("WaveformData") is None:
        return None
    try:
        rate_hz = require_rate_hz(
            text_of(median, "SampleRate"), name=name, where="MedianSamples/SampleRate"
        )
        scale_mv = _read_scale(median, hints, name)
        last = parse_number(text_of(median, "LastValid"))
        channels = []
        for number, waveform in enumerate(median.findall("WaveformData"), start=1):
            samples = _read_samples(waveform, median, number, name)
            kept = samples if last is None or last < 1 else samples[: int(last) + 1]
            channels.append(Channel(waveform.get("lead", ""), kept, scale_mv))
    except PtaclError as error:
        findings.append(unreadable_beat(error))
        return None
    return channels, rate_hz


def _read_marks(root: Element) -> BeatMarks | None:
    """Onsets and offsets on the median beat, in ms."""
    measured = root.find(".//RestingECGMeasurements")
    if measured is None:
        return None
    return place_marks({ours: parse_number(text_of(measured, tag)) for tag, ours in _MARKS.items()})


def _refuse_exercise(root: Element, strips: list[Element], name: str) -> None:
    kind = text_of(root, "ObservationType").casefold()
    labels = {
        waveform.get("lead", "").strip()
        for strip in root.iter("StripData")
        for waveform in strip.iter("WaveformData")
    }
    if "exercise" in kind or "stress" in kind or labels == {"I", "2", "3"}:
        raise UnsupportedFormatError(
            f"{name}: expected a 12-lead rest ECG (UK Biobank field 20205), found an exercise test "
            "(field 6025): its chest leads I, 2, 3 are not the limb leads I, II, III"
        )
    if not strips and labels:
        raise UnsupportedFormatError(
            f"{name}: expected one 10 s strip of 12 leads, found {len(labels)} leads in separate "
            "strips, as exercise tests store them"
        )


def _read_scale(strip: Element, hints: EcgHints, name: str) -> float:
    element = strip.find("Resolution")
    step = parse_number(text_of(element))
    if element is None or step is None:
        raise MissingUnitError(
            f"{name}: expected the voltage of one step in StripData/Resolution, found none; export "
            "the recording again"
        )
    unit = element.get("units") or hints.unit or ""
    return step * read_millivolts(unit, name=name, where="StripData/Resolution units")


def _read_samples(waveform: Element, strip: Element, number: int, name: str) -> Array:
    samples = parse_numbers(text_of(waveform), name=name, where=f"strip lead {number}")
    check_count(
        text_of(strip, "ChannelSampleCountTotal"),
        len(samples),
        name=name,
        what=f"samples for strip lead {number}",
    )
    return samples


def _read_r_times(strip: Element, rate_hz: float) -> Array | None:
    """R times of the device in samples; only times in milliseconds are understood."""
    times = [
        number
        for element in strip.findall("ArrhythmiaResults/Time")
        if element.get("units", "ms") == "ms"
        and (number := parse_number(text_of(element))) is not None
        and 0 <= number < 1e9
    ]
    return np.rint(np.array(times) * rate_hz / 1000.0) if times else None


def _several(num_strips: int) -> list[Finding]:
    if num_strips < 2:
        return []
    message = f"the file holds {num_strips} rhythm strips; the first was taken"
    return [Finding("several_recordings", "info", message)]
