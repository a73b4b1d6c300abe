"""Signals of one WFDB record (or segment): named, checked, read from their signal files."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, RecordError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import (
    Channel,
    Recording,
    assemble_ecg,
    check_extent,
    require_leads,
)
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_further_lead, find_lead
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.io.ecg.wfdb.header import DEFAULT_GAIN, Header, SignalLine
from ptacl_core.io.ecg.wfdb.samples import SAMPLE_FORMATS, read_signal_file
from ptacl_core.io.files.bounded_file import check_file, shown_name
from ptacl_core.records import EcgRecord, Finding


@dataclass(frozen=True, slots=True)
class Signals:
    """A record's signals under their leads' names, and the leads' rate and length.

    `num_samples` None: to be taken from the signal file's size.
    """

    header: Header
    lines: tuple[SignalLine, ...]
    sampling_rate_hz: float
    num_samples: int | None


def name_signals(header: Header, hints: EcgHints, *, name: str) -> Signals:
    """The signals that `header` describes, with what `hints` adds; nothing is read yet.

    Raises UnsupportedFormatError (leads missing, or stored at different rates),
    MissingUnitError (no sampling rate) and what `check_extent` raises.
    """
    lines = _apply_hints(header.signals, hints)
    require_leads(name, [line.description for line in lines])
    rate_hz = header.frame_rate_hz or hints.sampling_rate_hz
    if rate_hz is None:
        raise MissingUnitError(
            f"{name}: the header states no sampling rate; give sampling_rate_hz="
        )
    per_frame = _common_samples_per_frame(lines, name)
    num_samples = None if header.num_frames is None else header.num_frames * per_frame
    check_extent(name, num_samples=num_samples or 1, sampling_rate_hz=rate_hz * per_frame)
    return Signals(header, tuple(lines), rate_hz * per_frame, num_samples)


def read_signals(header_path: Path, signals: Signals) -> EcgRecord:
    """The 12 leads of `signals`.

    Raises for signal files that are missing, too short or of another storage format.
    """
    findings: list[Finding] = []
    channels = _read_channels(header_path, signals.header, list(signals.lines), findings)
    name = shown_name(header_path)
    return assemble_ecg(Recording(name, "wfdb", signals.sampling_rate_hz, channels, findings))


def _apply_hints(signals: tuple[SignalLine, ...], hints: EcgHints) -> list[SignalLine]:
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
        path = signal_path(header_path, file_name, name)
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
                channels.append(_to_further(signal, raw, name=name))
                continue
            if signal.checksum is not None and _checksum(raw) != signal.checksum % 65536:
                mismatched.append(lead)
            if signal.gain == 0.0:
                uncalibrated.append(lead)
            channels.append(_to_channel(signal, raw, name=name))
    lengths = {len(channel.raw) for channel in channels if len(channel.raw)}
    if header.num_frames is not None and lengths and min(lengths) < header.num_frames:
        message = f"the header states {header.num_frames} samples, the file holds {min(lengths)}"
        findings.append(Finding("fewer_samples", "warning", message))
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
                f"the header gives gain 0; {DEFAULT_GAIN:g} steps per mV, the format's default, "
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
        scale_mv=millivolts / (signal.gain or DEFAULT_GAIN),
        baseline=float(signal.baseline),
        missing_values=(missing,),
    )


def _to_further(signal: SignalLine, raw: Array, *, name: str) -> Channel:
    """A lead beside the twelve where its scale is known, else a placeholder."""
    if find_further_lead(signal.description) is None or signal.gain == 0.0:
        return _placeholder(signal)
    try:
        return _to_channel(signal, raw, name=name)
    except RecordError:
        return _placeholder(signal)  # its unit is not one of voltage


def _placeholder(signal: SignalLine) -> Channel:
    """A channel that is not a lead: counted, never read."""
    return Channel(signal.description, np.empty(0, np.int16), 1.0)


def signal_path(header_path: Path, file_name: str, name: str) -> Path:
    """The signal file beside its header. Raises UnsupportedFormatError for a name with folders."""
    if file_name in {"-", "~", ".", ".."} or "/" in file_name or "\\" in file_name:
        raise UnsupportedFormatError(
            f"{name}: a signal file must lie beside its header and be named without folders"
        )
    return header_path.with_name(file_name)


def _checksum(raw: Array) -> int:
    return int(raw.sum(dtype=np.int64)) % 65536
