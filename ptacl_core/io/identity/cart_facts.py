"""Identifier, time, sex and birth date in Schiller, ELI and GE MAC XML, in ISHNE, MFER and MRD."""

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts
from ptacl_core.io.identity.xml_text import find_attribute, find_opening, find_text, to_time

_STAMPS = ("%Y%m%d %H%M%S", "%Y-%m-%d %H:%M:%S", "%Y%m%d %H:%M:%S", "%Y-%m-%d", "%Y%m%d")
_ISHNE_HEADER_BYTES = 156
_MFER_END, _MFER_PATIENT, _MFER_SEX, _MFER_TIME = 0x80, 0x82, 0x84, 0x85
_MFER_BYTE_ORDER, _MFER_WAVE, _MFER_CHANNEL, _MAX_MFER_FIELDS = 0x01, 0x1E, 0x3F, 200


def read_schiller(text: str) -> tuple[InsideFacts, bool]:
    """SEMA's `patdata` (id, gender, birthdate) and the `startdatetime` of the examination."""
    person = _between(text, "patdata")
    start = _between(text, "startdatetime") or ""
    stamp = f"{find_text(start, 'date') or ''} {find_text(start, 'time') or ''}"
    if person is None:
        return InsideFacts("", "schiller", to_time(stamp, _STAMPS)), False
    facts = InsideFacts(
        find_text(person, "id") or "",
        "schiller",
        to_time(stamp, _STAMPS),
        (find_text(person, "gender") or "")[:1].upper(),
        (find_text(person, "birthdate") or "")[:8],
    )
    return facts, True


def read_eli(text: str) -> tuple[InsideFacts, bool]:
    """The attributes of a Mortara file's SUBJECT, and ACQUISITION_TIME of its root."""
    subject, root = find_opening(text, "SUBJECT"), find_opening(text, "ECG")
    stamp = re.sub(r"[T ]", "", find_attribute(root, "ACQUISITION_TIME")).partition(".")[0]
    facts = InsideFacts(
        find_attribute(subject, "ID"),
        "eli",
        to_time(stamp, ("%Y%m%d%H%M%S", "%Y-%m-%d%H:%M:%S", "%Y%m%d%H%M", "%Y%m%d")),
        find_attribute(subject, "GENDER")[:1].upper(),
        find_attribute(subject, "DOB") or find_attribute(subject, "BIRTH_DATE"),
    )
    return facts, bool(subject)


def read_ge_mac(text: str) -> tuple[InsideFacts, bool]:
    """`patientInfo` of a GE MAC file: each value stands in the attribute V of its element."""
    person = _between(text, "patientInfo")
    if person is None:
        return NO_FACTS, False
    inside = _between(person, "identifier") or person
    acquired = find_attribute(find_opening(text, "acquisitionDateTime"), "V")
    stamp = re.sub(r"[T ]", "", acquired).partition(".")[0][:19]
    facts = InsideFacts(
        find_attribute(find_opening(inside, "id"), "V")
        or find_attribute(find_opening(person, "PID"), "V"),
        "ge_mac",
        to_time(stamp, ("%Y-%m-%d%H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d", "%Y%m%d")),
        find_attribute(find_opening(person, "gender"), "V")[:1].upper(),
        find_attribute(find_opening(person, "birthDateTime"), "V")[:10].replace("-", "")[:8],
    )
    return facts, True


def read_ishne_facts(head: bytes) -> InsideFacts:
    """ID, sex, birth date and start in the fixed header of an ISHNE file."""
    if len(head) < _ISHNE_HEADER_BYTES:
        return NO_FACTS
    identifier = head[108:128].partition(b"\0")[0].decode("latin-1").strip()
    (sex,) = struct.unpack_from("<h", head, 128)
    born, day, clock = (struct.unpack_from("<3h", head, at) for at in (132, 138, 150))
    birth = f"{born[2]:04d}{born[1]:02d}{born[0]:02d}" if min(born) > 0 else ""
    start = _to_moment(day[2], day[1], day[0], *clock)
    return InsideFacts(identifier, "ishne", start, {1: "M", 2: "F"}.get(sex, ""), birth)


def read_mfer_facts(head: bytes) -> InsideFacts:
    """Patient (tag 82h), sex (84h) and time (85h) before the first waveform of an MFER file."""
    fields = dict(_mfer_fields(head))
    identifier = fields.get(_MFER_PATIENT, b"").partition(b"\0")[0].decode("latin-1").strip()
    sex = {1: "M", 2: "F"}.get((fields.get(_MFER_SEX) or b"\0")[0], "")
    stamp, start = fields.get(_MFER_TIME, b""), None
    if len(stamp) >= 7:
        is_little = fields.get(_MFER_BYTE_ORDER) == b"\x01"
        year = int.from_bytes(stamp[:2], "little" if is_little else "big")
        start = _to_moment(year, *stamp[2:7])
    return InsideFacts(identifier, "mfer", start, sex)


def read_mrd_facts(path: Path) -> InsideFacts:
    """`subjectInformation` and the study's start in the XML header of an ISMRMRD file."""
    import h5py

    with library_faults(shown_name(path), "ISMRMRD file"), h5py.File(path, "r") as opened:
        file: Any = opened
        groups: list[Any] = [group for group in file.values() if isinstance(group, h5py.Group)]
        headers = [group["xml"][0] for group in groups if "xml" in group and group["xml"].size]
    if not headers:
        return NO_FACTS
    raw = headers[0]
    text = raw.decode("utf-8", errors="replace") if isinstance(raw, bytes) else str(raw)
    person = _between(text, "subjectInformation") or ""
    stamp = f"{find_text(text, 'studyDate') or ''} {find_text(text, 'studyTime') or ''}"
    return InsideFacts(
        find_text(person, "patientID") or "",
        "mrd",
        to_time(stamp.partition(".")[0], _STAMPS),
        (find_text(person, "patientGender") or "")[:1].upper(),
        find_text(person, "patientBirthdate") or "",
    )


def _mfer_fields(head: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, value) of the fields that are whole in `head`, up to the first waveform or channel."""
    at = 0
    for _ in range(_MAX_MFER_FIELDS):
        if at + 2 > len(head) or head[at] in (_MFER_END, _MFER_WAVE, _MFER_CHANNEL):
            return
        tag, length, at = head[at], head[at + 1], at + 2
        if length & 0x80:
            width = length & 0x7F
            length, at = int.from_bytes(head[at : at + width], "big"), at + width
        if at + length > len(head):
            return
        yield tag, head[at : at + length]
        at += length


def _between(text: str, name: str) -> str | None:
    """What stands inside the first element of a name; None without one."""
    pattern = rf"<(?:[\w.\-]+:)?{name}(?:\s[^>]*)?>(.*?)</(?:[\w.\-]+:)?{name}\s*>"
    match = re.search(pattern, text, re.DOTALL)
    return match[1] if match is not None else None


def _to_moment(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> datetime | None:
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
