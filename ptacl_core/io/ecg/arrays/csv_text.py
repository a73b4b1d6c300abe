"""The shape of a text table: encoding, separator, decimal mark, header line."""

import codecs
import re
from dataclasses import dataclass

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.ecg.arrays.time_columns import is_time_unit
from ptacl_core.io.ecg.voltage import find_millivolts

_SEPARATORS = ("\t", ";", ",", "|")
_NUMBER = re.compile(
    r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?|nan|na|null|", re.IGNORECASE
)
_MAX_UNIT_LINE_BYTES = 64 * 1024
_MAX_LINE_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class CsvText:
    """A text table: its first row, how it is written, and the bytes from the first row on.

    A second line that holds nothing but units is joined to the names: "I" over "mV" is "I [mV]".
    """

    first_row: tuple[str, ...]
    separator: str
    decimal_mark: str
    has_header: bool
    body: bytes
    rows_start: int

    @property
    def rows(self) -> memoryview:
        """The bytes after the header lines, or all of them without one (not copied)."""
        return memoryview(self.body)[self.rows_start :]


def split_csv(data: bytes, *, name: str) -> CsvText:
    """How the table in `data` is written; comment lines (#) above it are dropped.

    Raises UnsupportedFormatError when no separator or no second row is found.
    """
    body = _to_utf8(data)
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    body = _drop_comments(body)
    end = body.find(b"\n")
    first_line = body if end < 0 else body[:end]
    if len(first_line) > _MAX_LINE_BYTES:
        raise UnsupportedFormatError(f"{name}: the table's first line is longer than 64 MB")
    text = _decode_line(first_line)
    separator = next((mark for mark in _SEPARATORS[:2] if mark in text), None)
    separator = separator or next((mark for mark in _SEPARATORS[2:] if mark in text), None)
    if separator is None:
        separator = ","
        body = b"\n".join(b",".join(line.split()) for line in body.split(b"\n"))
        text = ",".join(text.split())
    first_row = tuple(_unquote(cell) for cell in text.split(separator))
    if len(first_row) < 2:
        raise UnsupportedFormatError(f"{name}: expected a table of columns, found one column")
    has_header = not all(_is_number(cell) for cell in first_row)
    start = _line_end(body, 0) if has_header else 0
    if has_header:
        second_line = _decode_line(body[start : _line_end(body, start)][:_MAX_UNIT_LINE_BYTES])
        units = [_unquote(cell) for cell in second_line.split(separator)]
        if len(units) == len(first_row) and _are_units(units):
            pairs = zip(first_row, units, strict=True)
            first_row = tuple(f"{name} [{unit}]" if unit else name for name, unit in pairs)
            start = _line_end(body, start)
    sample = body[start : start + 4096]
    decimal_mark = "," if separator != "," and b"," in sample and b"." not in sample else "."
    return CsvText(first_row, separator, decimal_mark, has_header, body, start)


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell.strip()) is not None


def _unquote(cell: str) -> str:
    return cell.strip().strip("\"'").strip()


def _are_units(cells: list[str]) -> bool:
    """Whether a row is units: a voltage somewhere, and nothing but voltages, times and blanks."""
    voltages = [find_millivolts(cell) is not None for cell in cells]
    others = [cell for cell, is_voltage in zip(cells, voltages, strict=True) if not is_voltage]
    return any(voltages) and all(not cell or is_time_unit(cell) for cell in others)


def _line_end(body: bytes, start: int) -> int:
    end = body.find(b"\n", start)
    return len(body) if end < 0 else end + 1


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _to_utf8(data: bytes) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace").encode()
    return data


def _drop_comments(body: bytes) -> bytes:
    start = 0
    while body[start : start + 1] in {b"#", b"\n", b" ", b"\t"}:
        if body[start : start + 1] == b"#":
            end = body.find(b"\n", start)
            start = len(body) if end < 0 else end + 1
        else:
            start += 1
    return body[start:]
