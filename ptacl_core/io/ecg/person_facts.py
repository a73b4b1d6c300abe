"""Sex, age, height and weight as recordings state them → a Person; what cannot be is left out."""

import math
import re
from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element

from ptacl_core.records import Person
from ptacl_core.records.limits import POSSIBLE_RANGES

_SEXES = {"f": "F", "female": "F", "w": "F", "2": "F", "m": "M", "male": "M", "1": "M"}
"""Words and ISO 5218 codes, which SCP-ECG, ISHNE and MFER use."""
_YEARS = {
    **dict.fromkeys(("y", "year", "years", ""), 1.0),
    **dict.fromkeys(("m", "month", "months"), 1 / 12),
    **dict.fromkeys(("w", "week", "weeks"), 7 / 365.25),
    **dict.fromkeys(("d", "day", "days"), 1 / 365.25),
}
_CENTIMETRES = {"cm": 1.0, "": 1.0, "m": 100.0, "mm": 0.1, "in": 2.54, "inch": 2.54, "inches": 2.54}
_KILOGRAMS = {"kg": 1.0, "": 1.0, "g": 0.001, "lb": 0.45359237, "lbs": 0.45359237, "oz": 0.02834952}
_AGE_STRING = re.compile(r"(\d{1,3})([DWMY])")
_COMMENT = re.compile(r"^#\s*<?(age|sex|gender)>?\s*:\s*(\w+)", re.IGNORECASE | re.MULTILINE)
_LAST_TAG = 255
_DAYS_PER_YEAR = 365.25


def build_person(
    *,
    sex: Any = None,
    age_years: Any = None,
    age_unit: str = "",
    height_cm: Any = None,
    height_unit: str = "",
    weight_kg: Any = None,
    weight_unit: str = "",
) -> Person:
    """A Person of what a file states, in whatever words and units; None for what it does not.

    Values outside human limits (age 0 and the 300 that stands for "over 89" too) are left out.
    """
    word = str(sex).strip().lower().removesuffix(".0") if sex is not None else ""
    return Person(
        sex=_SEXES.get(word),
        age_years=_measure(age_years, age_unit, _YEARS, "age_years"),
        height_cm=_measure(height_cm, height_unit, _CENTIMETRES, "height_cm"),
        weight_kg=_measure(weight_kg, weight_unit, _KILOGRAMS, "weight_kg"),
    )


def muse_person(root: Element) -> Person:
    """What a MUSE document's demographics state."""
    facts = root.find(".//PatientDemographics")
    inches, pounds = _text(facts, "HeightIN"), _text(facts, "WeightLBS")
    centimetres, kilograms = _text(facts, "HeightCM"), _text(facts, "WeightKG")
    return build_person(
        sex=_text(facts, "Gender"),
        age_years=_text(facts, "PatientAge"),
        age_unit=_text(facts, "AgeUnits"),
        height_cm=centimetres or inches,
        height_unit="cm" if centimetres else "in",
        weight_kg=kilograms or pounds,
        weight_unit="kg" if kilograms else "lb",
    )


def cardiosoft_person(root: Element) -> Person:
    """What a CardioSoft document states of its patient."""
    facts = root.find(".//PatientInfo")
    units = {
        name: (facts.find(name).get("units", "") if _has(facts, name) else "")  # pyright: ignore
        for name in ("Age", "Height", "Weight")
    }
    return build_person(
        sex=_text(facts, "Gender"),
        age_years=_text(facts, "Age"),
        age_unit=units["Age"],
        height_cm=_text(facts, "Height"),
        height_unit=units["Height"],
        weight_kg=_text(facts, "Weight"),
        weight_unit=units["Weight"],
    )


def dicom_person(dataset: Any) -> Person:
    """What a DICOM object states of its patient: height in m, weight in kg, age as a string."""
    return build_person(
        sex=dataset.get("PatientSex"),
        age_years=parse_age_string(str(dataset.get("PatientAge") or "")),
        height_cm=dataset.get("PatientSize"),
        height_unit="m",
        weight_kg=dataset.get("PatientWeight"),
    )


def scp_person(section: bytes | None) -> Person:
    """What section 1 of an SCP-ECG file states (EN 1064: tags 4, 6, 7 and 8)."""
    facts: dict[int, bytes] = {}
    at = 0
    while section and at + 3 <= len(section) and section[at] != _LAST_TAG:
        length = int.from_bytes(section[at + 1 : at + 3], "little")
        facts.setdefault(section[at], section[at + 3 : at + 3 + length])
        at += 3 + length

    def measure(tag: int, units: dict[int, str]) -> tuple[int | None, str]:
        value = facts.get(tag, b"")
        unit = units.get(value[2]) if len(value) == 3 else None
        return (int.from_bytes(value[:2], "little"), unit) if unit else (None, "")

    age, age_unit = measure(4, {1: "years", 2: "months", 3: "weeks", 4: "days"})
    height, height_unit = measure(6, {1: "cm", 2: "in", 3: "mm"})
    weight, weight_unit = measure(7, {1: "kg", 2: "g", 3: "lb", 4: "oz"})
    sex = facts.get(8, b"")
    return build_person(
        sex=sex[0] if len(sex) == 1 else None,
        age_years=age,
        age_unit=age_unit,
        height_cm=height,
        height_unit=height_unit,
        weight_kg=weight,
        weight_unit=weight_unit,
    )


