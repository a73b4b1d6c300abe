"""Identifier, time, sex and birth date inside a recording's file, from its first bytes."""

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ptacl_core.errors import RecordError
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, read_bytes, read_head
from ptacl_core.io.identity.cart_facts import (
    read_ishne_facts,
    read_mfer_facts,
    read_mrd_facts,
)
from ptacl_core.io.identity.dicom_facts import read_dicom_facts
from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts
from ptacl_core.io.identity.scp_facts import read_scp_facts
from ptacl_core.io.identity.xml_facts import XML_CODINGS, read_xml_facts

FACT_BYTES = 64 * 1024
"""How much of a file is looked at first; XML is read on where its person has not come yet."""


def read_facts(path: Path, file_format: str, head: bytes | None = None) -> InsideFacts:
    """What the file says of whose it is and when it was made; nothing when it cannot be read.

    `file_format` is what discovery found ("cardiosoft_xml", "dicom"); `head` the file's first
    bytes where the caller has them. A damaged file has no facts: its reader says what is wrong.
    """
    try:
        if file_format in XML_CODINGS:
            return _read_xml(path, file_format, head)
        if file_format == "ismrmrd":
            return read_mrd_facts(path)
        reader = _READERS.get(file_format)
        if reader is None:
            return NO_FACTS
        data = head if head is not None else read_head(path, num_bytes=FACT_BYTES)
        return reader(data)
    except (RecordError, OSError, ValueError, IndexError):
        return NO_FACTS


def _read_xml(path: Path, file_format: str, head: bytes | None) -> InsideFacts:
    data = head if head is not None else read_head(path, num_bytes=FACT_BYTES)
    facts, is_told = read_xml_facts(data, file_format)
    if is_told or len(data) < FACT_BYTES:
        return facts
    return read_xml_facts(read_bytes(path, max_bytes=MAX_FILE_BYTES), file_format)[0]


def read_edf_facts(head: bytes) -> InsideFacts:
    """EDF+: code, sex, birth date, start; plain EDF: the patient field when it is one word."""
    if len(head) < 256:
        return NO_FACTS
    field = head[8:88].decode("latin-1").strip()
    words = field.split()
    is_plus = head[192:196] in (b"EDF+", b"BDF+")
    code = words[0] if words and (is_plus or len(words) == 1) else ""
    sex = words[1] if is_plus and len(words) > 1 and words[1] in "MF" else ""
    birth = words[2] if is_plus and len(words) > 2 and words[2] != "X" else ""
    start = _parse(head[168:184].decode("latin-1"), "%d.%m.%y%H.%M.%S")
    return InsideFacts("" if code == "X" else code, "edf", start, sex, birth)


def read_wfdb_facts(head: bytes) -> InsideFacts:
    """The base date of the record line, and a comment that names the patient's number."""
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff")
    lines = [line.strip() for line in text.splitlines()]
    record = next((line for line in lines if line and not line.startswith("#")), "").split()
    start = None
    if len(record) >= 6:
        date = record[5].replace("-", "/")
        time = record[4].partition(".")[0]
        start = _parse(f"{date} {time}", "%d/%m/%Y %H:%M:%S") or _parse(date, "%d/%m/%Y")
    comments = " ".join(line for line in lines if line.startswith("#"))
    named = _WFDB_PERSON.search(comments)
    return InsideFacts(named[1] if named else "", "wfdb", start)


_WFDB_PERSON = re.compile(
    r"<?(?:subject|patient|participant)[ _-]?(?:id|number|no)>?\s*[:=]\s*(\S+)", re.IGNORECASE
)


def _parse(text: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), pattern)
    except ValueError:
        return None


_READERS: dict[str, Callable[[bytes], InsideFacts]] = {
    "dicom": read_dicom_facts,
    "dicom_zip": read_dicom_facts,
    "scp": read_scp_facts,
    "edf": read_edf_facts,
    "wfdb": read_wfdb_facts,
    "ishne": read_ishne_facts,
    "mfer": read_mfer_facts,
}
