"""GE MUSE XML: the rhythm waveform, base64 samples, missing limb leads derived."""

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import (
    MissingUnitError,
    PtaclError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from ptacl_core.io.ecg.arrays.nameless import choose_record
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg
from ptacl_core.io.ecg.device import clean_statements, place_marks, unreadable_beat
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead, find_missing_leads
from ptacl_core.io.ecg.person_facts import muse_person
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.io.ecg.xml.fields import (
    check_count,
    decode_base64,
    read_measurements,
    read_xml_root,
    require_rate_hz,
    text_of,
)
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.number_text import parse_number
from ptacl_core.records import BeatMarks, EcgRecord, Finding

_MEASUREMENTS = {
    "VentricularRate": "heart_rate_bpm",
    "PRInterval": "pr_ms",
    "QRSDuration": "qrs_ms",
    "QTInterval": "qt_ms",
    "QTCorrected": "qtc_ms",
    "RAxis": "axis_deg",
    "PAxis": "p_axis_deg",
    "TAxis": "t_axis_deg",
}
_MARKS = {
    "POnset": "p_onset",
    "POffset": "p_offset",
    "QOnset": "qrs_onset",
    "QOffset": "qrs_offset",
    "TOffset": "t_end",
}
_MEASURED_HZ = 500.0
"""Rate at which onsets and offsets count their samples, unless ECGSampleBase says another."""
_NO_SAMPLE = -32768
_RATE_TOLERANCE = 0.1
"""Heart rates that differ by more than a tenth show a wrong time base."""
_MILLISECONDS_HZ = 1000.0


def read_muse_xml(path: Path, hints: EcgHints) -> EcgRecord:
    """The waveform of type Rhythm; the median beat, which stands first, is never returned.

    The rate is SampleBase · 10^SampleExponent as stated (240 Hz is real) and checked against
    the device's own beats (`sampling_rate_suspect`). Codes at or beyond LeadHighLimit and
    LeadLowLimit are not samples. Raises UnsupportedFormatError without a rhythm, MissingUnitError
    without rate, unit or units per bit, UnreadableFileError for wrong counts and broken base64.
    """
    name = shown_name(path)
    recordings = _find_recordings(path)
    root = recordings[choose_record(hints, len(recordings), holder="the export", name=name)]
    waveforms = root.findall(".//Waveform")
    rhythms = [
        waveform
        for waveform in waveforms
        if text_of(waveform, "WaveformType").casefold() == "rhythm"
    ]
    if not rhythms:
        raise UnsupportedFormatError(
            f"{name}: expected a waveform of type Rhythm, found {len(waveforms)} of other types; "
            "export the rhythm, not only the median beat"
        )
    whole = [rhythm for rhythm in rhythms if not find_missing_leads(_names_of(rhythm))]
    rhythm = (whole or rhythms)[0]
    rate_hz = _read_rate(rhythm, name)
    leads = rhythm.findall("LeadData")
    check_count(text_of(rhythm, "NumberofLeads"), len(leads), name=name, what="leads")
    channels = [_read_lead(lead, hints, name) for lead in leads]
    findings = _lead_findings(leads)
    if len(rhythms) > 1:
        message = (
            f"the file holds {len(rhythms)} rhythm waveforms; the first with 12 leads was taken"
        )
        findings.append(Finding("several_recordings", "info", message))
    measurements = read_measurements(root.find(".//RestingECGMeasurements"), _MEASUREMENTS)
    duration_s = max((len(channel.raw) for channel in channels), default=0) / rate_hz
    heart_rate_bpm = measurements.get("heart_rate_bpm")
    peaks = _read_r_samples(root, rate_hz, duration_s, heart_rate_bpm, findings)
    return assemble_ecg(
        Recording(
            name,
            "muse_xml",
            rate_hz,
            channels,
            findings,
            peaks,
            measurements,
            device_beat=_read_beat(waveforms, hints, name, findings),
            device_marks=_read_marks(root),
            person=muse_person(root),
            device_statements=clean_statements(
                text_of(text) for text in root.findall("Diagnosis/DiagnosisStatement/StmtText")
            ),
        )
    )


def _read_beat(
    waveforms: list[Element], hints: EcgHints, name: str, findings: list[Finding]
) -> tuple[list[Channel], float] | None:
    """The median beat's channels and rate; without it the rhythm is read all the same."""
    medians = [
        waveform
        for waveform in waveforms
        if text_of(waveform, "WaveformType").casefold() == "median"
    ]
    if not medians:
        return None
    try:
        leads = medians[0].findall("LeadData")
        return [_read_lead(lead, hints, name) for lead in leads], _read_rate(medians[0], name)
    except PtaclError as error:
        findings.append(unreadable_beat(error))
        return None


def _read_marks(root: Element) -> BeatMarks | None:
    """Onsets and offsets on the median beat, stored in samples of ECGSampleBase."""
    measured = root.find(".//RestingECGMeasurements")
    if measured is None:
        return None
    base_hz = parse_number(text_of(measured, "ECGSampleBase")) or _MEASURED_HZ
    if not 50.0 <= base_hz <= 2000.0:
        return None
    numbers = {ours: parse_number(text_of(measured, tag)) for tag, ours in _MARKS.items()}
    return place_marks(
        {
            name: None if number is None or number <= 0 else number * 1000.0 / base_hz
            for name, number in numbers.items()
        }
    )


def list_muse_recordings(path: Path) -> list[str]:
    """The numbers of the ECGs in an export, from 0."""
    return [str(index) for index in range(len(_find_recordings(path)))]


def _find_recordings(path: Path) -> list[Element]:
    """The RestingECG elements of a file: its root, or those that an export wraps."""
    root = read_xml_root(path, doctype_roots=("RestingECG",))
    return [root] if root.tag == "RestingECG" else list(root.iter("RestingECG"))


def _names_of(rhythm: Element) -> list[str]:
    names = (find_lead(text_of(lead, "LeadID")) for lead in rhythm.findall("LeadData"))
    return [name for name in names if name is not None]


def _read_rate(rhythm: Element, name: str) -> float:
    base = require_rate_hz(text_of(rhythm, "SampleBase"), name=name, where="Waveform/SampleBase")
    exponent = parse_number(text_of(rhythm, "SampleExponent") or "0")
    if exponent is None or not -6 <= exponent <= 6:
        raise UnreadableFileError(f"{name}: Waveform/SampleExponent is not a small whole number")
    return base * 10.0**exponent


def _read_lead(lead: Element, hints: EcgHints, name: str) -> Channel:
    label = text_of(lead, "LeadID")
    shown = f"lead {find_lead(label) or 'beside the 12'}"
    size = text_of(lead, "LeadSampleSize") or "2"
    if size != "2":
        raise UnsupportedFormatError(
            f"{name}: samples of 2 bytes are read, {shown} states another size"
        )
    data = decode_base64(text_of(lead, "WaveFormData"), name=name, where=shown)
    if len(data) % 2:
        raise UnreadableFileError(
            f"{name}: {shown} holds half a sample at its end; it is cut short"
        )
    check_count(text_of(lead, "LeadByteCountTotal"), len(data), name=name, what=f"bytes of {shown}")
    check_count(
        text_of(lead, "LeadSampleCountTotal"), len(data) // 2, name=name, what=f"samples of {shown}"
    )
    unit = text_of(lead, "LeadAmplitudeUnits") or hints.unit or ""
    step = parse_number(text_of(lead, "LeadAmplitudeUnitsPerBit"))
    if step is None:
        raise MissingUnitError(
            f"{name}: {shown} has no LeadAmplitudeUnitsPerBit; export the recording again"
        )
    low = parse_number(text_of(lead, "LeadLowLimit"))
    high = parse_number(text_of(lead, "LeadHighLimit"))
    limits = None
    if low is not None and high is not None and low < 0 < high:  # some carts write other things
        limits = (low + 1, high - 1)
    return Channel(
        label=label,
        raw=np.frombuffer(data, "<i2"),
        scale_mv=step * read_millivolts(unit, name=name, where="LeadAmplitudeUnits"),
        missing_values=(_NO_SAMPLE,),
        valid_range=limits,
    )


def _lead_findings(leads: list[Element]) -> list[Finding]:
    findings: list[Finding] = []
    off = [
        name
        for lead in leads
        if text_of(lead, "LeadOff").upper() == "TRUE"
        and (name := find_lead(text_of(lead, "LeadID"))) is not None
    ]
    if off:
        message = "the device marked these electrodes as off"
        findings.append(Finding("lead_off", "warning", message, tuple(off)))
    offsets = {
        (text_of(lead, "LeadTimeOffset") or "0", text_of(lead, "LeadOffsetFirstSample") or "0")
        for lead in leads
    }
    if len(offsets) > 1:
        message = "the leads state different start times; left as stored"
        findings.append(Finding("channel_skew", "warning", message))
    return findings


def _read_r_samples(
    root: Element,
    rate_hz: float,
    duration_s: float,
    heart_rate_bpm: float | None,
    findings: list[Finding],
) -> Array | None:
    """QRS times in samples of the rhythm.

    Exports count them in samples, at ECGSampleBase, or in milliseconds: the base whose mean RR
    gives the device's own heart rate is taken, and only one that puts the last beat inside the
    rhythm. When none does, no times are returned but a finding is.
    """
    numbers = [parse_number(text_of(time)) for time in root.findall(".//QRSTimesTypes/QRS/Time")]
    times = np.array(sorted(number for number in numbers if number is not None and number >= 0))
    if len(times) < 2 or times[-1] <= times[0] or times[-1] > 1e9:
        return None
    base_hz = parse_number(text_of(root, ".//RestingECGMeasurements/ECGSampleBase"))
    exponent = parse_number(text_of(root, ".//RestingECGMeasurements/ECGSampleExponent") or "0")
    bases = [rate_hz]
    if base_hz and base_hz > 0 and exponent is not None and abs(exponent) <= 6:
        bases.append(base_hz * 10.0**exponent)
    bases.append(_MILLISECONDS_HZ)
    bases = [hz for hz in bases if times[-1] / hz <= duration_s]
    if heart_rate_bpm is None:  # the smallest base fills the rhythm best
        return np.rint(times * (rate_hz / min(bases))) if bases else None
    mean_rr_samples = (times[-1] - times[0]) / (len(times) - 1)
    for counted_hz in bases:
        counted_bpm = 60.0 * counted_hz / mean_rr_samples
        if abs(counted_bpm - heart_rate_bpm) <= _RATE_TOLERANCE * heart_rate_bpm:
            return np.rint(times * (rate_hz / counted_hz))
    findings.append(
        Finding(
            "sampling_rate_suspect",
            "warning",
            f"the device's beats give {60.0 * rate_hz / mean_rr_samples:.0f} bpm at "
            f"{rate_hz:g} Hz, the device wrote {heart_rate_bpm:.0f} bpm: the sampling rate may be "
            "wrong, or the rhythm is irregular",
        )
    )
    return None
