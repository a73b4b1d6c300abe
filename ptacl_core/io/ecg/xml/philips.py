"""Philips and Sierra XML: XLI-compressed rhythm, limb leads stored as residuals, tail cut."""

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
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg, check_extent, require_leads
from ptacl_core.io.ecg.device import clean_statements, unreadable_beat
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import LIMB_LEADS, find_lead
from ptacl_core.io.ecg.person_facts import philips_person
from ptacl_core.io.ecg.xml.fields import (
    decode_base64,
    read_measurements,
    read_xml_root,
    require_rate_hz,
    text_of,
)
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.io.files.number_text import parse_count, parse_number
from ptacl_core.records import LEAD_NAMES, EcgRecord, Finding

_VERIFIED_VERSIONS = {"1.03", "1.04", "1.04.01", "1.04.02"}
_STANDARD_ACQUISITIONS = {"STD-12", "10-WIRE"}
_MEASUREMENTS = {
    "meanventrate": "heart_rate_bpm",
    "meanprint": "pr_ms",
    "meanqrsdur": "qrs_ms",
    "meanqtint": "qt_ms",
    "meanqtc": "qtc_ms",
    "qrsfrontaxis": "axis_deg",
    "pfrontaxis": "p_axis_deg",
    "tfrontaxis": "t_axis_deg",
}
_STATEMENTS = (("lhsstatement", "rhsstatement"), ("leftstatement", "rightstatement"))
_RHYTHM_S = 10.0
_MIN_TAIL_S = 0.1
_MAX_COMPRESSED_SAMPLES = 120_000
"""Per lead, 2 min at 1000 Hz: XLI is decoded in Python, and rest ECGs last seconds."""
_NO_SAMPLE = -32768
_FILLER = 32767
"""Follows the representative beat up to the length that is stored."""
_MAX_ROUNDING_STEPS = 6


def read_philips_xml(path: Path, _hints: EcgHints) -> EcgRecord:
    """The rhythm of `parsedwaveforms` without its tail; `repbeats` are kept beside it.

    The stored 11 s end in a 1 mV calibration pulse on all leads and zeros: where all twelve
    leads coincide at the end, only the first 10 s are kept (`tail_cut`). Raises
    UnsupportedFormatError for other encodings and compressions, MissingUnitError without rate
    or resolution, UnreadableFileError for damaged samples.
    """
    name = shown_name(path)
    root = read_xml_root(path)
    waveforms = root.find(".//parsedwaveforms")
    signal = root.find(".//dataacquisition/signalcharacteristics")
    if waveforms is None or signal is None:
        raise UnsupportedFormatError(
            f"{name}: expected parsedwaveforms and signalcharacteristics, found a Philips report "
            "without them; export the XML with waveforms"
        )
    findings = _version_findings(root)
    rate_text = waveforms.get("samplespersecond") or text_of(signal, "samplingrate")
    rate_hz = require_rate_hz(rate_text, name=name, where="signalcharacteristics/samplingrate")
    labels = _read_labels(waveforms, signal, name)
    require_leads(name, labels)
    samples = _read_samples(waveforms, labels, rate_hz, name)
    samples = _cut_tail(samples, rate_hz, findings)
    scale_mv = _read_scale(signal, waveforms, name)
    channels = [
        Channel(label, lead, scale_mv, missing_values=(_NO_SAMPLE,))
        for label, lead in zip(labels, samples, strict=True)
    ]
    return assemble_ecg(
        Recording(
            name,
            "philips_xml",
            rate_hz,
            channels,
            findings,
            None,
            _read_figures(root),
            device_beat=_read_beat(root, name, findings),
            device_statements=_read_statements(root),
            person=philips_person(root),
        )
    )


def _read_beat(
    root: Element, name: str, findings: list[Finding]
) -> tuple[list[Channel], float] | None:
    """The representative beat of each lead; without it the rhythm is read all the same."""
    beats = root.find(".//repbeats")
    if beats is None:
        return None
    step_uv = parse_number(beats.get("resolution"))
    try:
        rate_hz = require_rate_hz(beats.get("samplespersec", ""), name=name, where="repbeats")
        if step_uv is None or step_uv <= 0:
            raise MissingUnitError(f"{name}: repbeats states no resolution in uV per step")
        signals = {}
        for beat in beats.findall("repbeat"):
            data = decode_base64(text_of(beat, "waveform"), name=name, where="repbeat/waveform")
            signals[beat.get("leadname", "")] = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
    except PtaclError as error:
        findings.append(unreadable_beat(error))
        return None
    ends = [int(np.flatnonzero(signal != _FILLER)[-1:].sum()) + 1 for signal in signals.values()]
    channels = [
        Channel(label, signal[: max(ends)], step_uv / 1000.0) for label, signal in signals.items()
    ]
    return channels, rate_hz


