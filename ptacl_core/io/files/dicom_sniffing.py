"""What a DICOM file is from its first kilobytes, without a parser."""

import re

HEAD_BYTES = 16 * 1024
_MEDIA_STORAGE_CLASS = re.compile(rb"\x02\x00\x02\x00UI(..)", re.DOTALL)
_MR_CLASSES = ("1.2.840.10008.5.1.4.1.1.4",)
_WAVEFORM_CLASSES = ("1.2.840.10008.5.1.4.1.1.9.1", "1.2.840.10008.5.1.4.1.1.9.2")
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_SOP_CLASS = re.compile(rb"\x08\x00\x16\x00(?:UI(..)|(..)\x00\x00)", re.DOTALL)
_FIRST_ELEMENTS = {0x0000, 0x0001, 0x0005, 0x0008, 0x0012, 0x0013, 0x0014, 0x0016, 0x0018}
"""Elements of group 0008 with which a data set without preamble and meta header may begin."""


def is_dicom_head(head: bytes) -> bool:
    """Whether a file that starts with `head` is DICOM, with preamble and mark or bare."""
    return head[128:132] == b"DICM" or is_bare_dicom_head(head)


def is_bare_dicom_head(head: bytes) -> bool:
    """A data set without preamble: group 0002 or 0008 first, little endian, a small element."""
    if len(head) < 16 or head[0] not in {0x02, 0x08} or head[1] != 0:
        return False
    element = int.from_bytes(head[2:4], "little")
    if head[4:6].isalpha() and head[4:6].isupper():
        return head[3] == 0
    length = int.from_bytes(head[4:8], "little")
    return head[0] == 0x08 and element in _FIRST_ELEMENTS and length <= 128 and length % 2 == 0


def sniff_kind(head: bytes) -> str:
    """What the head of a DICOM file holds: mr, waveform, directory or other."""
    uid = _find_uid(_MEDIA_STORAGE_CLASS, head) or _find_uid(_SOP_CLASS, head) or ""
    if any(uid == known or uid.startswith(f"{known}.") for known in _MR_CLASSES):
        return "mr"
    if uid.startswith(_WAVEFORM_CLASSES):
        return "waveform"
    return "directory" if uid == _DIRECTORY_CLASS else "other"


def _find_uid(pattern: re.Pattern[bytes], head: bytes) -> str | None:
    match = pattern.search(head)
    if match is None:
        return None
    length = int.from_bytes(next(group for group in match.groups() if group), "little")
    value = head[match.end() : match.end() + min(length, 64)].rstrip(b"\0 ")
    return value.decode("ascii", errors="replace") or None
