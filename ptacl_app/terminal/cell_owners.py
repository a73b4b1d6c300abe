"""Which cells of the screen hold which piece of which picture, as text is written over them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ptacl_app.terminal.placeholders import PictureCells
from ptacl_core.arrays import Array, Bool, Int64

NOBODY = -1


@dataclass(frozen=True, slots=True)
class CellBlock:
    """A rectangle of cells on the screen, and where in its picture it begins."""

    x: int
    y: int
    columns: int
    rows: int
    picture_column: int
    picture_row: int


class CellOwners:
    """The screen as slots, and the version of its column that each cell was painted with."""

    def __init__(self) -> None:
        self._slots: Int64[Array, "row column"] = np.empty((0, 0), np.int64)
        self._rows = self._columns = self._versions = self._slots

    def fit(self, *, columns: int, rows: int) -> None:
        """Make sure that there is room; a larger screen starts without pictures there."""
        if rows <= self._slots.shape[0] and columns <= self._slots.shape[1]:
            return
        grow = (
            (0, max(rows - self._slots.shape[0], 0)),
            (0, max(columns - self._slots.shape[1], 0)),
        )
        self._slots = np.pad(self._slots, grow, constant_values=NOBODY)
        self._rows = np.pad(self._rows, grow)
        self._columns = np.pad(self._columns, grow)
        self._versions = np.pad(self._versions, grow, constant_values=NOBODY)

    def write_text(self, x: int, y: int, count: int) -> None:
        """Text takes `count` cells."""
        self._slots[y, x : x + count] = NOBODY

    def write_picture(self, x: int, y: int, cells: PictureCells) -> list[tuple[int, int]]:
        """A run of picture cells is written; the stretches (from, to) where text was before."""
        place = slice(x, x + cells.count)
        columns = cells.first_column + np.arange(cells.count)
        slots = self._slots[y, place]
        is_same = (
            (slots == cells.slot)
            & (self._rows[y, place] == cells.row)
            & (self._columns[y, place] == columns)
        )
        self._versions[y, place][~is_same] = NOBODY
        had_text = _find_runs(slots == NOBODY)
        slots[:] = cells.slot
        self._rows[y, place] = cells.row
        self._columns[y, place] = columns
        return [(x + first, x + last) for first, last in had_text]

    def slots_shown(self) -> list[int]:
        """Slots with a cell on the screen."""
        return np.unique(self._slots[self._slots != NOBODY]).tolist()

    def note_painted(self, x: int, y: int, count: int, versions: Int64[Array, " column"]) -> None:
        """`count` cells hold what `versions` says of each column of their picture."""
        place = slice(x, x + count)
        self._versions[y, place] = versions[self._columns[y, place]]

    def blocks_to_paint(self, slot: int, versions: Int64[Array, " column"]) -> list[CellBlock]:
        """The slot's cells that hold another version of their column; they count as painted."""
        wanted = versions[self._columns]
        is_due = (self._slots == slot) & (self._versions != wanted)
        blocks = list(self._find_blocks(is_due))
        self._versions[is_due] = wanted[is_due]
        return blocks

    def blocks_of(self, slot: int) -> list[CellBlock]:
        """All the slot's cells."""
        return list(self._find_blocks(self._slots == slot))

    def _find_blocks(self, is_in: Bool[Array, "row column"]) -> Iterator[CellBlock]:
        """Rectangles of cells that lie in the picture as they do on the screen."""
        open_blocks: dict[tuple[int, int, int, int], CellBlock] = {}
        for y in np.flatnonzero(is_in.any(axis=1)).tolist():
            still_open: dict[tuple[int, int, int, int], CellBlock] = {}
            for first, last in _find_runs(is_in[y]):
                row, column = int(self._rows[y, first]), int(self._columns[y, first])
                key = (first, last, column, row - y)
                block = open_blocks.pop(key, None)
                if block is not None and block.y + block.rows == y:
                    block = CellBlock(
                        first, block.y, last - first, block.rows + 1, column, block.picture_row
                    )
                else:
                    if block is not None:
                        yield block
                    block = CellBlock(first, y, last - first, 1, column, row)
                still_open[key] = block
            yield from open_blocks.values()
            open_blocks = still_open
        yield from open_blocks.values()


def _find_runs(is_in: Bool[Array, " column"]) -> list[tuple[int, int]]:
    padded = np.concatenate(([False], is_in, [False])).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded))
    return list(zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True))
