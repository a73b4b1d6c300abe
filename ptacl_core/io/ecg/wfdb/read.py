"""WFDB records (PhysioNet): a text header beside one or several signal files, or segments."""

from dataclasses import replace
from pathlib import Path

from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.person_facts import wfdb_person
from ptacl_core.io.ecg.wfdb.header import read_header
from ptacl_core.io.ecg.wfdb.segments import read_segments, segment_path
from ptacl_core.io.ecg.wfdb.signals import name_signals, read_signals, signal_path
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.records import EcgRecord

_MAX_HEADER_BYTES = 1024**2


def read_wfdb(header_path: Path, hints: EcgHints) -> EcgRecord:
    """The 12 leads of the record whose `.hea` file is `header_path`.

    Reads formats 16, 24, 32, 61, 80, 160, 212, 310, 311 and FLAC (508, 516, 524), several signal
    files, byte offsets (the `.mat` records of the PhysioNet challenges), frames of several
    samples, skew, and the longest stretch without a gap of multi-segment records. A checksum that
    disagrees is a `checksum_mismatch` finding. Raises RecordError kinds in words: other
    formats, signal files that are missing or too short, segments that never hold 12 leads for 10 s.
    """
    header = read_header(header_path)
    if header.segments:
        record = read_segments(header_path, header, hints)
    else:
        signals = name_signals(header, hints, name=shown_name(header_path))
        record = read_signals(header_path, signals)
    comments = read_bytes(header_path, max_bytes=_MAX_HEADER_BYTES)
    return replace(record, person=wfdb_person(comments))


def list_record_files(header_path: Path) -> list[Path]:
    """The header, what it names beside it (signal files, segments) and theirs, each once.

    Raises RecordError kinds in words for what is not a header.
    """
    name = shown_name(header_path)
    header = read_header(header_path)
    paths = [header_path]
    paths += [signal_path(header_path, signal.file_name, name) for signal in header.signals]
    for segment in header.segments:
        path = header_path if segment.is_gap else segment_path(header_path, segment, name)
        if path != header_path and path.is_file():
            own = read_header(path)
            paths += [path, *(signal_path(path, signal.file_name, name) for signal in own.signals)]
    return [path for path in dict.fromkeys(paths) if path.is_file()]
