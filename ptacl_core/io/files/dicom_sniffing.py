"""What a DICOM file is from its first kilobytes, without a parser."""

import re

HEAD_BYTES = 16 * 1024
_MEDIA_STORAGE_CLASS = re.compile(rb"\x02\x00\x02\x00UI(..)", re.DOTALL)
_STUDY_UID = re.compile(rb"\x20\x00\x0d\x00(?:UI(..)|(..)\x00\x00)", re.DOTALL)
_MR_CLASSES = ("1.2.840.10008.5.1.4.1.1.4",)
_WAVEFORM_CLASSES = ("1.2.840.10008.5.1.4.1.1.9.1", "1.2.840.10008.5.1.4.1.1.9.2")
_DIRECTORY_CLASS = "1.2.840.10008.1.3.10"


def is_dicom_head(head: bytes) -> bool:
    """Whether a file that starts with `head` has DICOM's mark after the preamble."""
    return head[128:132] == b"DICM"


def sniff_kind(head: bytes) -> str:
    """What the head of a DICOM file holds: mr, waveform, directory or other."""
    uid = _find_uid(_MEDIA_STORAGE_CLASS, head) or ""
    if any(uid == known or uid.startswith(f"{known}.") for known in _MR_CLASSES):
        return "mr"
    if uid.startswith(_WAVEFORM_CLASSES):
        return "waveform"
    return "directory" if uid == _DIRECTORY_CLASS else "other"


def sniff_study(head: bytes) -> str | None:
    """The study instance UID, None where the head does not show it."""
    return _find_uid(_STUDY_UID, head)


def _find_uid(pattern: re.Pattern[bytes], head: bytes) -> str | None:
    match = pattern.search(head)
    if match is None:
        return None
    length = int.from_bytes(next(group for group in match.groups() if group), "little")
    value = head[match.end() : match.end() + min(length, 64)].rstrip(b"\0 ")
    return value.decode("ascii", errors="replace") or None
