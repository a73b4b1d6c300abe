"""WFDB records (PhysioNet): a text header beside one or several signal files."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.bounded_file import check_file, read_bytes, shown_name
from ptacl_core.io.ecg_assembly import (
    Channel,
    Recording,
    assemble_ecg,
    check_extent,
    require_leads,
)
from ptacl_core.io.ecg_hints import EcgHints
from ptacl_core.io.leads import find_lead
from ptacl_core.io.voltage import read_millivolts
from ptacl_core.io.wfdb_samples import SAMPLE_FORMATS, read_signal_file
from ptacl_core.records import EcgRecord, Finding

_MAX_HEADER_BYTES = 1024**2
_MAX_SIGNALS = 1000
_DEFAULT_GAIN = 200.0
"""Steps per mV of an uncalibrated signal, as the format's definition says."""

_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,6}))?(?::(\d{1,9}))?(?:\+(\d{1,12}))?")
_GAIN = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?\d{1,3})?)(?:\((-?\d{1,12})\))?(?:/(\S+))?")
_RATE = re.compile(r"([0-9.]+(?:[eE][-+]?\d{1,3})?)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One signal as its header line describes it."""

    file_name: str
    sample_format: int
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float
    baseline: int
    unit: str
    checksum: int | None
    description: str


@dataclass(frozen=True, slots=True)
class Header:
    """A record's header; `num_frames` None: to be taken from the signal file's size."""

    frame_rate_hz: float | None
    num_frames: int | None
    signals: tuple[SignalLine, ...]


def read_wfdb(header_path: Path, hints: EcgHints) -> EcgRecord:
    """The 12 leads of the record whose `.hea` file is `header_path`.

    Reads formats 16, 24, 32, 61, 80, 160 and 212, several signal files, byte offsets (the
    `.mat` records of the PhysioNet challenges), frames of several samples and skew. A checksum
    that disagrees is a `checksum_mismatch` finding. Raises RecordError kinds in words:
    multi-segment records, other formats, signal files that are missing or too short.
    """
    name = shown_name(header_path)
    header = parse_header(read_bytes(header_path, max_bytes=_MAX_HEADER_BYTES), name=name)
    signals = _name_signals(header.signals, hints)
    require_leads(name, [signal.description for signal in signals])
    rate_hz = header.frame_rate_hz or hints.sampling_rate_hz
    if rate_hz is None:
        raise MissingUnitError(
            f"{name}: the header states no sampling rate; give sampling_rate_hz="
        )
    samples_per_frame = _common_samples_per_frame(signals, name)
    rate_hz *= samples_per_frame
    check_extent(
        name,
        num_samples=1 if header.num_frames is None else header.num_frames * samples_per_frame,
        sampling_rate_hz=rate_hz,
    )
    findings: list[Finding] = []
    channels = _read_channels(header_path, header, signals, findings)
    return assemble_ecg(Recording(name, "wfdb", rate_hz, channels, findings))


def list_signal_files(header_path: Path) -> list[Path]:
    """The signal files that a header names and that lie beside it, each once.

    Raises RecordError kinds in words for what is no header.
    """
    name = shown_name(header_path)
    header = parse_header(read_bytes(header_path, max_bytes=_MAX_HEADER_BYTES), name=name)
    names = dict.fromkeys(signal.file_name for signal in header.signals)
    paths = [_signal_path(header_path, each, name) for each in names]
    return [path for path in paths if path.is_file()]


def parse_header(data: bytes, *, name: str) -> Header:
    """The header in `data`; comment lines (they may hold clinical text) are not kept.

    Raises UnreadableFileError for lines that do not parse or are missing, and
    UnsupportedFormatError for multi-segment records.
    """
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    fields = lines[0].split() if lines else []
    if len(fields) < 2:
        raise UnreadableFileError(
            f"{name}: expected a WFDB header (name, number of signals, rate, samples), found none"
        )
    if "/" in fields[0]:
        raise UnsupportedFormatError(
            f"{name}: a multi-segment WFDB record is not read; give the header of one segment"
        )
    num_signals = _to_count(fields[1], name, "number of signals")
    if not 1 <= num_signals <= _MAX_SIGNALS:
        raise UnreadableFileError(
            f"{name}: expected 1 to {_MAX_SIGNALS} signals, the header says {num_signals}"
        )
    if len(lines) - 1 < num_signals:
        raise UnreadableFileError(
            f"{name}: the header promises {num_signals} signals and describes {len(lines) - 1}; "
            "it is cut short"
        )
    rate_hz = None
    if len(fields) > 2:
        rate = _RATE.fullmatch(fields[2])
        rate_hz = _to_float(rate[1], name, "sampling rate") if rate else None
        if rate_hz is None:
            raise UnreadableFileError(f"{name}: the sampling rate in line 1 is no number")
    num_frames = _to_count(fields[3], name, "number of samples") if len(fields) > 3 else 0
    signals = tuple(
        _parse_signal(line, name=name, number=number)
        for number, line in enumerate(lines[1 : num_signals + 1], start=1)
    )
    return Header(rate_hz, num_frames or None, signals)


def _parse_signal(line: str, *, name: str, number: int) -> SignalLine:
    fields = line.split(maxsplit=8)
    where = f"signal {number}"
    coding = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if coding is None:
        raise UnreadableFileError(
            f"{name}: expected a file name and a storage format for {where}, found neither"
        )
    gain, baseline, unit = _DEFAULT_GAIN, None, "mV"
    if len(fields) > 2:
        scale = _GAIN.fullmatch(fields[2])
        if scale is None:
            raise UnreadableFileError(f"{name}: the gain of {where} is no number of steps per unit")
        gain = _to_float(scale[1], name, f"gain of {where}") or 0.0
        baseline = int(scale[2]) if scale[2] is not None else None
        unit = scale[3] or "mV"
    if baseline is None:
        baseline = _to_int(fields[4], name, f"ADC zero of {where}") if len(fields) > 4 else 0
    return SignalLine(
        file_name=fields[0],
        sample_format=int(coding[1]),
        samples_per_frame=int(coding[2] or 1),
        skew=int(coding[3] or 0),
        byte_offset=int(coding[4] or 0),
        gain=gain,
        baseline=baseline,
        unit=unit,
        checksum=_to_int(fields[6], name, f"checksum of {where}") if len(fields) > 6 else None,
        description=fields[8] if len(fields) > 8 else "",
    )


def _name_signals(signals: tuple[SignalLine, ...], hints: EcgHints) -> list[SignalLine]:
    """Signals with the leads that hints name, where the header names none."""
    named = any(find_lead(signal.description) for signal in signals)
    if named or hints.lead_names is None or len(hints.lead_names) != len(signals):
        return list(signals)
    return [
        replace(signal, description=lead)
        for signal, lead in zip(signals, hints.lead_names, strict=True)
    ]


def _common_samples_per_frame(signals: list[SignalLine], name: str) -> int:
    counts = {
        signal.samples_per_frame for signal in signals if find_lead(signal.description) is not None
    }
    if len(counts) != 1 or 0 in counts:
        raise UnsupportedFormatError(
            f"{name}: the leads are stored at different rates ({sorted(counts)} samples per "
            "frame); resample them to one rate first"
        )
    return counts.pop()


def _read_channels(
    header_path: Path, header: Header, signals: list[SignalLine], findings: list[Finding]
) -> list[Channel]:
    name = shown_name(header_path)
    channels: list[Channel] = []
    mismatched: list[str] = []
    uncalibrated: list[str] = []
    for file_name in dict.fromkeys(signal.file_name for signal in signals):
        stored = [signal for signal in signals if signal.file_name == file_name]
        if not any(find_lead(signal.description) for signal in stored):
            channels.extend(_placeholder(signal) for signal in stored)
            continue
        path = _signal_path(header_path, file_name, name)
        check_file(path)
        samples = read_signal_file(
            path,
            sample_formats=[signal.sample_format for signal in stored],
            samples_per_frame=[signal.samples_per_frame for signal in stored],
            byte_offset=stored[0].byte_offset,
            num_frames=header.num_frames,
        )
        for signal, raw in zip(stored, samples, strict=True):
            lead = find_lead(signal.description)
            if lead is None:
                channels.append(_placeholder(signal))
                continue
            if signal.checksum is not None and _checksum(raw) != signal.checksum % 65536:
                mismatched.append(lead)
            if signal.gain == 0.0:
                uncalibrated.append(lead)
            channels.append(_to_channel(signal, raw, name=name))
    if mismatched:
        findings.append(
            Finding(
                "checksum_mismatch",
                "warning",
                "the samples do not add up to the header's checksum: damaged, changed, or the "
                "header of another record",
                tuple(mismatched),
            )
        )
    if uncalibrated:
        findings.append(
            Finding(
                "uncalibrated",
                "warning",
                f"the header gives gain 0; {_DEFAULT_GAIN:g} steps per mV, the format's default, "
                "were taken",
                tuple(uncalibrated),
            )
        )
    return channels


def _to_channel(signal: SignalLine, raw: Array, *, name: str) -> Channel:
    missing = SAMPLE_FORMATS[signal.sample_format].missing_value
    if signal.skew:  # stored late by `skew` samples: shifted back, the end is missing
        shifted = np.full_like(raw, missing)
        shifted[: max(len(raw) - signal.skew, 0)] = raw[signal.skew :]
        raw = shifted
    millivolts = read_millivolts(signal.unit, name=name, where="the gain field")
    return Channel(
        label=signal.description,
        raw=raw,
        scale_mv=millivolts / (signal.gain or _DEFAULT_GAIN),
        baseline=float(signal.baseline),
        missing_values=(missing,),
    )


def _placeholder(signal: SignalLine) -> Channel:
    """A channel that is no lead: counted, never read."""
    return Channel(signal.description, np.empty(0, np.int16), 1.0)


def _signal_path(header_path: Path, file_name: str, name: str) -> Path:
    if file_name in {"-", "~", ".", ".."} or "/" in file_name or "\\" in file_name:
        raise UnsupportedFormatError(
            f"{name}: a signal file must lie beside its header and be named without folders"
        )
    return header_path.with_name(file_name)


def _checksum(raw: Array) -> int:
    return int(raw.sum(dtype=np.int64)) % 65536


def _to_count(text: str, name: str, what: str) -> int:
    number = _to_int(text, name, what)
    if number < 0:
        raise UnreadableFileError(f"{name}: the {what} in the header is negative")
    return number


def _to_int(text: str, name: str, what: str) -> int:
    if re.fullmatch(r"[-+]?\d{1,18}", text) is None:
        raise UnreadableFileError(f"{name}: the {what} in the header is no whole number")
    return int(text)


def _to_float(text: str, name: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UnreadableFileError(f"{name}: the {what} in the header is no number") from error
