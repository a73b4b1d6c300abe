"""Patient, study and time in the first kilobytes of a DICOM file, without a parser."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ptacl_core.io.identity.facts import InsideFacts

_TAGS = {
    "study_date": (0x0008, 0x0020),
    "series_date": (0x0008, 0x0021),
    "acquisition_date": (0x0008, 0x0022),
    "acquisition_datetime": (0x0008, 0x002A),
    "study_time": (0x0008, 0x0030),
    "acquisition_time": (0x0008, 0x0032),
    "patient_id": (0x0010, 0x0020),
    "birth_date": (0x0010, 0x0030),
    "sex": (0x0010, 0x0040),
    "study_uid": (0x0020, 0x000D),
    "series_uid": (0x0020, 0x000E),
}
_VR = rb"(?:DA|DT|TM|LO|CS|UI|SH)"
_MAX_VALUE_BYTES = 128


def _pattern(group: int, element: int) -> re.Pattern[bytes]:
    tag = re.escape(group.to_bytes(2, "little") + element.to_bytes(2, "little"))
    return re.compile(tag + rb"(?:" + _VR + rb"(..)|(..)\x00\x00)", re.DOTALL)


_PATTERNS = {name: _pattern(*tag) for name, tag in _TAGS.items()}


@dataclass(frozen=True, slots=True)
class DicomHead:
    """Values of the header, "" where it has none; texts as they stand, without padding."""

    values: dict[str, str]

    def get(self, name: str) -> str:
        """One value by our name of it."""
        return self.values.get(name, "")


EXAM_VALUES = ("study_uid", "patient_id")
"""What tells one examination from another."""


def read_dicom_head(head: bytes, names: Iterable[str] = tuple(_TAGS)) -> DicomHead:
    """The values in the first bytes of a file in explicit or implicit little endian."""
    values: dict[str, str] = {}
    for name in names:
        match = _PATTERNS[name].search(head)
        if match is None:
            continue
        length = int.from_bytes(match[1] or match[2], "little")
        if 0 < length <= _MAX_VALUE_BYTES:
            raw = head[match.end() : match.end() + length]
            values[name] = raw.decode("utf-8", errors="replace").strip("\0 ")
    return DicomHead(values)


def read_dicom_facts(head: bytes) -> InsideFacts:
    """Whose file it is and when it was acquired (the study's date where no other is there)."""
    return to_facts(read_dicom_head(head))


def to_facts(values: DicomHead) -> InsideFacts:
    """The facts in a header that has been read."""
    stamp = values.get("acquisition_datetime")[:14]
    date = values.get("acquisition_date") or values.get("series_date") or values.get("study_date")
    time = values.get("acquisition_time") or values.get("study_time")
    acquired = _parse_stamp(stamp) or _parse_stamp(date.replace(".", "") + time[:6])
    return InsideFacts(
        values.get("patient_id"),
        "dicom",
        acquired or _parse_stamp(date.replace(".", "")),
        values.get("sex"),
        values.get("birth_date"),
    )


def _parse_stamp(text: str) -> datetime | None:
    for pattern, length in (("%Y%m%d%H%M%S", 14), ("%Y%m%d%H%M", 12), ("%Y%m%d", 8)):
        if len(text) == length and text.isdecimal():
            try:
                return datetime.strptime(text, pattern)
            except ValueError:
                return None
    return None
