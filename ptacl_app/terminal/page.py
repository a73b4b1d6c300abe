"""Pictures for the page around the app in a browser: uploaded once, laid over cells by number.

A protocol of our own between the app and `ptacl_app/web/pictures.js`. Each message is one operating
system command, `ESC ] 7770 ; JSON ST`, so that it keeps its place among the text around it. The
JSON is ASCII without control characters: nothing in it can end the message, and no text of a
terminal can be one, since the output guard lets no escape out of a widget.

The page answers nothing but the number of the last update that it has drawn (`note_written`).
"""

import base64
import json
from collections.abc import Iterable, Mapping

from ptacl_app.terminal.cell_owners import CellBlock

COMMAND = 7770
"""Of no terminal known to us; xterm.js leaves numbers that it does not know alone."""
MAX_KEPT_PX = 48 * 2**20
"""Pixels that one pane may keep in the page, four bytes each: a cine in a very large window."""
CELL_VARIABLE = "PTACL_PAGE_CELL"
"""Set by the server for its sessions: `WIDTHxHEIGHT` of a cell in pixels of the screen."""
MAX_CELL_PX = 200
MAX_COLUMNS, MAX_ROWS = 1000, 500
"""No window has more; a size beyond is not believed."""
DRIVER = "ptacl_app.terminal.page_driver:PageDriver"
"""What an app in a page is driven by, as Textual names it in its environment."""


def upload(picture: int, png: bytes, *, columns: int, rows: int) -> str:
    """Keep a PNG in the page under this number, to be shown over `columns`×`rows` cells."""
    payload = base64.standard_b64encode(png).decode("ascii")
    return _write(
        {"do": "upload", "picture": picture, "columns": columns, "rows": rows, "png": payload}
    )


def show(slot: int, picture: int, blocks: Iterable[CellBlock], *, label: str) -> str:
    """What is visible of a pane's picture, and what it shows in words; no blocks: nothing of it."""
    places = [
        [block.x, block.y, block.columns, block.rows, block.picture_column, block.picture_row]
        for block in blocks
    ]
    return _write({"do": "show", "slot": slot, "picture": picture, "label": label, "at": places})


def forget(picture: int) -> str:
    """Free a picture."""
    return _write({"do": "forget", "picture": picture})


def forget_all() -> str:
    """Free every picture and show none."""
    return _write({"do": "forget all"})


def note_written(number: int) -> str:
    """The end of a write: the page says which one it has drawn last."""
    return _write({"do": "drawn", "number": number})


def read_page_cell(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """A cell's size in pixels as the server was told by its page; None outside such a page."""
    width, _, height = environment.get(CELL_VARIABLE, "").partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        return None
    size = int(width), int(height)
    return size if all(1 <= side <= MAX_CELL_PX for side in size) else None


def _write(message: Mapping[str, object]) -> str:
    return f"\x1b]{COMMAND};{json.dumps(message, separators=(',', ':'))}\x1b\\"
