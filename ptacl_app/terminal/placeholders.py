"""Cells that stand for a piece of a picture: kitty's Unicode placeholders.

A cell is U+10EEEE with three combining marks: its row and column in the picture, and the slot.
The ink of the cell is the picture's number in 24 bits. One cell wide for every library, so
that text that lies over a picture hides it, and scrolling and resizing move it.

Kitty's protocol has the third mark for the highest byte of the picture's number. Numbers of
ours have the slot there, so that a picture's cells are known again even where somebody has
changed their colour: the greyed-out screen behind a dialog is one.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

PLACEHOLDER = "\U0010eeee"
MAX_CELLS = 297
"""Rows and columns that a picture can have."""
MAX_SLOT = 200

_RANGES = (
    (0x305, 1), (0x30D, 2), (0x310, 1), (0x312, 1), (0x33D, 3), (0x346, 1), (0x34A, 3), (0x350, 3),
    (0x357, 1), (0x35B, 1), (0x363, 13), (0x483, 5), (0x592, 4), (0x597, 3), (0x59C, 6), (0x5A8, 2),
    (0x5AB, 2), (0x5AF, 1), (0x5C4, 1), (0x610, 8), (0x657, 5), (0x65D, 2), (0x6D6, 7), (0x6DF, 4),
    (0x6E4, 1), (0x6E7, 2), (0x6EB, 2), (0x730, 1), (0x732, 2), (0x735, 2), (0x73A, 1), (0x73D, 1),
    (0x73F, 3), (0x743, 1), (0x745, 1), (0x747, 1), (0x749, 2), (0x7EB, 7), (0x7F3, 1), (0x816, 4),
    (0x81B, 9), (0x825, 3), (0x829, 5), (0x951, 1), (0x953, 2), (0xF82, 2), (0xF86, 2),
    (0x135D, 3), (0x17DD, 1), (0x193A, 1), (0x1A17, 1), (0x1A75, 8), (0x1B6B, 1), (0x1B6D, 7),
    (0x1CD0, 3), (0x1CDA, 2), (0x1CE0, 1), (0x1DC0, 2), (0x1DC3, 7), (0x1DCB, 2), (0x1DD1, 22),
    (0x1DFE, 1), (0x20D0, 2), (0x20D4, 4), (0x20DB, 2), (0x20E1, 1), (0x20E7, 1), (0x20E9, 1),
    (0x20F0, 1), (0x2CEF, 3), (0x2DE0, 32), (0xA66F, 1), (0xA67C, 2), (0xA6F0, 2), (0xA8E0, 18),
    (0xAAB0, 1), (0xAAB2, 2), (0xAAB7, 2), (0xAABE, 2), (0xAAC1, 1), (0xFE20, 7), (0x10A0F, 1),
    (0x10A38, 1), (0x1D185, 5), (0x1D1AA, 4), (0x1D242, 3),
)  # fmt: skip
"""Runs of the marks of combining class 230 that the protocol counts with (first, how many)."""
MARKS = "".join(chr(first + offset) for first, count in _RANGES for offset in range(count))
"""The mark of number n is `MARKS[n]`."""
_NUMBERS = {mark: number for number, mark in enumerate(MARKS)}
CELL_LENGTH = 4
"""Characters of a cell."""
_CELLS = re.compile(f"(?:{PLACEHOLDER}[{MARKS}]{{3}})+")


@dataclass(frozen=True, slots=True)
class PictureCells:
    """A run of cells of one row: which slot's picture, its row, and the columns in it."""

    slot: int
    row: int
    first_column: int
    count: int


@lru_cache(maxsize=4096)
def build_row(slot: int, row: int, *, first_column: int, count: int) -> str:
    """The text of a run of cells."""
    head, tail = PLACEHOLDER + MARKS[row], MARKS[slot]
    columns = MARKS[first_column : first_column + count]
    return "".join(head + column + tail for column in columns)


def read_row(text: str) -> PictureCells | None:
    """What a run of cells stands for; None when the text is not a run of ours."""
    if not text.startswith(PLACEHOLDER) or len(text) % CELL_LENGTH:
        return None
    try:
        row, column, slot = (_NUMBERS[mark] for mark in text[1:CELL_LENGTH])
    except KeyError:
        return None
    count = len(text) // CELL_LENGTH
    if text != build_row(slot, row, first_column=column, count=count):
        return None
    return PictureCells(slot, row, column, count)


def holds_only_cells(text: str) -> bool:
    """True when nothing but such cells and blanks is in the text."""
    return _CELLS.sub("", text).strip(" ") == ""


def split_runs(text: str) -> list[tuple[str, PictureCells | None]]:
    """Text in pieces: runs of cells of one row of one slot, and what lies between them.

    Neighbouring runs may have become one text on their way; the marks tell them apart.
    """
    pieces: list[tuple[str, PictureCells | None]] = []
    end = 0
    for match in _CELLS.finditer(text):
        if match.start() > end:
            pieces.append((text[end : match.start()], None))
        end = match.end()
        start = match.start()
        while start < end:
            run = _read_longest_run(text[start:end])
            pieces.append((text[start : start + run.count * CELL_LENGTH], run))
            start += run.count * CELL_LENGTH
    if end < len(text):
        pieces.append((text[end:], None))
    return pieces


def _read_longest_run(text: str) -> PictureCells:
    row, column, slot = (_NUMBERS[mark] for mark in text[1:CELL_LENGTH])
    longest = min(len(text) // CELL_LENGTH, MAX_CELLS - column)
    whole = build_row(slot, row, first_column=column, count=longest)
    if not text.startswith(whole):
        longest = next(
            n for n, pair in enumerate(zip(text, whole, strict=False)) if pair[0] != pair[1]
        )
        longest = max(longest // CELL_LENGTH, 1)
    return PictureCells(slot, row, column, longest)


def compute_image_id(slot: int, low_bits: int) -> int:
    """The picture's number in the terminal: the slot in the highest byte, 24 bits below."""
    return (slot << 24) | (low_bits & 0xFFFFFF)