def _read_statements(root: Element) -> tuple[str, ...]:
    """The interpretation's statements, each with the reason that stands beside it."""
    texts = []
    for parent in root.iter():
        for left, right in _STATEMENTS:
            if parent.find(left) is not None:
                parts = (text_of(parent, left), text_of(parent, right))
                texts.append(": ".join(part for part in parts if part))
    return clean_statements(texts)


def _read_figures(root: Element) -> dict[str, float]:
    """Measurements over all leads; a figure that one block lacks may stand in the other."""
    return {
        **read_measurements(root.find(".//crossleadmeasurements"), _MEASUREMENTS),
        **read_measurements(root.find(".//globalmeasurements"), _MEASUREMENTS),
    }


def _version_findings(root: Element) -> list[Finding]:
    if text_of(root, "documentinfo/documentversion") in _VERIFIED_VERSIONS:
        return []
    message = f"the readers were checked on versions {', '.join(sorted(_VERIFIED_VERSIONS))} only"
    return [Finding("unverified_version", "warning", message)]


def _read_labels(waveforms: Element, signal: Element, name: str) -> list[str]:
    count = parse_count(waveforms.get("numberofleads"))
    if count is None:
        count = parse_count(text_of(signal, "numberchannelsallocated"))
    labels = waveforms.get("leadlabels", "").split()
    if labels:
        if count is not None and len(labels) < count:
            raise UnreadableFileError(
                f"{name}: the file states {count} leads and names {len(labels)}; it is damaged"
            )
        return labels[:count]
    if text_of(signal, "acquisitiontype") in _STANDARD_ACQUISITIONS and count == len(LEAD_NAMES):
        return list(LEAD_NAMES)  # version 1.03 names no leads: the standard order is implied
    raise UnsupportedFormatError(
        f"{name}: expected 12 named leads or a standard 12-lead acquisition, found neither"
    )


def _read_scale(signal: Element, waveforms: Element, name: str) -> float:
    """Millivolts per step; the format states microvolts per step, without a unit."""
    stated = waveforms.get("resolution") or text_of(signal, "resolution")
    step_uv = parse_number(stated or text_of(signal, "signalresolution"))
    if step_uv is None or step_uv <= 0:
        raise MissingUnitError(
            f"{name}: expected the resolution in uV per step in signalcharacteristics, found none"
        )
    return step_uv / 1000.0


def _read_samples(waveforms: Element, labels: list[str], rate_hz: float, name: str) -> list[Array]:
    if waveforms.get("dataencoding", "Base64") != "Base64":
        raise UnsupportedFormatError(f"{name}: the waveforms are not encoded as Base64")
    duration_ms = parse_number(waveforms.get("durationperchannel"))
    if duration_ms is None or duration_ms <= 0:
        raise UnreadableFileError(f"{name}: parsedwaveforms states no durationperchannel in ms")
    num_samples = round(duration_ms * rate_hz / 1000.0)
    check_extent(name, num_samples=num_samples, sampling_rate_hz=rate_hz)
    data = decode_base64(text_of(waveforms), name=name, where="parsedwaveforms")
    method = waveforms.get("compressmethod") or waveforms.get("compression") or "Uncompressed"
    if waveforms.get("compressflag", "True").casefold() == "false" or method == "Uncompressed":
        if len(data) < 2 * num_samples * len(labels):
            raise UnreadableFileError(
                f"{name}: {len(labels)} leads of {num_samples} samples need "
                f"{2 * num_samples * len(labels)} bytes, found {len(data)}; it is cut short"
            )
        stored = np.frombuffer(data, "<i2", num_samples * len(labels))
        leads = list(stored.reshape(len(labels), num_samples))
        return leads if _agree(leads, labels) else _restore_limb_leads(leads, labels)
    if method != "XLI":
        raise UnsupportedFormatError(f"{name}: waveforms are read uncompressed or as XLI only")
    if num_samples > _MAX_COMPRESSED_SAMPLES:
        raise UnsupportedFormatError(
            f"{name}: {num_samples} compressed samples per lead, at most "
            f"{_MAX_COMPRESSED_SAMPLES} are unpacked"
        )
    return _restore_limb_leads(_unpack_leads(data, len(labels), num_samples, name), labels)


