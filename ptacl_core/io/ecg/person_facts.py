"""Sex, age, height and weight as recordings state them → a Person; what cannot be is left out."""

import math
import re
from typing import Any

from ptacl_core.records import Person

_SEXES = {"f": "F", "female": "F", "w": "F", "2": "F", "m": "M", "male": "M", "1": "M"}
"""Words and ISO 5218 codes, which SCP-ECG, ISHNE and MFER use."""
_YEARS = {"y": 1.0, "year": 1.0, "years": 1.0, "": 1.0, "m": 1 / 12, "month": 1 / 12}
_YEARS |= {"months": 1 / 12, "w": 7 / 365.25, "week": 7 / 365.25, "weeks": 7 / 365.25}
_YEARS |= {"d": 1 / 365.25, "day": 1 / 365.25, "days": 1 / 365.25}
_CENTIMETRES = {"cm": 1.0, "": 1.0, "m": 100.0, "mm": 0.1, "in": 2.54, "inch": 2.54, "inches": 2.54}
_KILOGRAMS = {"kg": 1.0, "": 1.0, "g": 0.001, "lb": 0.45359237, "lbs": 0.45359237, "oz": 0.02834952}
_AGE_STRING = re.compile(r"(\d{1,3})([DWMY])")
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


def parse_age_string(text: str) -> float | None:
    """Years of a DICOM age string (`057Y`, `018M`), None for anything else."""
    match = _AGE_STRING.fullmatch(text.strip().upper())
    return int(match[1]) * _YEARS[match[2].lower()] if match else None


def years_between(born: tuple[int, int, int], seen: tuple[int, int, int]) -> float | None:
    """Years from one (year, month, day) to another, None when either is no date."""
    import datetime

    try:
        days = (datetime.date(*seen) - datetime.date(*born)).days
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
