"""Numbers written as text: samples in XML elements, single fields of headers."""

import math
import re

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnreadableFileError

_POWER_OF_TEN = re.compile(r"\d(?:[.,](?P<decimals>\d*))?e\+?(?P<exponent>\d{1,2})", re.IGNORECASE)
_GAP = re.compile(r",\s*,|^\s*,")
_BLOCK_CHARACTERS = 1 << 20


def parse_numbers(text: str, *, name: str, where: str) -> Array:
    """The numbers in `text`, separated by blanks or commas (a last comma may stand), in order.

    int64 when all are whole, else float64. Raises UnreadableFileError naming the place for an
    empty field, a word, an infinity or a number beyond 64 bits.
    """
    if _GAP.search(text) is not None:
        raise UnreadableFileError(f"{name}: an empty value among the samples of {where}")
    text = text.replace(",", " ")
    blocks: list[Array] = []
    start = 0
    while start < len(text):
        stop = min(start + _BLOCK_CHARACTERS, len(text))
        while stop < len(text) and not text[stop].isspace():
            stop += 1
        blocks.append(_parse_block(text[start:stop].split(), name=name, where=where))
        start = stop
    return np.concatenate(blocks) if blocks else np.empty(0, np.int64)


def _parse_block(words: list[str], *, name: str, where: str) -> Array:
    try:
        return np.array([int(word) for word in words], dtype=np.int64)
    except (ValueError, OverflowError):
        pass  # not all whole numbers: read again as decimals
    try:
        numbers = np.array([float(word) for word in words], dtype=np.float64)
    except ValueError:
        numbers = np.array([math.nan])
    if not np.isfinite(numbers).all():
        raise UnreadableFileError(
            f"{name}: expected numbers as the samples of {where}, found something else; the file "
            "is damaged"
        )
    return numbers


def parse_number(text: str | None) -> float | None:
    """The finite number that `text` holds, None for anything else ("", "Failed", "nan")."""
    try:
        number = float((text or "").strip())
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def parse_count(text: str | None) -> int | None:
    """The whole number from 0 that `text` holds, None for anything else."""
    word = (text or "").strip()
    return int(word) if re.fullmatch(r"[0-9]{1,12}", word) else None


def is_rounded_number(text: str) -> bool:
    """Whether a spreadsheet wrote a whole number in powers of ten and left out digits: 1.23E+06."""
    power_of_ten = _POWER_OF_TEN.fullmatch(text.strip())
    return power_of_ten is not None and len(power_of_ten["decimals"] or "") < int(
        power_of_ten["exponent"]
    )
