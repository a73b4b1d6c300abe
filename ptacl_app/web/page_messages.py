"""What a page may say to its app: keys, its size, what it has drawn. All of it is checked.

Each message is a JSON array of a word and at most one value. A page of ours never sends anything
else, so what does not fit ends the connection.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from ptacl_app.terminal.page import MAX_CELL_PX, MAX_COLUMNS, MAX_ROWS
from ptacl_core.errors import ConfigError

MAX_MESSAGE_BYTES = 2**20
"""A text that is pasted goes in one message."""
MAX_NUMBER = 2**53
DEFAULT_COLUMNS, DEFAULT_ROWS = 120, 36


@dataclass(frozen=True, slots=True)
class PageSize:
    """Cells of the page's terminal, and pixels of the screen in one; (0, 0): it shows no pixels."""

    columns: int = DEFAULT_COLUMNS
    rows: int = DEFAULT_ROWS
    cell_px: tuple[int, int] = (0, 0)

    @property
    def has_pixels(self) -> bool:
        """The page can lay pictures over its cells."""
        return self.cell_px != (0, 0)

    def write_report(self) -> bytes:
        """The size as a terminal reports it by itself (mode 2048): rows, columns, then pixels."""
        width_px, height_px = self.columns * self.cell_px[0], self.rows * self.cell_px[1]
        return b"\x1b[48;%d;%d;%d;%dt" % (self.rows, self.columns, height_px, width_px)


@dataclass(frozen=True, slots=True)
class Typed:
    """Keys, mouse or a paste, as a terminal sends them."""

    text: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """The page has drawn everything up to this write."""

    number: int


@dataclass(frozen=True, slots=True)
class Focused:
    """The page got the keyboard, or lost it."""

    has_focus: bool


PageMessage = PageSize | Typed | Drawn | Focused


def read_message(text: str) -> PageMessage:
    """Raises ConfigError for anything that our page does not send."""
    try:
        message: object = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        raise ConfigError("page: expected JSON") from None
    match message:
        case ["stdin", str() as typed] if _is_sendable(typed):
            return Typed(typed)
        case ["resize", {**fields}]:
            return _read_size(fields)
        case ["drawn", number] if _is_within(number, 0, MAX_NUMBER):
            return Drawn(number)
        case ["focus"]:
            return Focused(True)
        case ["blur"]:
            return Focused(False)
        case _:
            pass
    raise ConfigError("page: expected stdin, resize, drawn, focus or blur with its value")


def read_query(query: Mapping[str, str]) -> PageSize:
    """The size in the address that a page opens its socket with; without one the default.

    Raises ConfigError.
    """
    names = ("width", "height", "cell_width", "cell_height")
    given = {name: query[name] for name in names if name in query}
    if not all(value.isascii() and value.isdigit() and len(value) <= 4 for value in given.values()):
        raise ConfigError("page: expected a size in digits")
    return _read_size({name: int(value) for name, value in given.items()})


def _read_size(fields: Mapping[str, object]) -> PageSize:
    columns, rows = fields.get("width", DEFAULT_COLUMNS), fields.get("height", DEFAULT_ROWS)
    width_px, height_px = fields.get("cell_width", 0), fields.get("cell_height", 0)
    if not _is_within(columns, 1, MAX_COLUMNS) or not _is_within(rows, 1, MAX_ROWS):
        raise ConfigError(f"page: expected 1 to {MAX_COLUMNS} columns and 1 to {MAX_ROWS} rows")
    if not _is_within(width_px, 0, MAX_CELL_PX) or not _is_within(height_px, 0, MAX_CELL_PX):
        raise ConfigError(f"page: expected cells of 1 to {MAX_CELL_PX} pixels")
    has_pixels = width_px > 0 and height_px > 0
    return PageSize(columns, rows, (width_px, height_px) if has_pixels else (0, 0))


def _is_within(value: object, low: int, high: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_sendable(text: str) -> bool:
    """Half of a surrogate pair is in JSON, but in no text."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
