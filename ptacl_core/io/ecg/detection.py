"""Which ECG format a file has: by its content, the name only as a hint."""

import codecs
import re
import sys
from pathlib import Path
from typing import Literal

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.ecg.binary.mfer import is_mfer
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, check_file, read_head, shown_name
from ptacl_core.io.files.dicom_sniffing import is_dicom_head
from ptacl_core.safety.text.printable import clean_text

EcgFormat = Literal[
    "wfdb",
    "dicom",
    "cardiosoft_xml",
    "muse_xml",
    "philips_xml",
    "hl7_aecg",
    "scp",
    "edf",
    "npy",
    "npz",
    "hdf5",
    "matlab",
    "ishne",
    "mfer",
    "schiller_xml",
    "eli_xml",
    "ge_mac_xml",
    "parquet",
    "csv",
]

FORMAT_BYTES = 64 * 1024
"""How much of a file tells its format."""
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_XML_ROOTS: dict[str, EcgFormat] = {
    "CardiologyXML": "cardiosoft_xml",
    "RestingECG": "muse_xml",
    "restingecgdata": "philips_xml",
    "AnnotatedECG": "hl7_aecg",
    "MegaCare": "hl7_aecg",  # the same series under a root of its own
    "sapphire": "ge_mac_xml",
    "ECG": "eli_xml",
}
_NAMED_ROOTS = {
    "ECGData": "an Edan export (ECGData), whose structure is not public; export aECG, SCP or DICOM",
    "Observation": "a FHIR Observation; export the recording itself (aECG, SCP, DICOM, WFDB)",
    "Bundle": "a FHIR Bundle; export the recording itself (aECG, SCP, DICOM, WFDB)",
}
"""XML that is known for what it is and not read."""

_OWN_KINDS: dict[bytes, EcgFormat] = {
    b"\x93NUMPY": "npy",
    b"PAR1": "parquet",
    _HDF5_MAGIC: "hdf5",
    b"MATLAB 5.0": "matlab",
    b"MATLAB 7.3": "matlab",
    b"ISHNE1.0": "ishne",
    b"0       ": "edf",
    b"\xffBIOSEMI": "edf",
}

_OTHER_KINDS = (
    (b"%PDF", "a PDF: a picture of an ECG, without samples; export the recording itself"),
    (b"\x89PNG", "a picture; export the recording itself"),
    (b"\xff\xd8\xff", "a picture; export the recording itself"),
    (b"II*\x00", "a picture; export the recording itself"),
    (b"MM\x00*", "a picture; export the recording itself"),
    (b"\x1f\x8b", "gzip-compressed data; unpack it first"),
    (b"BZh", "bzip2-compressed data; unpack it first"),
    (b"\xfd7zXZ", "xz-compressed data; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"ANN  1.0", "an ISHNE annotation file, without samples"),
    (b"GDF ", "a GDF file; convert it to EDF"),
    (b"\x80\x02", "a Python pickle, which can run code and is never opened; save as NPY"),
    (b"\x80\x03", "a Python pickle, which can run code and is never opened; save as NPY"),
    (b"\x80\x04", "a Python pickle, which can run code and is never opened; save as NPY"),
    (b"\x80\x05", "a Python pickle, which can run code and is never opened; save as NPY"),
    (b"\xd0\xcf\x11\xe0", "an old Office document; save the table as CSV"),
    (b"SQLite format 3", "a database; export the recording itself"),
    (b"$FL2@(#)", "an SPSS file; save the table as CSV"),
    (b"$FL3@(#)", "an SPSS file; save the table as CSV"),
    (b"<stata_dta>", "a Stata file; save the table as CSV"),
    (bytes(12) + b"\xc2\xea\x81\x60", "a SAS data set; save the table as CSV"),
    (b"RDX2\n", "an R data file; save the table as CSV"),
    (b"RDX3\n", "an R data file; save the table as CSV"),
)

READ_FORMATS = (
    "WFDB, DICOM waveform, CardioSoft XML, MUSE XML, Philips XML, HL7 aECG, SCP-ECG, EDF, BDF, "
    "CSV, NPY, NPZ, Parquet, HDF5, MATLAB 5 and 7.3, ISHNE, MFER, Schiller, Mortara ELI, GE MAC "
    "and MegaCare XML"
)

_CONTROL_BYTE = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_XML_PROLOG = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>)", re.DOTALL)
_XML_ROOT = re.compile(r"\s*<(?:[\w.\-]+:)?([\w.\-]+)")
_WFDB_RECORD_LINE = re.compile(
    r"[^\s#]\S*\s+\d{1,4}\s+[0-9.]+(?:e[+-]?\d+)?(?:/\S+)?(?:\s+\d+(?:\s.*)?)?", re.IGNORECASE
)


def find_wfdb_header(path: Path) -> Path | None:
    """The `.hea` file that `path` means: itself, that of the stem, or that of a signal file."""
    if path.suffix.lower() == ".hea" and path.is_file():
        return path
    appended = path.with_name(f"{path.name}.hea")
    if not path.exists() and appended.is_file():
        return appended
    beside = path.with_suffix(".hea") if path.suffix else appended
    if path.is_file() and beside.is_file() and _names_file(beside, path.name):
        return beside
    return None


