"""Numbers, units and untrusted text as the screens show them. Pure functions.

A predicted number starts with `~` and is followed by its interval; a measured one is bare.
Missing is `–`, never 0 and never blank.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.text.printable import clean_text

RESEARCH_USE_ONLY = "RESEARCH USE ONLY"
RESEARCH_USE_SENTENCE = (
    "Research use only. Predictions are estimates with intervals, not measurements, and must "
    "not guide care."
)
MISSING = "–"
PREDICTED = "~"

PHENOTYPE_LABELS: Mapping[str, str] = MappingProxyType(
    {name: name.split("_")[0].upper() for name in PHENOTYPE_NAMES}
)
"""`lvedv_ml` → `LVEDV`."""
_DECIMALS = MappingProxyType({"mL": 0, "%": 1, "L/min": 1, "g": 0, "ms": 0, "bpm": 0})


def safe(text: object, *, max_length: int = 200) -> str:
    """Text from files, stores and people, with nothing in it that a terminal would obey."""
    return clean_text(str(text), max_length=max_length)


def format_number(value: float | None, *, unit: str = "") -> str:
    """A number with the decimals of its unit, without the unit; missing values give `–`."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:.{_DECIMALS.get(unit, 1)}f}"


def format_quantity(value: float | None, unit: str) -> str:
    """A measured number with its unit: `148 mL`."""
    number = format_number(value, unit=unit)
    return number if number == MISSING else f"{number} {unit}"


def format_prediction(value: float | None, unit: str) -> str:
    """A predicted number with its unit: `~148 mL`."""
    quantity = format_quantity(value, unit)
    return quantity if quantity == MISSING else PREDICTED + quantity


def format_interval(low: float | None, high: float | None, unit: str) -> str:
    """An interval without its unit: `121–175`."""
    ends = [format_number(value, unit=unit) for value in (low, high)]
    return MISSING if MISSING in ends else f"{ends[0]}–{ends[1]}"


def format_change(value: float | None, unit: str) -> str:
    """A change with its sign and one decimal more than its unit's numbers, without the unit."""
    if value is None or not math.isfinite(value):
        return MISSING
    number = f"{abs(value):.{_DECIMALS.get(unit, 1) + 1}f}"
    return ("−" if value < 0 and float(number) else "+") + number


def format_signed(value: float) -> str:
    """A z-score or a difference in SDs with one decimal and its sign; none for nothing: `0.0`."""
    number = f"{abs(value):.1f}"
    return number if float(number) == 0 else ("−" if value < 0 else "+") + number


def format_similarity(value: float, *, spread: float) -> str:
    """A cosine with as many digits as tell its list apart: two, three from a spread of 0.02 on.

    A list whose similarities all but agree does not rank anything: `≈` says so.
    """
    if spread < 0.005:
        return f"≈{value:.1f}".replace("-", "−")
    return f"{value:.{3 if spread >= 0.02 else 2}f}".replace("-", "−")


def format_count(count: int) -> str:
    """A count in groups of three: `40 000`."""
    return f"{count:,}".replace(",", "\u202f")


def format_plural(count: int, noun: str) -> str:
    """A count with its noun: `1 patient`, `40 000 patients`."""
    return f"{format_count(count)} {noun}{'' if count == 1 else 's'}"


def format_sex_age(sex: str | None, age_years: float | None) -> str:
    """`F 61 y`, with what is known."""
    age = "" if age_years is None or not math.isfinite(age_years) else f"{age_years:.0f} y"
    return " ".join(part for part in (safe(sex or "", max_length=8), age) if part) or MISSING


def format_share(value: float | None) -> str:
    """A share as a percentage: 0.34 → `34 %`."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{100 * value:.0f} %"


def format_bytes(count: float) -> str:
    """A size in bytes with a binary unit."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError


def guard_cell(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula: such text gets a leading quote.

    Full-width signs count as signs, blanks before them do not hide them.
    """
    first = text.lstrip()[:1]
    return "'" + text if first in {"=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r"} else text
