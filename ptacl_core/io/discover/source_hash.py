"""The hash that names where a recording was read from: one file, or several."""

from pathlib import Path

from ptacl_core.io.ecg.detection import find_wfdb_header
from ptacl_core.io.ecg.wfdb.read import list_record_files
from ptacl_core.safety.files.checksum import compute_sha256, compute_text_hash


def hash_source(path: Path) -> str:
    """SHA-256 of a file; of several, that of their hashes in order, one a line.

    Several are a folder of DICOM files and a WFDB header with its signal files and segments.
    Names do not count: `sha256sum FILES… | cut -c1-64 | sort | sha256sum` says the same. Raises
    OSError.
    """
    files = _list_files(path)
    hashes = sorted(compute_sha256(file) for file in files)
    if len(hashes) == 1:
        return hashes[0]
    return compute_text_hash("".join(f"{digest}\n" for digest in hashes))


def _list_files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file()]
    header = find_wfdb_header(path)
    return [path] if header is None else list_record_files(header)
