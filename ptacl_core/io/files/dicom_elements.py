"""A few elements of a DICOM file by walking over its tags; nothing else is parsed.

Parsing a thousand headers element by element into objects takes most of the time that reading a
cine takes; here an element that is not wanted costs one step. What is not plain (big endian,
other character sets, damage) is left to the full parser.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)
_NUMBER_CODES = {b"US": "<H", b"SS": "<h", b"UL": "<I", b"SL": "<i", b"FL": "<f", b"FD": "<d"}
_IMPLICIT = "1.2.840.10008.1.2"
_EXPLICIT = "1.2.840.10008.1.2.1"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"
_TRANSFER_SYNTAX = 0x00020010
_CHARACTER_SET = 0x00080005
_PIXELS = 0x7FE00010
_MAX_DEPTH = 16
_TAG_AND_VR = struct.Struct("<HH2sH")
_TAG_AND_LENGTH = struct.Struct("<HHI")


class NotPlainError(Exception):
    """The header needs the full parser (or is damaged, which that one tells in words)."""


class HeaderEndsError(NotPlainError):
    """The bytes end before the pixels: more of the file is needed."""


@dataclass(frozen=True, slots=True)
class _Place:
    vr: bytes
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixels lie, under the names that the full parser gives them."""

    length: int
    value_tell: int


class PlainHeader:
    """Wanted elements by name, with the calls of pydicom's Dataset that the readers use."""

    def __init__(self, syntax: str, values: Mapping[str, Any], pixels: PixelElement | None):
        self.syntax = syntax
        self._values = values
        self._pixels = pixels

    def get(self, name: str, default: Any = None) -> Any:
        """The element's text or number, a list of several; `default` when it is absent."""
        return self._values.get(name, default)

    def get_item(self, name: str, *, keep_deferred: bool) -> PixelElement | None:  # noqa: ARG002
        """Where the pixels lie."""
        return self._pixels if name == "PixelData" else None

    def __contains__(self, name: str) -> bool:
        return name in self._values or (name == "PixelData" and self._pixels is not None)


def read_plain_header(
    data: bytes | memoryview, *, wanted: Mapping[int, str], implicit_vrs: Mapping[int, bytes]
) -> PlainHeader:
    """The elements `wanted` (tag → name) of the file that starts with `data`, up to its pixels.

    `implicit_vrs` gives the value representation of those that are numbers in files that do not
    name it; others are text. Raises HeaderEndsError when `data` ends before the pixels do begin,
    NotPlainError for a header that the full parser has to read.
    """
    data = bytes(data) if isinstance(data, memoryview) else data
    at = 132 if data[128:132] == b"DICM" else 0
    try:
        meta, at = _walk(data, at, {_TRANSFER_SYNTAX}, is_explicit=True, stop_group=0x0002)
        syntax = _text(data, meta[_TRANSFER_SYNTAX]) if _TRANSFER_SYNTAX in meta else ""
        syntax = syntax or _bare_syntax(data, at)
        is_explicit = syntax != _IMPLICIT
        if syntax == _EXPLICIT_BIG:
            raise NotPlainError
        tags = {*wanted, _CHARACTER_SET, _PIXELS}
        places, _ = _walk(data, at, tags, is_explicit=is_explicit, stop_group=None)
    except (struct.error, IndexError) as error:
        raise HeaderEndsError from error
    has_charset = _CHARACTER_SET in places
    pixels = places.pop(_PIXELS, None)
    values: dict[str, str | list[str] | int | float] = {}
    for tag, name in wanted.items():
        place = places.get(tag)
        if place is None:
            continue
        if place.vr == b"SQ" or (place.length == _UNDEFINED):
            raise NotPlainError
        code = _NUMBER_CODES.get(place.vr or implicit_vrs.get(tag, b""))
        if code is not None:
            values[name] = _number(data, place, code)
            continue
        text = _text(data, place)
        if has_charset and not text.isascii():
            raise NotPlainError
        values[name] = text.split("\\") if "\\" in text else text
    element = PixelElement(pixels.length, pixels.start) if pixels is not None else None
    return PlainHeader(syntax, values, element)


