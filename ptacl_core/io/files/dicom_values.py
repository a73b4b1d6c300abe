"""Typed values of DICOM elements that may be absent, empty or damaged."""

import math
import re
from typing import TYPE_CHECKING

from ptacl_core.errors import UnreadableFileError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset as FullDataset

    from ptacl_core.io.files.dicom_elements import PlainHeader

    Dataset = FullDataset | PlainHeader


def read_text(dataset: "Dataset", name: str) -> str:
    """The element as text, several values joined by backslashes; empty where it is absent."""
    value = dataset.get(name, "")
    if value is None:
        return ""
    if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue":
        return "\\".join(str(part) for part in value)
    return str(value).strip()


def read_number(dataset: "Dataset | None", name: str) -> float | None:
    """A finite number, or None where the element is absent, empty or no number."""
    if dataset is None:
        return None
    try:
        value = float(dataset.get(name))
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def read_whole(dataset: "Dataset | None", name: str) -> int | None:
    """A whole number, or None where the element is absent, empty or no number."""
    value = read_number(dataset, name)
    return None if value is None else int(value)


def read_numbers(dataset: "Dataset | None", name: str, count: int) -> tuple[float, ...]:
    """Exactly `count` finite numbers, or UnreadableFileError that names the element."""
    try:
        values = tuple(float(part) for part in dataset.get(name))  # pyright: ignore
    except (TypeError, ValueError, OverflowError, AttributeError):
        values = ()
    if len(values) != count or not all(map(math.isfinite, values)):
        raise UnreadableFileError(f"a DICOM header lacks a usable {name} ({count} numbers)")
    return values


def read_clock_s(dataset: "Dataset", name: str) -> float | None:
    """A DICOM time (HHMMSS.ffffff) in seconds since midnight."""
    match = re.fullmatch(r"(\d{2})(\d{2})(\d{2}(?:\.\d{1,6})?)", read_text(dataset, name))
    if not match:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
