"""Multi-segment WFDB records: the segments that follow each other without a gap, as one record."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import check_extent, check_signal, require_leads
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead, find_missing_leads
from ptacl_core.io.ecg.stretches import Piece, describe_stretch, find_longest_stretch
from ptacl_core.io.ecg.wfdb.header import Header, Segment, read_header
from ptacl_core.io.ecg.wfdb.signals import Signals, name_signals, read_signals
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, shown_name
from ptacl_core.records import LEAD_NAMES, EcgRecord, Finding

_MAX_SAMPLES = MAX_FILE_BYTES // (2 * len(LEAD_NAMES))
"""Per lead: as many as the largest single signal file of 16-bit samples holds."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment that holds 12 leads, and where it lies within the record."""

    path: Path
    signals: Signals
    piece: Piece


def read_segments(header_path: Path, header: Header, hints: EcgHints) -> EcgRecord:
    """The longest stretch in which every segment holds 12 leads and none is missing.

    Fixed layouts (the same signals throughout) and variable ones (a layout segment of no samples
    first, signals that come and go) are read alike. Leaving anything out is a `gap_cut` finding.
    Raises UnsupportedFormatError (no segment with 12 leads, stretch below 10 s, rates that
    change, segments within segments) and UnreadableFileError (segments missing or of another
    length than the record says).
    """
    name = shown_name(header_path)
    parts = _find_parts(header_path, header, hints)
    chosen = [parts[index] for index in find_longest_stretch([part.piece for part in parts])]
    rate_hz = chosen[0].signals.sampling_rate_hz
    if any(part.signals.sampling_rate_hz != rate_hz for part in chosen):
        raise UnsupportedFormatError(
            f"{name}: the segments have different sampling rates; give the header of one segment"
        )
    num_samples = sum(part.piece.num_samples for part in chosen)
    check_extent(name, num_samples=num_samples, sampling_rate_hz=rate_hz)
    if num_samples > _MAX_SAMPLES:
        raise UnsupportedFormatError(
            f"{name}: {num_samples} samples per lead without a gap are more than the "
            f"{_MAX_SAMPLES} that are read; give the header of one segment"
        )
    findings: list[Finding] = []
    if sum(segment.num_frames for segment in header.segments) * _per_frame(chosen) != num_samples:
        start = chosen[0].piece.start_sample
        findings.append(
            describe_stretch(
                name, start_sample=start, num_samples=num_samples, sampling_rate_hz=rate_hz
            )
        )
    return _join(chosen, num_samples, findings)


def _find_parts(header_path: Path, header: Header, hints: EcgHints) -> list[_Part]:
    """The segments with 12 leads, in order; raises when there is none."""
    name = shown_name(header_path)
    parts: list[_Part] = []
    most_leads: list[str] = []
    start_frame = 0
    visited: set[str] = set()
    for segment in header.segments:
        frame, start_frame = start_frame, start_frame + segment.num_frames
        if segment.is_gap or segment.num_frames == 0:  # 0: the layout, which has no samples
            continue
        if segment.record_name in visited:
            raise UnreadableFileError(f"{name}: the header names a segment twice; it is damaged")
        visited.add(segment.record_name)
        path = segment_path(header_path, segment, name)
        own = _read_segment_header(path, segment, header.frame_rate_hz)
        labels = [line.description for line in own.signals]
        leads = {lead for label in labels if (lead := find_lead(label)) is not None}
        if len(leads) > len(most_leads):
            most_leads = labels
        if hints.lead_names is None and find_missing_leads(sorted(leads)):
            continue
        signals = name_signals(own, hints, name=shown_name(path))
        per_frame = _samples_per_frame(signals)
        piece = Piece(frame * per_frame, segment.num_frames * per_frame)
        parts.append(_Part(path, signals, piece))
    if not parts:
        require_leads(name, most_leads)
        raise UnsupportedFormatError(f"{name}: no segment of the record holds samples")
    return parts


def segment_path(header_path: Path, segment: Segment, name: str) -> Path:
    """The segment's header beside its record. Raises UnsupportedFormatError for other places."""
    if "/" in segment.record_name or "\\" in segment.record_name or segment.record_name == "..":
        raise UnsupportedFormatError(
            f"{name}: a segment must lie beside its record and be named without folders"
        )
    return header_path.with_name(f"{segment.record_name}.hea")


def _read_segment_header(path: Path, segment: Segment, frame_rate_hz: float | None) -> Header:
    """The segment's header, its length and rate completed from the record's."""
    own = read_header(path)
    name = shown_name(path)
    if own.segments:
        raise UnsupportedFormatError(f"{name}: a segment that has segments itself is not read")
    if own.num_frames not in {None, segment.num_frames}:
        raise UnreadableFileError(
            f"{name}: the segment states {own.num_frames} samples, its record "
            f"{segment.num_frames}; one of the headers is of another record"
        )
    rate_hz = own.frame_rate_hz or frame_rate_hz
    return replace(own, num_frames=segment.num_frames, frame_rate_hz=rate_hz)


def _samples_per_frame(signals: Signals) -> int:
    assert signals.num_samples is not None and signals.header.num_frames is not None
    return signals.num_samples // signals.header.num_frames


def _per_frame(parts: list[_Part]) -> int:
    return _samples_per_frame(parts[0].signals)


def _join(parts: list[_Part], num_samples: int, findings: list[Finding]) -> EcgRecord:
    signal_mv = np.empty((len(LEAD_NAMES), num_samples), np.float32)
    by_code: dict[tuple[str, tuple[str, ...]], Finding] = {}
    record: EcgRecord | None = None
    position = 0
    for part in parts:
        record = read_signals(part.path, part.signals)
        length = record.signal_mv.shape[1]
        signal_mv[:, position : position + length] = record.signal_mv
        position += length
        for finding in record.findings:
            by_code.setdefault((finding.code, finding.leads), finding)
    assert record is not None and position == num_samples
    whole = check_signal(signal_mv)
    of_samples = {"missing_samples", "no_signal", "lead_off", "unit_implausible"}
    of_samples.add("einthoven_mismatch")  # what the whole stretch shows, not one segment
    kept = [finding for finding in by_code.values() if finding.code not in of_samples]
    return replace(record, signal_mv=signal_mv, findings=(*findings, *kept, *whole))
