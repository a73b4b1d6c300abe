"""Cells of a phenotype table as text → numbers, with what could not be understood."""

import math
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.io.phenotypes.units import find_unit_factor
from ptacl_core.records import Finding

MAX_ID_LENGTH = 64
MISSING = {"", "na", "n/a", "nan", "null", "none", ".", "-", "<na>", "missing"}
_NUMBER_AND_UNIT = re.compile(r"([-+]?[\d.,]*\d(?:[eE][-+]?\d+)?)\s*([^\d\s.,].*)")
_BOUND = re.compile(r"[<>≤≥]=?\s*[-+]?[\d.,]+\s*\S*")
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,(?:\d{1,2}|\d{4,})(?!\d)")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
_POINT_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+,\d+")


def parse_numbers(
    cells: Sequence[str], quantity: str, has_decimal_comma: bool, findings: list[Finding]
) -> Float64[Array, " row"]:
    """Numbers in our unit, NaN for empty cells and for text, which is counted in findings.

    A unit behind the number ("60 %", "150 mL") is read when it is one of the quantity; bounds
    ("<20") are not values (`bounds_not_numbers`). A comma is the decimal mark where the table's
    delimiter is another (`has_decimal_comma`), or where the column cannot be read otherwise; in
    a column that could be read both ways such cells are not numbers.
    """
    texts = [cell.strip() for cell in cells]
    comma = _find_comma(texts, has_decimal_comma)
    num_bad = num_bounds = 0
    values = np.full(len(texts), math.nan)
    for index, text in enumerate(texts):
        if text.lower() in MISSING:
            continue
        number = _read_cell(text, quantity, comma)
        if number is not None:
            values[index] = number
        elif _BOUND.fullmatch(text):
            num_bounds += 1
        else:
            num_bad += 1
    if num_bounds:
        message = f"{quantity}: {num_bounds} cells give a bound, not a value, and were left out"
        findings.append(Finding("bounds_not_numbers", "warning", message))
    if num_bad:
        findings.append(
            Finding("not_numbers", "warning", f"{quantity}: {num_bad} cells are not finite numbers")
        )
    return values


def _find_comma(texts: Sequence[str], has_decimal_comma: bool) -> str:
    """What a comma in the column is: "decimal", "thousands" or "unclear"."""
    with_comma = [text for text in texts if "," in text]
    if not with_comma:
        return "decimal"
    if has_decimal_comma or any(_DECIMAL_COMMA.match(text) for text in with_comma):
        return "decimal"
    has_thousands = any("." in text or text.count(",") > 1 for text in with_comma)
    return "thousands" if has_thousands else "unclear"


def _read_cell(text: str, quantity: str, comma: str) -> float | None:
    number = _number(text, comma)
    if number is not None:
        return number
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        return None
    factor = find_unit_factor(quantity, match[2])
    number = _number(match[1], comma)
    return None if factor is None or number is None else number * factor


def _number(text: str, comma: str) -> float | None:
    if "_" in text:  # Python reads 1_000, tables do not mean it
        return None
    if "," in text:
        if comma == "decimal" and _POINT_THOUSANDS.fullmatch(text):
            text = text.replace(".", "").replace(",", ".")
        elif comma == "decimal":
            text = text.replace(",", ".")
        elif comma == "thousands" and _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        else:
            return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_ROUNDED_ID = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d{1,2}")
"""A long number as spreadsheets write it (`9.00E+06`): its last digits are lost."""


def find_text_fault(subject: str) -> str | None:
    """Why a subject cannot be used as an identifier; None when it can."""
    if _ROUNDED_ID.fullmatch(subject) and any(character in subject for character in ".,+"):
        return "rounded"
    if not subject or subject.lower() in {"nan", "na", "none", "null"}:
        return "empty"
    if len(subject) > MAX_ID_LENGTH:
        return "too long"
    if any(unicodedata.category(character)[0] == "C" for character in subject):
        return "control characters"
    return None
