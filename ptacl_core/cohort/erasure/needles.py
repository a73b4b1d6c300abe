"""What a search looks for: bytes of a person in all the ways in which files spell them.

A search for many people is one pass: places where a needle may stand are found by three bytes
of it, with one table for all needles, and only there the bytes are compared.
"""

import base64
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.cohort.identity.spellings import canonical_identifier

_SHORT_TEXT = 8
_LEAST_DIGITS = 5
"""Shorter numbers stand in every file: they are looked for as words, not as numbers."""
_MIN_ARRAY_BYTES = 16
_FEW_NEEDLES = 24
_LETTERS = rb"[A-Za-z0-9]"
_NUMBER_BEFORE = rb"(?<![0-9])(?<![0-9]\.)"
_NUMBER_AFTER = rb"(?![0-9])(?!\.0*[1-9])(?![eE][+-]?[0-9])"


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes to look for, and how they come from what was asked (no identifier in it).

    `needs_boundary`: not between other letters or digits; `is_number`: not inside a longer
    number, zeros before it and `.0` behind it allowed.
    """

    data: bytes
    encoding: str
    needs_boundary: bool = False
    is_number: bool = False


def text_needles(text: str) -> list[Needle]:
    """The ways in which `text` may stand in a file.

    Short text is looked for between other characters than letters and digits only, or every
    file would hold it; a number is looked for as a number, in any of its spellings.
    """
    given, digits = text.strip(), canonical_identifier(text)
    is_number = digits.isdecimal() and len(digits) >= _LEAST_DIGITS
    needles = [Needle(digits.encode(), "utf-8", is_number=True)] if is_number else []
    if given != digits or not is_number:
        is_short = len(given.encode()) < _SHORT_TEXT
        needles.append(Needle(given.encode(), "utf-8", is_short))
    for plain in dict.fromkeys((digits, given) if is_number else (given,)):
        is_short = len(plain.encode()) < _SHORT_TEXT and not is_number
        needles.append(Needle(plain.encode("utf-16-le"), "utf-16-le", is_short))
        needles.append(Needle(plain.encode("utf-16-be"), "utf-16-be", is_short))
        if not is_short:
            needles.append(Needle(plain.encode().hex().encode(), "hex"))
            needles.append(Needle(plain.encode().hex().upper().encode(), "hex"))
            needles.extend(Needle(part, "base64") for part in _base64_cores(plain.encode()))
    return needles


def binary_needle(data: bytes) -> Needle:
    """A piece of an array, at least 16 bytes so that chance does not find it."""
    if len(data) < _MIN_ARRAY_BYTES:
        raise ValueError(f"a needle needs at least {_MIN_ARRAY_BYTES} bytes, got {len(data)}")
    return Needle(data, "array")


def number_of(text: str) -> int | None:
    """The whole number that an identifier is, for files that hold identifiers as integers."""
    digits = canonical_identifier(text)
    is_telling = digits.isdecimal() and _LEAST_DIGITS <= len(digits) <= 18
    return int(digits) if is_telling else None


class NeedleFinder:
    """Finds which encodings of some needles stand in bytes."""

    def __init__(self, needles: Sequence[Needle]) -> None:
        self.overlap = max((len(needle.data) for needle in needles), default=1) + 32
        self._needles = tuple(needles)
        self._by_code: dict[int, list[tuple[Needle, int]]] = defaultdict(list)
        self._table = None
        if len(needles) > _FEW_NEEDLES:
            self._table = np.zeros(1 << 24, bool)
            for needle in needles:
                at = _most_telling_place(needle.data)
                code = int.from_bytes(needle.data[at : at + 3], "little")
                self._table[code] = True
                self._by_code[code].append((needle, at))

    def find(self, window: bytes, start: int = 0, stop: int | None = None) -> set[str]:
        """Encodings of the needles that stand in `window` between `start` and `stop`."""
        stop = len(window) if stop is None else stop
        if self._table is None:
            return {
                needle.encoding
                for needle in self._needles
                if stands_in(window, needle, start, stop)
            }
        needles_there: set[str] = set()
        codes = _three_byte_codes(window)
        for place in np.flatnonzero(self._table[codes]).tolist():
            for needle, at in self._by_code[int(codes[place])]:
                first = place - at
                end = first + len(needle.data)
                if first < start or end > stop or window[first:end] != needle.data:
                    continue
                around = window[max(0, first - 16) : end + 16]
                if needle.encoding not in needles_there and stands_in(around, needle):
                    needles_there.add(needle.encoding)
        return needles_there


def stands_in(window: bytes, needle: Needle, start: int = 0, stop: int | None = None) -> bool:
    """True when the needle stands in `window`, between `start` and `stop`.

    The boundaries that it needs may lie beyond them.
    """
    stop = len(window) if stop is None else stop
    if window.find(needle.data, start, stop) < 0:
        return False
    if needle.is_number:
        pattern = _NUMBER_BEFORE + rb"0*" + re.escape(needle.data) + _NUMBER_AFTER
    elif needle.needs_boundary:
        pattern = rb"(?<!%b)%b(?!%b)" % (_LETTERS, re.escape(needle.data), _LETTERS)
    else:
        return True
    matches = re.compile(pattern).finditer(window, start)
    return any(match.end() <= stop for match in matches)


def _three_byte_codes(window: bytes) -> Int64[Array, " place"]:
    values = np.frombuffer(window, np.uint8)
    if len(values) < 3:
        return np.empty(0, np.int64)
    codes = values[2:].astype(np.int32)
    codes <<= 8
    codes |= values[1:-1]
    codes <<= 8
    codes |= values[:-2]
    return codes


def _most_telling_place(data: bytes) -> int:
    """Where the three bytes stand that files hold least by chance: the most different ones."""
    places = range(max(1, len(data) - 2))
    return max(places, key=lambda at: (len(set(data[at : at + 3]) - {0, 255, 32}), -at))


def _base64_cores(data: bytes) -> list[bytes]:
    """The part of a base64 text that does not depend on its neighbours, at the 3 alignments."""
    cores = []
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + data)
        first = -(-lead * 4 // 3) + (1 if lead else 0)
        last = ((lead + len(data)) // 3) * 4
        cores.append(encoded[first:last])
    return [core for core in cores if len(core) >= _SHORT_TEXT]
