"""EDF, EDF+ and BDF: signals labelled as leads, scaled by their physical and digital ranges."""

from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg, check_extent, require_leads
from ptacl_core.io.ecg.edf.header import EdfHeader, SignalHeader, read_edf_header, read_onsets_s
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead
from ptacl_core.io.ecg.person_facts import edf_person
from ptacl_core.io.ecg.stretches import Piece, describe_stretch, find_longest_stretch
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.records import EcgRecord, Finding


def read_edf_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """Signals whose labels name leads ("ECG aVR", "EKG II"); annotations and others left out.

    The lowest code is not a sample where the digital range excludes it. Of a discontinuous file
    (EDF+D, BDF+D) the longest stretch without a gap is taken (`gap_cut`). Raises
    UnsupportedFormatError for one below 10 s and for leads at different rates, MissingUnitError
    for a dimension that is not a voltage, UnreadableFileError where header and size disagree.
    """
    name = shown_name(path)
    data = read_bytes(path)
    header = read_edf_header(data, name=name)
    signals = [signal for signal in header.signals if not signal.is_annotations]
    require_leads(name, [signal.label for signal in signals])
    counts = {
        signal.samples_per_record for signal in signals if find_lead(signal.label) is not None
    }
    if len(counts) != 1:
        raise UnsupportedFormatError(
            f"{name}: the leads are stored at different rates ({len(counts)} of them); resample "
            "them to one rate first"
        )
    per_record = counts.pop()
    rate_hz = round(per_record / header.record_s, 6)
    check_extent(name, num_samples=per_record * header.num_records, sampling_rate_hz=rate_hz)
    findings: list[Finding] = []
    records = range(header.num_records)
    if header.is_discontinuous:
        records = _choose_records(data, header, per_record, findings, name)
    stored = _stored_records(data, header)[records.start : records.stop]
    channels: list[Channel] = []
    start = 0
    for signal in header.signals:
        stop = start + signal.samples_per_record * header.sample_bytes
        if not signal.is_annotations:
            channels.append(_to_channel(signal, stored[:, start:stop], header, hints, name))
        start = stop
    source_format = "edf" if header.sample_bytes == 2 else "bdf"
    person = edf_person(data[:256])
    return assemble_ecg(Recording(name, source_format, rate_hz, channels, findings, person=person))


def _choose_records(
    data: bytes, header: EdfHeader, per_record: int, findings: list[Finding], name: str
) -> range:
    """The data records of the longest stretch without a gap."""
    rate_hz = per_record / header.record_s
    pieces = [
        Piece(onset_s * rate_hz, per_record) for onset_s in read_onsets_s(data, header, name=name)
    ]
    chosen = find_longest_stretch(pieces)
    if len(chosen) < header.num_records:
        finding = describe_stretch(
            name,
            start_sample=pieces[chosen.start].start_sample,
            num_samples=per_record * len(chosen),
            sampling_rate_hz=rate_hz,
        )
        findings.append(finding)
    return chosen


def _stored_records(data: bytes, header: EdfHeader) -> Array:
    """The data records as bytes [record, byte]."""
    num_bytes = header.num_records * header.record_bytes
    stored = np.frombuffer(data, np.uint8, num_bytes, header.first_record_byte)
    return stored.reshape(header.num_records, header.record_bytes)


def _to_integers(stored: Array, sample_bytes: int) -> Array:
    """Little-endian signed integers of 2 or 3 bytes each, one record after another."""
    if sample_bytes == 2:
        return np.ascontiguousarray(stored).view("<i2").reshape(-1)
    padded = np.zeros((stored.size // 3, 4), np.uint8)
    padded[:, 1:] = stored.reshape(-1, 3)
    return padded.view("<i4")[:, 0] >> 8


def _to_channel(
    signal: SignalHeader, stored: Array, header: EdfHeader, hints: EcgHints, name: str
) -> Channel:
    lead = find_lead(signal.label)
    if lead is None:
        return Channel(signal.label, np.empty(0, np.int16), 1.0)
    low, high, digital_low, digital_high = signal.ranges
    if low is None or high is None or digital_low is None or digital_high is None:
        raise UnreadableFileError(f"{name}: the range of lead {lead} is not written as numbers")
    if digital_low >= digital_high or low == high:
        raise UnreadableFileError(
            f"{name}: the range of lead {lead} is empty ({low:g} to {high:g} for {digital_low:g} "
            f"to {digital_high:g}); the header is damaged"
        )
    step = (high - low) / (digital_high - digital_low)
    unit = signal.dimension or hints.unit or ""
    millivolts = read_millivolts(unit, name=name, where=f"the dimension of lead {lead}")
    lowest_code = -(1 << (8 * header.sample_bytes - 1))
    return Channel(
        label=signal.label,
        raw=_to_integers(stored, header.sample_bytes),
        scale_mv=step * millivolts,
        baseline=digital_low - low / step,
        missing_values=(lowest_code,) if digital_low > lowest_code else (),
    )
