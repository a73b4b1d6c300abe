"""Cells of a phenotype table as text → numbers and sexes, with what could not be understood."""

import math
import unicodedata
from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.records import Finding

MAX_ID_LENGTH = 64
_MISSING = {"", "na", "n/a", "nan", "null", "none", ".", "-", "<na>", "missing"}
_FEMALE = {"f", "female", "w", "woman", "weiblich"}
_MALE = {"m", "male", "man", "männlich"}


def parse_numbers(
    cells: Sequence[str], quantity: str, has_decimal_comma: bool, findings: list[Finding]
) -> Float64[Array, " row"]:
    """Numbers, NaN for empty cells and for text, which is counted in a finding."""
    num_bad = 0
    values = np.full(len(cells), math.nan)
    for index, cell in enumerate(cells):
        text = cell.strip()
        if text.lower() in _MISSING:
            continue
        number = _number(text.replace(",", ".") if has_decimal_comma else text)
        if number is None:
            num_bad += 1
        else:
            values[index] = number
    if num_bad:
        findings.append(
            Finding("not_numbers", "warning", f"{quantity}: {num_bad} cells are no finite numbers")
        )
    return values


def parse_sexes(cells: Sequence[str], findings: list[Finding]) -> np.ndarray:
    """F, M or None for each cell: words, UK Biobank's 0/1, or ISO 5218's 1/2 when 2 occurs."""
    words = [cell.strip().lower().removesuffix(".0") for cell in cells]
    kinds = set(words) - _MISSING
    codes = {"1": "M", "2": "F"} if "2" in kinds else {"0": "F", "1": "M"}
    if kinds & {"0", "1", "2"}:
        said = "1 male, 2 female" if "2" in kinds else "0 female, 1 male"
        findings.append(Finding("sex_coded", "info", f"sex is coded in numbers, read as {said}"))
    known = dict.fromkeys(_FEMALE, "F") | dict.fromkeys(_MALE, "M") | codes
    result = np.array([known.get(word) for word in words], dtype=object)
    unknown = {"0", "9"} if "2" in kinds else set()
    num_bad = sum(word not in known and word not in _MISSING | unknown for word in words)
    if num_bad:
        findings.append(
            Finding("sex_unknown", "warning", f"sex: {num_bad} cells are neither female nor male")
        )
    return result


def find_text_fault(subject: str) -> str | None:
    """Why a subject cannot be used as an identifier; None when it can."""
    if not subject or subject.lower() in {"nan", "na", "none", "null"}:
        return "empty"
    if len(subject) > MAX_ID_LENGTH:
        return "too long"
    if any(unicodedata.category(character)[0] == "C" for character in subject):
        return "control characters"
    return None


def _number(text: str) -> float | None:
    if "_" in text:  # Python reads 1_000, tables do not mean it
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
