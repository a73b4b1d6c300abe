"""Sections of an SCP-ECG file: where they lie, their extents and checksums."""

import binascii
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from ptacl_core.errors import UnreadableFileError
from ptacl_core.records import Finding

_SECTION_HEAD = 16
_SAMPLE_SECTIONS = {2, 3, 4, 5, 6}


@contextmanager
def short_reads(name: str, where: str) -> Iterator[None]:
    """Turn a read past the end of a section into an error in words."""
    try:
        yield
    except struct.error as error:
        raise UnreadableFileError(
            f"{name}: {where} is cut short; copy or export the file again"
        ) from error


def read_sections(data: bytes, name: str, findings: list[Finding]) -> dict[int, bytes]:
    """Bodies of the sections present, by number, checked for extent and checksum."""
    with short_reads(name, "the file header"):
        stored_crc, length = struct.unpack_from("<HI", data)
    if length != len(data):
        raise UnreadableFileError(
            f"{name}: the SCP header states {length} bytes, the file has {len(data)}; it is cut "
            "short or changed"
        )
    if compute_crc(data[2:]) != stored_crc:
        findings.append(
            Finding("checksum_mismatch", "warning", "the file's checksum does not hold")
        )
    with short_reads(name, "section 0"):
        (pointer_bytes,) = struct.unpack_from("<I", data, 6 + 4)
    if not _SECTION_HEAD < pointer_bytes <= len(data) - 6:
        raise UnreadableFileError(f"{name}: the section list (SCP section 0) is damaged")
    sections: dict[int, bytes] = {}
    for entry in range(6 + _SECTION_HEAD, 6 + pointer_bytes - 9, 10):
        number, size, start = struct.unpack_from("<HII", data, entry)
        if size == 0 or number == 0:
            continue
        body = data[start - 1 : start - 1 + size] if start > 0 else b""
        if size < _SECTION_HEAD or len(body) != size:
            raise UnreadableFileError(
                f"{name}: SCP section {number} should have {size} bytes from byte {start}, beyond "
                f"the file's {len(data)}; it is damaged"
            )
        _check_section(body, number, name)
        sections.setdefault(number, body[_SECTION_HEAD:])
    return sections


def _check_section(body: bytes, number: int, name: str) -> None:
    stored_crc, stored_number = struct.unpack_from("<HH", body)
    if stored_number != number:
        raise UnreadableFileError(
            f"{name}: expected SCP section {number}, found {stored_number} in its place; the file "
            "is damaged"
        )
    if number in _SAMPLE_SECTIONS and stored_crc and compute_crc(body[2:]) != stored_crc:
        raise UnreadableFileError(
            f"{name}: the checksum of SCP section {number} does not hold; the file is damaged"
        )


def compute_crc(data: bytes) -> int:
    """CRC-CCITT of SCP-ECG (polynomial 0x1021, initial value 0xFFFF)."""
    return binascii.crc_hqx(data, 0xFFFF)
