"""Sex, age, height and weight as recordings state them → a Person; what cannot be is left out."""

import math
import re
from typing import Any
from xml.etree.ElementTree import Element

from ptacl_core.records import Person

_SEXES = {"f": "F", "female": "F", "w": "F", "2": "F", "m": "M", "male": "M", "1": "M"}
"""Words and ISO 5218 codes, which SCP-ECG, ISHNE and MFER use."""
_YEARS = {"y": 1.0, "year": 1.0, "years": 1.0, "": 1.0, "m": 1 / 12, "month": 1 / 12}
_YEARS |= {"months": 1 / 12, "w": 7 / 365.25, "week": 7 / 365.25, "weeks": 7 / 365.25}
_YEARS |= {"d": 1 / 365.25, "day": 1 / 365.25, "days": 1 / 365.25}
_CENTIMETRES = {"cm": 1.0, "": 1.0, "m": 100.0, "mm": 0.1, "in": 2.54, "inch": 2.54, "inches": 2.54}
_KILOGRAMS = {"kg": 1.0, "": 1.0, "g": 0.001, "lb": 0.45359237, "lbs": 0.45359237, "oz": 0.02834952}
_AGE_STRING = re.compile(r"(\d{1,3})([DWMY])")
_COMMENT = re.compile(r"^#\s*<?(age|sex|gender)>?\s*:\s*(\w+)", re.IGNORECASE | re.MULTILINE)
_LAST_TAG = 255
_DAYS_PER_YEAR = 365.25
_LIMITS = {"age_years": (0.0, 120.0), "height_cm": (30.0, 260.0), "weight_kg": (1.0, 400.0)}


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


def _measure(value: Any, unit: str, factors: dict[str, float], name: str) -> float | None:
    factor = factors.get(unit.strip().lower().rstrip("."))
    try:
        number = float(str(value).strip().replace(",", ".")) * (factor or math.nan)
    except (TypeError, ValueError):
        return None
    low, high = _LIMITS[name]
    return number if low < number <= high else None


def _has(parent: Element | None, tag: str) -> bool:
    return parent is not None and parent.find(tag) is not None


def _text(parent: Element | None, tag: str) -> str:
    return (parent.findtext(tag) or "").strip() if parent is not None else ""
