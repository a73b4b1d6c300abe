"""WFDB records (PhysioNet): a text header beside one or several signal files, or segments."""

from pathlib import Path

from ptacl_core.io.bounded_file import shown_name
from ptacl_core.io.ecg_hints import EcgHints
from ptacl_core.io.wfdb_header import read_header
from ptacl_core.io.wfdb_segments import read_segments
from ptacl_core.io.wfdb_signals import name_signals, read_signals
from ptacl_core.records import EcgRecord


def read_wfdb(header_path: Path, hints: EcgHints) -> EcgRecord:
    """The 12 leads of the record whose `.hea` file is `header_path`.

    Reads formats 16, 24, 32, 61, 80, 160, 212, 310 and 311, several signal files, byte offsets
    (the `.mat` records of the PhysioNet challenges), frames of several samples, skew, and the
    longest stretch without a gap of multi-segment records. A checksum that disagrees is a
    `checksum_mismatch` finding. Raises RecordError kinds in words: other formats, signal files
    that are missing or too short, segments that never hold 12 leads for 10 s.
    """
    header = read_header(header_path)
    if header.segments:
        return read_segments(header_path, header, hints)
    signals = name_signals(header, hints, name=shown_name(header_path))
    return read_signals(header_path, signals)