def detect_ecg_format(path: Path, head: bytes | None = None) -> EcgFormat:
    """The format of the file `path` (a WFDB stem, `.hea`, `.dat` or `.mat` is "wfdb").

    Only the first 64 KB are looked at: `head`, where the caller has read them. Raises
    UnreadableFileError for what is not a readable file and UnsupportedFormatError for any other
    kind, named when it is known.
    """
    try:
        header = find_wfdb_header(path)
    except (OSError, ValueError):
        header = None  # a path that the system cannot take: check_file says so in words
    if header is not None:
        return "wfdb"
    head = read_head(path, num_bytes=FORMAT_BYTES) if head is None else head
    is_read_in_part = head.startswith(_HDF5_MAGIC)
    size = check_file(path, max_bytes=sys.maxsize if is_read_in_part else MAX_FILE_BYTES)
    name = shown_name(path)
    if (binary := _detect_binary(head, name, size)) is not None:
        return binary
    for magic, what in _OTHER_KINDS:
        if head.startswith(magic):
            raise UnsupportedFormatError(f"{name}: expected an ECG recording, found {what}")
    text = _decode(head)
    if text is not None:
        return _detect_text(text, path, name)
    if path.suffix.lower() in {".dat", ".mat"}:
        raise UnsupportedFormatError(
            f"{name}: expected the WFDB header {clean_text(path.stem, max_length=60)}.hea beside "
            "this signal file, found none that names it; copy both into one folder"
        )
    raise UnsupportedFormatError(
        f"{name}: the content is of no known ECG format; read are {READ_FORMATS}"
    )


def _detect_binary(head: bytes, name: str, size: int) -> EcgFormat | None:
    if is_mfer(head):
        return "mfer"
    if is_dicom_head(head):
        return "dicom"
    for magic, kind in _OWN_KINDS.items():
        if head.startswith(magic):
            return kind
    if head.startswith(b"PK\x03\x04"):
        if b".npy" in head[:256]:
            return "npz"
        raise UnsupportedFormatError(
            f"{name}: expected one ECG recording, found a ZIP archive or Office document; unpack "
            "it, or save the table as CSV"
        )
    if head[16:22] == b"SCPECG" or _has_scp_extent(head, size):
        return "scp"
    return None


def _has_scp_extent(head: bytes, size: int) -> bool:
    """SCP files without the word SCPECG: the stored length is the file's, section 0 is first."""
    if len(head) < 22 or int.from_bytes(head[2:6], "little") != size:
        return False
    return head[8:10] == b"\0\0" and 136 <= int.from_bytes(head[10:14], "little") <= size


def _detect_text(text: str, path: Path, name: str) -> EcgFormat:
    if text.lstrip().startswith("<"):
        return _detect_xml(text, name)
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if lines and _WFDB_RECORD_LINE.fullmatch(lines[0]) and path.suffix.lower() == ".hea":
        return "wfdb"
    if lines and any(mark in lines[0] for mark in ",;\t|"):
        return "csv"
    if lines and len(lines[0].split()) >= 8:
        return "csv"
    raise UnsupportedFormatError(
        f"{name}: expected an ECG recording, found plain text that is not a table; read are "
        f"{READ_FORMATS}"
    )


def _detect_xml(text: str, name: str) -> EcgFormat:
    position = 0
    while (prolog := _XML_PROLOG.match(text, position)) is not None:
        position = prolog.end()
    root = _XML_ROOT.match(text, position)
    if root is None:
        raise UnsupportedFormatError(
            f"{name}: the XML shows no root element in its first 64 KB; export it again"
        )
    if root[1].lower().endswith("schilleredi"):
        return "schiller_xml"
    if root[1] in _NAMED_ROOTS:
        raise UnsupportedFormatError(
            f"{name}: expected an ECG recording, found {_NAMED_ROOTS[root[1]]}"
        )
    if root[1] not in _XML_ROOTS:
        if "<RestingECG>" in text:  # an export of several
            return "muse_xml"
        raise UnsupportedFormatError(
            f"{name}: expected XML of an ECG (root {', '.join(_XML_ROOTS)}), found root "
            f"{clean_text(root[1], max_length=40)!r}"
        )
    return _XML_ROOTS[root[1]]


def _decode(head: bytes) -> str | None:
    """The head as text: by its byte order mark, UTF-8, or a single-byte code; None for binary."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, errors="replace")
    if head[:4] in {b"<\0?\0", b"\0<\0?"}:
        return head.decode("utf-16-le" if head[0] else "utf-16-be", errors="replace")
    if _CONTROL_BYTE.search(head) is not None:
        return None
    return head.decode("latin-1")


def _names_file(header_path: Path, file_name: str) -> bool:
    """Whether the header's signal lines name `file_name`."""
    text = read_head(header_path, num_bytes=FORMAT_BYTES).decode("utf-8", errors="replace")
    return any(
        line.split(maxsplit=1)[0] == file_name
        for line in text.splitlines()[1:]
        if line.strip() and not line.startswith("#")
    )
