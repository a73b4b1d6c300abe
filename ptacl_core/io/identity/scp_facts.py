"""Patient and time in section 1 of an SCP-ECG file."""

import struct
from datetime import datetime

from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts

_PATIENT_ID, _BIRTH, _SEX, _DATE, _TIME, _END = 2, 5, 8, 25, 26, 255
_SECTION_HEAD = 16


def read_scp_facts(head: bytes) -> InsideFacts:
    """Tags 2, 5, 8, 25 and 26 of section 1, which comes before the samples."""
    tags = _read_tags(_find_section_one(head))
    if not tags:
        return NO_FACTS
    return InsideFacts(
        tags.get(_PATIENT_ID, b"").rstrip(b"\0").decode("latin-1").strip(),
        "scp",
        _read_time(tags.get(_DATE, b""), tags.get(_TIME, b"")),
        {1: "M", 2: "F"}.get((tags.get(_SEX, b"") or b"\0")[0], ""),
        tags.get(_BIRTH, b"").hex(),
    )


def _find_section_one(head: bytes) -> bytes:
    if len(head) < 6 + _SECTION_HEAD + 10:
        return b""
    (pointer_bytes,) = struct.unpack_from("<I", head, 6 + 4)
    for entry in range(6 + _SECTION_HEAD, min(6 + pointer_bytes, len(head)) - 9, 10):
        number, size, start = struct.unpack_from("<HII", head, entry)
        if number == 1 and size > _SECTION_HEAD and start > 0:
            return head[start - 1 + _SECTION_HEAD : start - 1 + size]
    return b""


def _read_tags(body: bytes) -> dict[int, bytes]:
    tags: dict[int, bytes] = {}
    at = 0
    while at + 3 <= len(body) and body[at] != _END:
        (length,) = struct.unpack_from("<H", body, at + 1)
        tags.setdefault(body[at], body[at + 3 : at + 3 + length])
        at += 3 + length
    return tags


def _read_time(date: bytes, time: bytes) -> datetime | None:
    if len(date) < 4:
        return None
    year, month, day = struct.unpack_from("<HBB", date)
    hour, minute, second = time[:3] if len(time) >= 3 else (0, 0, 0)
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