def find_transfer_syntax(head: bytes) -> str:
    """The transfer syntax of a file that starts with `head`: as stated, else as its bytes show."""
    at = 132 if head[128:132] == b"DICM" else 0
    try:
        meta, at = _walk(head, at, {_TRANSFER_SYNTAX}, is_explicit=True, stop_group=0x0002)
    except (struct.error, NotPlainError):
        return ""
    stated = _text(head, meta[_TRANSFER_SYNTAX]) if _TRANSFER_SYNTAX in meta else ""
    return stated or _bare_syntax(head, at)


def _bare_syntax(data: bytes, at: int) -> str:
    """Explicit or implicit little endian, by whether the element at `at` names its kind."""
    return _EXPLICIT if data[at + 4 : at + 6].isalpha() else _IMPLICIT


def _walk(
    data: bytes, at: int, tags: set[int], *, is_explicit: bool, stop_group: int | None
) -> tuple[dict[int, _Place], int]:
    """Places of `tags` from byte `at`; ends after group `stop_group`, or at the pixels."""
    elements: dict[int, _Place] = {}
    size = len(data)
    last = -1
    while at < size:
        if is_explicit:
            group, element, vr, length = _TAG_AND_VR.unpack_from(data, at)
            if stop_group is not None and group != stop_group:
                return elements, at
            start = at + 8
            if vr in _LONG_VRS:
                (length,) = struct.unpack_from("<I", data, start)
                start += 4
            elif not vr.isalpha() or not vr.isupper():
                raise NotPlainError
        else:
            group, element, length = _TAG_AND_LENGTH.unpack_from(data, at)
            vr, start = b"", at + 8
        tag = group << 16 | element
        if tag <= last:  # out of order: damaged, or not what it was taken for
            raise NotPlainError
        last = tag
        if tag in tags:
            elements[tag] = _Place(vr, start, length)
        if tag == _PIXELS:
            return elements, at
        if length == _UNDEFINED:
            at = _skip_sequence(data, start, is_explicit=is_explicit and vr != b"UN", depth=0)
        else:
            at = start + length
        if at > size:
            raise HeaderEndsError
    return elements, at


def _skip_sequence(data: bytes, at: int, *, is_explicit: bool, depth: int) -> int:
    """The byte after a sequence of undefined length that starts at `at`."""
    if depth > _MAX_DEPTH:
        raise NotPlainError
    while True:
        group, element, length = _TAG_AND_LENGTH.unpack_from(data, at)
        tag, at = group << 16 | element, at + 8
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise NotPlainError
        if length != _UNDEFINED:
            at += length
            continue
        while True:
            group, element, length = _TAG_AND_LENGTH.unpack_from(data, at)
            tag = group << 16 | element
            if tag == _ITEM_END:
                at += 8
                break
            start = at + 8
            vr = data[at + 4 : at + 6] if is_explicit else b""
            if is_explicit:
                (length,) = struct.unpack_from("<H", data, at + 6)
                if vr in _LONG_VRS:
                    (length,) = struct.unpack_from("<I", data, at + 8)
                    start += 4
            if length == _UNDEFINED:
                inner = is_explicit and vr != b"UN"
                at = _skip_sequence(data, start, is_explicit=inner, depth=depth + 1)
            else:
                at = start + length


def _text(data: bytes, place: _Place) -> str:
    if place.start + place.length > len(data):
        raise HeaderEndsError
    return data[place.start : place.start + place.length].decode("latin-1").strip("\0 ")


def _number(data: bytes, place: _Place, code: str) -> Any:
    size = struct.calcsize(code)
    if place.length < size:
        return None
    values = [
        struct.unpack_from(code, data, place.start + at)[0]
        for at in range(0, place.length - size + 1, size)
    ]
    return values[0] if len(values) == 1 else values
