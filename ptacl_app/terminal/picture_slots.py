"""What a widget shows in its cells: pictures kept by key, and which parts stand on the screen."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

from ptacl_app.drawing.picture import Picture
from ptacl_app.terminal.cell_owners import CellBlock


@dataclass(slots=True)
class ShownPicture:
    """A picture that is in the terminal, or ready for it."""

    number: int
    size_px: tuple[int, int]
    columns: int
    rows: int
    picture: Picture | None
    """Only for terminals that keep none themselves."""


@dataclass(slots=True)
class PictureSlot:
    """What a widget shows: the pictures that it keeps by key, the current one, its version."""

    on_lost: Callable[[], object]
    pictures: OrderedDict[Hashable, ShownPicture] = field(default_factory=OrderedDict)
    current: ShownPicture | None = None
    version: int = 0
    placed: list[CellBlock] = field(default_factory=list)
    placed_number: int = 0
    label: str = ""
    placed_label: str = ""


def clip_blocks(blocks: list[CellBlock], shown: ShownPicture) -> list[CellBlock]:
    """Without the cells that a smaller picture no longer has: they are about to be overwritten."""
    clipped = [
        replace(
            block,
            columns=min(block.columns, shown.columns - block.picture_column),
            rows=min(block.rows, shown.rows - block.picture_row),
        )
        for block in blocks
    ]
    return [block for block in clipped if block.columns > 0 and block.rows > 0]
