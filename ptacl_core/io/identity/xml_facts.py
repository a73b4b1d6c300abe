"""Patient and time in the text of an ECG's XML, found without parsing its waveforms."""

import codecs
import html
import re
from datetime import datetime

from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts

XML_CODINGS = {
    "cardiosoft_xml": "cardiosoft",
    "muse_xml": "muse",
    "philips_xml": "philips",
    "hl7_aecg": "aecg",
}
_TAG = r"<(?:[\w.\-]+:)?{name}(?:\s[^>]*)?>\s*(?:<!\[CDATA\[)?([^<\]]*)"
_AECG_PERSON = re.compile(
    r"<(?:[\w.\-]+:)?trialSubject(?:\s[^>]*)?>.{0,2000}?<(?:[\w.\-]+:)?id\s([^>]*)>", re.DOTALL
)
_AECG_TIME = re.compile(
    r"<(?:[\w.\-]+:)?effectiveTime(?:\s[^>]*)?>.{0,400}?<(?:[\w.\-]+:)?(?:low|center)\s([^>]*)>",
    re.DOTALL,
)
_ATTRIBUTE = r"{name}\s*=\s*[\"']([^\"']*)[\"']"


def read_xml_facts(data: bytes, file_format: str) -> tuple[InsideFacts, bool]:
    """The facts in the first bytes `data`, and whether the place of the identifier has come."""
    text = _decode(data)
    reader = {
        "cardiosoft_xml": _read_cardiosoft,
        "muse_xml": _read_muse,
        "philips_xml": _read_philips,
        "hl7_aecg": _read_aecg,
    }.get(file_format)
    return reader(text) if reader is not None else (NO_FACTS, True)


def _read_cardiosoft(text: str) -> tuple[InsideFacts, bool]:
    identifier = _find(text, "PID")
    parts = [_find(text, name) or "" for name in ("Year", "Month", "Day", "Hour", "Minute")]
    sex = _find(text, "Gender") or ""
    facts = InsideFacts(
        identifier or "",
        "cardiosoft",
        _to_time(".".join(parts), ("%Y.%m.%d.%H.%M", "%Y.%m.%d..")),
        sex[:1].upper(),
        _find(text, "DateOfBirth") or _find(text, "BirthDateTime") or "",
    )
    return facts, identifier is not None


def _read_muse(text: str) -> tuple[InsideFacts, bool]:
    identifier = _find(text, "PatientID")
    stamp = f"{_find(text, 'AcquisitionDate') or ''} {_find(text, 'AcquisitionTime') or ''}"
    facts = InsideFacts(
        identifier or "",
        "muse",
        _to_time(stamp, ("%m-%d-%Y %H:%M:%S", "%m-%d-%Y %H:%M", "%m-%d-%Y", "%m/%d/%Y %H:%M:%S")),
        (_find(text, "Gender") or "")[:1].upper(),
        _find(text, "DateofBirth") or "",
    )
    return facts, identifier is not None


def _read_philips(text: str) -> tuple[InsideFacts, bool]:
    identifier = _find(text, "patientid")
    opening = re.search(r"<(?:[\w.\-]+:)?dataacquisition\s([^>]*)>", text)
    stamp = ""
    if opening is not None:
        stamp = f"{_attribute(opening[1], 'date')} {_attribute(opening[1], 'time')}"
    facts = InsideFacts(
        identifier or "",
        "philips",
        _to_time(stamp, ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")),
        (_find(text, "sex") or "")[:1].upper(),
        _find(text, "dateofbirth") or "",
    )
    return facts, identifier is not None


def _read_aecg(text: str) -> tuple[InsideFacts, bool]:
    person = _AECG_PERSON.search(text)
    time = _AECG_TIME.search(text)
    stamp = _attribute(time[1], "value") if time is not None else ""
    facts = InsideFacts(
        _attribute(person[1], "extension") if person is not None else "",
        "aecg",
        _to_time(stamp.partition(".")[0], ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d")),
        _attribute(_opening(text, "administrativeGenderCode"), "code"),
        _attribute(_opening(text, "birthTime"), "value"),
    )
    return facts, person is not None or "<series" in text


def _opening(text: str, name: str) -> str:
    match = re.search(rf"<(?:[\w.\-]+:)?{name}\s([^>]*)>", text)
    return match[1] if match is not None else ""


def _find(text: str, name: str) -> str | None:
    match = re.search(_TAG.format(name=name), text)
    return html.unescape(match[1]).strip() if match is not None else None


def _attribute(attributes: str, name: str) -> str:
    match = re.search(rf"(?<![\w]){_ATTRIBUTE.format(name=name)}", attributes)
    return html.unescape(match[1]).strip() if match is not None else ""


def _to_time(text: str, patterns: tuple[str, ...]) -> datetime | None:
    for pattern in patterns:
        try:
            return datetime.strptime(text.strip(), pattern)
        except ValueError:
            continue
    return None


def _decode(data: bytes) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if data[:4] == b"<\0?\0":
        return data.decode("utf-16-le", errors="replace")
    declared = re.match(rb"<\?xml[^>]*encoding=[\"']([A-Za-z0-9._\-]+)", data)
    try:
        return data.decode(declared[1].decode() if declared else "utf-8", errors="replace")
    except LookupError:
        return data.decode("latin-1")