def philips_person(root: Element) -> Person:
    """What a Philips document states of its patient; the age from the birth date where need be."""
    facts = root.find(".//generalpatientdata")
    acquired = root.find(".//dataacquisition")
    born = _text(facts, "age/dateofbirth")
    seen = acquired.get("date", "") if acquired is not None else ""
    height, height_unit = _first(facts, (("height/cm", "cm"), ("height/inch", "in")))
    weight, weight_unit = _first(facts, (("weight/kg", "kg"), ("weight/lb", "lb")))
    return build_person(
        sex=_text(facts, "sex"),
        age_years=_text(facts, "age/years") or _years(born, seen),
        height_cm=height,
        height_unit=height_unit,
        weight_kg=weight,
        weight_unit=weight_unit,
    )


def aecg_person(root: Element) -> Person:
    """Sex and age at the recording of an HL7 aECG's subject."""
    facts = root.find(".//subjectDemographicPerson")
    sex = facts.find("administrativeGenderCode") if facts is not None else None
    born = facts.find("birthTime") if facts is not None else None
    seen = root.find(".//effectiveTime/low")
    seen = root.find(".//effectiveTime/center") if seen is None else seen
    return build_person(
        sex=sex.get("code") if sex is not None else None,
        age_years=_years(
            *(
                date_text.get("value", "") if date_text is not None else ""
                for date_text in (born, seen)
            )
        ),
    )


def edf_person(head: bytes) -> Person:
    """Sex and age at the recording in the header of an EDF+ file; plain EDF states neither."""
    if head[192:196] not in (b"EDF+", b"BDF+"):
        return Person()
    words = head[8:88].decode("latin-1").split()
    begun = head[88:168].decode("latin-1").split()
    return build_person(
        sex=words[1] if len(words) > 1 else None,
        age_years=_years(words[2], begun[1]) if len(words) > 2 and len(begun) > 1 else None,
    )


def wfdb_person(header: bytes) -> Person:
    """Age and sex in the comments of a WFDB header (`# Age: 61`, `#Sex: Female`); no more."""
    text = header.decode("utf-8", errors="replace")
    facts = {match[1].lower(): match[2] for match in _COMMENT.finditer(text)}
    return build_person(sex=facts.get("sex", facts.get("gender")), age_years=facts.get("age"))


def parse_age_string(text: str) -> float | None:
    """Years of a DICOM age string (`057Y`, `018M`), None for anything else."""
    match = _AGE_STRING.fullmatch(text.strip().upper())
    return int(match[1]) * _YEARS[match[2].lower()] if match else None


def years_between(born: tuple[int, int, int], on_day: tuple[int, int, int]) -> float | None:
    """Years from one (year, month, day) to another, None when either is not a date."""
    import datetime

    try:
        days = (datetime.date(*on_day) - datetime.date(*born)).days
    except ValueError:
        return None
    return days / _DAYS_PER_YEAR if days > 0 else None


def _years(born: str, seen: str) -> float | None:
    """Years between two dates as text (`1950-01-02`, `19500102…`, `02-JAN-1950`)."""
    birth, recording = _read_date(born), _read_date(seen)
    return None if birth is None or recording is None else years_between(birth, recording)


def _read_date(text: str) -> tuple[int, int, int] | None:
    import datetime

    for form, length in (("%Y-%m-%d", 10), ("%Y%m%d", 8), ("%d-%b-%Y", 11)):
        try:
            date = datetime.datetime.strptime(text.strip()[:length].title(), form)
        except ValueError:
            continue
        return date.year, date.month, date.day
    return None


def _first(parent: Element | None, tags: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """The first of some elements that has text, and the unit that goes with it."""
    quantities = ((_text(parent, tag), unit) for tag, unit in tags)
    return next((quantity for quantity in quantities if quantity[0]), ("", ""))


def _measure(value: Any, unit: str, factors: dict[str, float], name: str) -> float | None:
    factor = factors.get(unit.strip().lower().rstrip("."))
    try:
        number = float(str(value).strip().replace(",", ".")) * (factor or math.nan)
    except (TypeError, ValueError):
        return None
    low, high = POSSIBLE_RANGES[name]
    return number if low <= number <= high else None


def _has(parent: Element | None, tag: str) -> bool:
    return parent is not None and parent.find(tag) is not None


def _text(parent: Element | None, tag: str) -> str:
    return (parent.findtext(tag) or "").strip() if parent is not None else ""
