"""What a widget shows in its cells: a picture, and patches over some of its columns."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ptacl_app.drawing.picture import Picture
from ptacl_app.terminal.cell_owners import CellBlock
from ptacl_app.terminal.placeholders import MAX_CELLS
from ptacl_core.arrays import Array, Int64

MAX_CODES = 4
"""Encoded parts that are kept of one picture: as many as a dialog over it leaves."""


@dataclass(slots=True, eq=False)
class ShownPicture:
    """A picture that is in the terminal, or ready for it."""

    number: int
    size_px: tuple[int, int]
    columns: int
    rows: int
    picture: Picture | None
    """Only for terminals that keep none themselves."""
    codes: dict[CellBlock, str] = field(default_factory=dict)
    """Its parts as they are sent, by the cells in the picture, for those that come again."""

    def find_source_px(self, block: CellBlock) -> tuple[int, int, int, int]:
        """The part of the picture under a block: left, top, width, height."""
        across = self.size_px[0] / self.columns
        down = self.size_px[1] / self.rows
        left, top = round(block.picture_column * across), round(block.picture_row * down)
        right = round((block.picture_column + block.columns) * across)
        bottom = round((block.picture_row + block.rows) * down)
        return left, top, right - left, bottom - top

    def clip(self, blocks: Sequence[CellBlock]) -> list[CellBlock]:
        """Without the cells that a smaller picture lacks: they are about to be overwritten."""
        clipped = [
            replace(
                block,
                columns=min(block.columns, self.columns - block.picture_column),
                rows=min(block.rows, self.rows - block.picture_row),
            )
            for block in blocks
        ]
        return [block for block in clipped if block.columns > 0 and block.rows > 0]


@dataclass(slots=True, eq=False)
class Patch:
    """A picture over whole columns of a slot's picture, from `first_column` on."""

    first_column: int
    sent: ShownPicture
    placed: list[CellBlock] = field(default_factory=list)

    @property
    def last_column(self) -> int:
        """The column after it."""
        return self.first_column + self.sent.columns

    def find_part(self, block: CellBlock) -> CellBlock | None:
        """The part of a block of the slot's picture that lies under this patch, in its cells."""
        first = max(block.picture_column, self.first_column)
        last = min(block.picture_column + block.columns, self.last_column)
        if first >= last:
            return None
        return replace(
            block,
            x=block.x + first - block.picture_column,
            columns=last - first,
            picture_column=first - self.first_column,
        )


@dataclass(slots=True, eq=False)
class PictureSlot:
    """The pictures that a widget keeps by key, the current one, and what lies over it."""

    on_lost: Callable[[], object]
    pictures: OrderedDict[Hashable, ShownPicture] = field(default_factory=OrderedDict)
    current: ShownPicture | None = None
    patches: list[Patch] = field(default_factory=list)
    has_codes: bool = False
    """True when its pictures come again, so that what is sent is worth keeping."""
    versions: Int64[Array, " column"] = field(default_factory=lambda: np.zeros(MAX_CELLS, np.int64))
    """Counts the changes of each column of cells."""
    placed: list[CellBlock] = field(default_factory=list)
    placed_number: int = 0
    label: str = ""
    """What it shows, in words."""
    panes: dict[int, tuple[int, list[CellBlock], str]] = field(default_factory=dict)
    """What a page around the app was told to show: number, place and label of each pane."""

    def forget(self) -> None:
        """The terminal has lost everything."""
        self.patches.clear()
        self.pictures.clear()
        self.current = None
        self.placed, self.placed_number = [], 0
        self.panes.clear()

    def note_change(self, first_column: int = 0, last_column: int = MAX_CELLS) -> None:
        """These columns are to be painted again."""
        self.versions[first_column:last_column] = self.versions.max() + 1

    def find_patched(self, block: CellBlock) -> Iterator[tuple[ShownPicture, CellBlock]]:
        """A block in pieces: what of it each patch shows, and what the picture below them does."""
        if self.current is None:
            return
        column, end = block.picture_column, block.picture_column + block.columns
        for patch in self.patches:
            part = patch.find_part(block)
            if part is None:
                continue
            if patch.first_column > column:
                yield self.current, _cut(block, column, patch.first_column)
            yield from ((patch.sent, piece) for piece in patch.sent.clip([part]))
            column = min(patch.last_column, end)
        if column < end:
            yield self.current, _cut(block, column, end)


def _cut(block: CellBlock, first: int, last: int) -> CellBlock:
    """The columns `first` … `last` of the picture."""
    return replace(
        block, x=block.x + first - block.picture_column, columns=last - first, picture_column=first
    )