def _unpack_leads(data: bytes, num_leads: int, num_samples: int, name: str) -> list[Array]:
    """Each lead: byte count (int32), two unused bytes, first value (int16), then LZW codes."""
    leads: list[Array] = []
    position = 0
    for number in range(1, num_leads + 1):
        head = data[position : position + 8]
        size = int.from_bytes(head[:4], "little", signed=True)
        stop = position + 8 + size
        if len(head) < 8 or size <= 0 or stop > len(data):
            raise UnreadableFileError(
                f"{name}: the compressed samples of lead {number} of {num_leads} are cut short"
            )
        first = int.from_bytes(head[6:8], "little", signed=True)
        stored = _unpack_bytes(data[position + 8 : stop], num_samples, name)
        num_values = (len(stored) + 1) // 2
        if num_values != num_samples or num_values < 2:
            raise UnreadableFileError(
                f"{name}: the file states {num_samples} samples for lead {number}, its compressed "
                f"data hold {num_values}{' or more' if num_values > num_samples else ''}"
            )
        leads.append(_sum_differences(stored, first, name))
        position = stop
    return leads


def _unpack_bytes(chunk: bytes, num_samples: int, name: str) -> list[int]:
    """Bytes of one lead, up to one sample more than stated (LZW can swell 600-fold)."""
    from sierraecg.lzw import LzwDecoder

    stored: list[int] = []
    with library_faults(name, "XLI-compressed lead"):
        decoder = LzwDecoder(chunk, bits=10)
        while len(stored) < 2 * (num_samples + 1) and (byte := decoder.read()) >= 0:
            stored.append(byte)
    return stored


def _sum_differences(stored: list[int], first: int, name: str) -> Array:
    """Samples from their second differences: high bytes first, then the low ones."""
    from sierraecg.xli import xli_decode_deltas

    with library_faults(name, "XLI-compressed lead"):
        return xli_decode_deltas(stored + [0] * (len(stored) % 2), first)


def _restore_limb_leads(stored: list[Array], labels: list[str]) -> list[Array]:
    """Limb leads from their residuals s, with III of the result in the two last ones.

    III = II - I - s, aVR = -s - ⌊(I + II)/2⌋, aVL = ⌊(I - III)/2⌋ - s, aVF = ⌊(II + III)/2⌋ - s.
    """
    samples = _by_lead(stored, labels)
    if not set(LIMB_LEADS) <= set(samples):
        return stored
    one, two = samples["I"], samples["II"]
    three = two - one - samples["III"]
    samples["III"] = three
    samples["aVR"] = -samples["aVR"] - (one + two) // 2
    samples["aVL"] = (one - three) // 2 - samples["aVL"]
    samples["aVF"] = (two + three) // 2 - samples["aVF"]
    return [samples[find_lead(label) or label] for label in labels]


def _agree(leads: list[Array], labels: list[str]) -> bool:
    """Whether uncompressed limb leads obey Einthoven's law as they are, not as residuals."""
    samples = _by_lead(leads, labels)
    if not set(LIMB_LEADS) <= set(samples):
        return True
    one, two = samples["I"], samples["II"]
    departure = np.abs(two - one - samples["III"]) + np.abs(2 * samples["aVR"] + one + two)
    return bool(np.quantile(departure, 0.9) <= _MAX_ROUNDING_STEPS)


def _by_lead(leads: list[Array], labels: list[str]) -> dict[str, Array]:
    return {
        find_lead(label) or label: lead.astype(np.int64)
        for label, lead in zip(labels, leads, strict=True)
    }


def _cut_tail(samples: list[Array], rate_hz: float, findings: list[Finding]) -> list[Array]:
    """Drop what follows 10 s when the recording ends in values equal on all leads."""
    together = np.stack(samples)
    differs = np.flatnonzero((together != together[:1]).any(axis=0))
    end = int(differs[-1]) + 1 if len(differs) else 0
    num_samples = together.shape[1]
    if end == 0 or num_samples - end < _MIN_TAIL_S * rate_hz:
        return samples
    kept = min(end, round(_RHYTHM_S * rate_hz))
    findings.append(
        Finding(
            "tail_cut",
            "info",
            f"the last {(num_samples - kept) / rate_hz:.2f} s (calibration pulse and padding, no "
            f"ECG) were cut; {kept / rate_hz:.2f} s remain",
        )
    )
    return [lead[:kept] for lead in samples]
