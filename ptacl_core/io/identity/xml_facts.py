"""Patient and time in the text of an ECG's XML, found without parsing its waveforms."""

import codecs
import re

from ptacl_core.io.identity.cart_facts import read_eli, read_ge_mac, read_schiller
from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts
from ptacl_core.io.identity.xml_text import find_attribute, find_opening, find_text, to_time

XML_CODINGS = {
    "cardiosoft_xml": "cardiosoft",
    "muse_xml": "muse",
    "philips_xml": "philips",
    "hl7_aecg": "aecg",
    "schiller_xml": "schiller",
    "eli_xml": "eli",
    "ge_mac_xml": "ge_mac",
}
_AECG_PERSON = re.compile(
    r"<(?:[\w.\-]+:)?trialSubject(?:\s[^>]*)?>.{0,2000}?<(?:[\w.\-]+:)?id\s([^>]*)>", re.DOTALL
)
_AECG_TIME = re.compile(
    r"<(?:[\w.\-]+:)?effectiveTime(?:\s[^>]*)?>.{0,400}?<(?:[\w.\-]+:)?(?:low|center)\s([^>]*)>",
    re.DOTALL,
)


def read_xml_facts(data: bytes, file_format: str) -> tuple[InsideFacts, bool]:
    """The facts in the first bytes `data`, and whether the place of the identifier has come."""
    text = _decode(data)
    reader = {
        "cardiosoft_xml": _read_cardiosoft,
        "muse_xml": _read_muse,
        "philips_xml": _read_philips,
        "hl7_aecg": _read_aecg,
        "schiller_xml": read_schiller,
        "eli_xml": read_eli,
        "ge_mac_xml": read_ge_mac,
    }.get(file_format)
    return reader(text) if reader is not None else (NO_FACTS, True)


def _read_cardiosoft(text: str) -> tuple[InsideFacts, bool]:
    identifier = find_text(text, "PID")
    parts = [find_text(text, name) or "" for name in ("Year", "Month", "Day", "Hour", "Minute")]
    sex = find_text(text, "Gender") or ""
    facts = InsideFacts(
        identifier or "",
        "cardiosoft",
        to_time(".".join(parts), ("%Y.%m.%d.%H.%M", "%Y.%m.%d..")),
        sex[:1].upper(),
        find_text(text, "DateOfBirth") or find_text(text, "BirthDateTime") or "",
    )
    return facts, identifier is not None


def _read_muse(text: str) -> tuple[InsideFacts, bool]:
    identifier = find_text(text, "PatientID")
    stamp = f"{find_text(text, 'AcquisitionDate') or ''} {find_text(text, 'AcquisitionTime') or ''}"
    facts = InsideFacts(
        identifier or "",
        "muse",
        to_time(stamp, ("%m-%d-%Y %H:%M:%S", "%m-%d-%Y %H:%M", "%m-%d-%Y", "%m/%d/%Y %H:%M:%S")),
        (find_text(text, "Gender") or "")[:1].upper(),
        find_text(text, "DateofBirth") or "",
    )
    return facts, identifier is not None


def _read_philips(text: str) -> tuple[InsideFacts, bool]:
    identifier = find_text(text, "patientid")
    opening = re.search(r"<(?:[\w.\-]+:)?dataacquisition\s([^>]*)>", text)
    stamp = ""
    if opening is not None:
        stamp = f"{find_attribute(opening[1], 'date')} {find_attribute(opening[1], 'time')}"
    facts = InsideFacts(
        identifier or "",
        "philips",
        to_time(stamp, ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")),
        (find_text(text, "sex") or "")[:1].upper(),
        find_text(text, "dateofbirth") or "",
    )
    return facts, identifier is not None


def _read_aecg(text: str) -> tuple[InsideFacts, bool]:
    person = _AECG_PERSON.search(text)
    time = _AECG_TIME.search(text)
    stamp = find_attribute(time[1], "value") if time is not None else ""
    facts = InsideFacts(
        find_attribute(person[1], "extension") if person is not None else "",
        "aecg",
        to_time(stamp.partition(".")[0], ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%d")),
        find_attribute(find_opening(text, "administrativeGenderCode"), "code"),
        find_attribute(find_opening(text, "birthTime"), "value"),
    )
    return facts, person is not None or "<series" in text


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
