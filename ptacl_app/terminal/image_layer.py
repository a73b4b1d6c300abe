"""Pictures in the cells of the app, for whatever protocol the terminal has.

A widget claims a slot, puts a picture into it and draws placeholder cells. Where the terminal
knows such cells, that is all: text over them hides them, and they move with the layout. For
every other protocol the screen's update is read before it is written: it tells to the cell
where a picture is visible now, below which dialog and at which place of the scrolled pane.
Exactly those parts are painted after the text (sixels, iTerm2) or placed (older kitty).

Textual 8.2.8 (pinned) has no public way to see an update; `_runs_of` reads its two kinds.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from ptacl_app.drawing.picture import Picture
from ptacl_app.terminal import iterm, kitty
from ptacl_app.terminal.cell_owners import CellBlock, CellOwners
from ptacl_app.terminal.graphics import Graphics, Protocol
from ptacl_app.terminal.placeholders import (
    MAX_CELLS,
    MAX_SLOT,
    PLACEHOLDER,
    PictureCells,
    build_row,
    compute_image_id,
    split_runs,
)
from ptacl_app.terminal.sixel import encode_sixel
from ptacl_app.terminal.tmux import pass_graphics_through

SIXEL_COLOURS = 64
MAX_ENCODED = 128
"""Encoded pictures kept for terminals that keep none themselves: a cine's frames."""


@dataclass(slots=True)
class _Shown:
    """A picture that is in the terminal, or ready for it."""

    number: int
    size_px: tuple[int, int]
    columns: int
    rows: int
    picture: Picture | None
    """Only for terminals that keep none themselves."""


@dataclass(slots=True)
class _Slot:
    """What a widget shows: the pictures that it keeps by key, the current one, its version."""

    on_lost: Callable[[], object]
    pictures: OrderedDict[Hashable, _Shown] = field(default_factory=OrderedDict)
    current: _Shown | None = None
    version: int = 0
    placed: list[CellBlock] = field(default_factory=list)
    placed_number: int = 0


class ImageLayer:
    """One per app; used in the app's own thread only."""

    def __init__(self, graphics: Graphics, *, cell_px: tuple[int, int]) -> None:
        self.graphics = graphics
        self.cell_px = cell_px
        self._slots: dict[int, _Slot] = {}
        self._free = list(range(MAX_SLOT, 0, -1))
        self._last_number = 0
        self._uploads: list[str] = []
        self._farewells: list[str] = []
        self._encoded: OrderedDict[Hashable, str] = OrderedDict()
        self._owners = CellOwners()
        self._limit: tuple[int, int] | None = None

    # --- for the widgets

    def claim(self, on_lost: Callable[[], object]) -> int:
        """A slot of one's own; 0 when there is none left.

        `on_lost` is called when its pictures are gone and the widget is to be painted anew.
        """
        slot = self._free.pop() if self._free else 0
        if slot:
            self._slots[slot] = _Slot(on_lost)
        return slot

    def release(self, slot: int) -> None:
        """Give a slot back; its pictures are forgotten."""
        state = self._slots.pop(slot, None)
        if state is not None:
            for shown in state.pictures.values():
                self._forget(shown)
            self._free.append(slot)

    def show(
        self,
        slot: int,
        key: Hashable,
        draw: Callable[[], Picture],
        *,
        columns: int,
        rows: int,
        num_kept: int = 1,
    ) -> bool:
        """Show the picture of `key`, drawn and sent only if it is not among the `num_kept` last.

        False when it was there already, so that nothing is sent but the switch.
        """
        state = self._slots[slot]
        columns, rows = min(columns, MAX_CELLS), min(rows, MAX_CELLS)
        shown = state.pictures.get(key)
        is_new = shown is None or (shown.columns, shown.rows) != (columns, rows)
        if is_new:
            if shown is not None:
                self._forget(state.pictures.pop(key))
            shown = self._send(slot, draw(), columns=columns, rows=rows)
            state.pictures[key] = shown
        state.pictures.move_to_end(key)
        while len(state.pictures) > num_kept:
            self._forget(state.pictures.popitem(last=False)[1])
        if shown is not state.current:
            state.current = shown
            state.version += 1
        return is_new

    def build_strip(
        self, slot: int, row: int, *, first_column: int, count: int, ground: Style
    ) -> Strip:
        """The cells of a part of one row; blank where the slot has no picture."""
        state = self._slots.get(slot)
        if state is None or state.current is None or row >= state.current.rows:
            return Strip.blank(count, ground)
        inside = max(min(count, state.current.columns - first_column), 0)
        segments = []
        if inside:
            text = build_row(slot, row, first_column=first_column, count=inside)
            segments.append(Segment(text, ground))
        if inside < count:
            segments.append(Segment(" " * (count - inside), ground))
        return Strip(segments, count)

    def forget_screen(self, *, columns: int, rows: int) -> None:
        """The terminal was resized: what became of its pictures is not known; all are due again.

        Kitty 0.26 drops every picture of the screen that the app is on. Updates of the layout
        before may still come: what they write beyond the new size is cut off.
        """
        self._limit = columns, rows
        self._owners = CellOwners()
        for state in self._slots.values():
            for shown in state.pictures.values():
                if self.graphics.protocol in (Protocol.KITTY, Protocol.KITTY_PLACED):
                    self._uploads.append(kitty.forget(shown.number))
            state.pictures.clear()
            state.current = None
            state.placed, state.placed_number = [], 0
            state.on_lost()

    def close(self) -> str:
        """What frees every picture in the terminal."""
        for slot in list(self._slots):
            self.release(slot)
        text = "".join(self._farewells)
        self._farewells.clear()
        return self._wrap(text)

    # --- for the app

    def over(self, update: CompositorUpdate) -> "PicturedUpdate":
        """The update with the pictures in it."""
        return PicturedUpdate(self, update)

    def render(self, update: CompositorUpdate, console: Console) -> str:
        """The update's text, with everything that its pictures need before and after."""
        has_cells = self.graphics.protocol is Protocol.KITTY
        body = []
        for x, y, strip in self._cut(_runs_of(update)):
            if not any(PLACEHOLDER in segment.text for segment in strip):
                if not has_cells:
                    self._owners.fit(columns=x + strip.cell_length, rows=y + 1)
                    self._owners.write_text(x, y, strip.cell_length)
                body.append(_move_to(x, y) + strip.render(console))
            elif has_cells:
                body.append(_move_to(x, y) + self._write_cells(strip, console))
            else:
                body.append(self._write_beside(x, y, strip, console))
        uploads, after = "".join(self._uploads), "" if has_cells else self._paint()
        farewells = "".join(self._farewells)
        self._uploads.clear()
        self._farewells.clear()
        return self._wrap(uploads) + "".join(body) + after + self._wrap(farewells)

    # --- parts

    def _cut(self, runs: Iterator[tuple[int, int, Strip]]) -> Iterator[tuple[int, int, Strip]]:
        for x, y, strip in runs:
            if self._limit is None:
                yield x, y, strip
                continue
            columns, rows = self._limit
            if y < rows and x < columns:
                is_cut = x + strip.cell_length > columns
                yield x, y, strip.crop(0, columns - x) if is_cut else strip

    def _send(self, slot: int, picture: Picture, *, columns: int, rows: int) -> _Shown:
        self._last_number += 1
        number = compute_image_id(slot, self._last_number)
        protocol = self.graphics.protocol
        if protocol in (Protocol.KITTY, Protocol.KITTY_PLACED):
            png = picture.encode_png()
            is_virtual = protocol is Protocol.KITTY
            self._uploads.append(
                kitty.upload_png(number, png, columns=columns, rows=rows, is_virtual=is_virtual)
            )
        size_px = picture.width_px, picture.height_px
        is_kept = protocol in (Protocol.SIXEL, Protocol.ITERM)
        return _Shown(number, size_px, columns, rows, picture if is_kept else None)

    def _forget(self, shown: _Shown) -> None:
        if self.graphics.protocol in (Protocol.KITTY, Protocol.KITTY_PLACED):
            self._farewells.append(kitty.forget(shown.number))

    def _wrap(self, text: str) -> str:
        return pass_graphics_through(text) if self.graphics.is_through_tmux and text else text

    def _ink_of(self, state: _Slot) -> tuple[int, int, int]:
        number = 0 if state.current is None else state.current.number
        return number >> 16 & 0xFF, number >> 8 & 0xFF, number & 0xFF

    def _write_cells(self, strip: Strip, console: Console) -> str:
        """A row's text with picture cells in their own ink.

        In 24 bits whatever the console's colours are, since the ink is the picture's number; and
        whatever has greyed out the screen that the cells belong to.
        """
        written = []
        for segment, cells in _pieces_of(strip):
            state = None if cells is None else self._slots.get(cells.slot)
            if state is None:
                written.append(Strip([segment], segment.cell_length).render(console))
            else:
                red, green, blue = self._ink_of(state)
                written.append(f"\x1b[38;2;{red};{green};{blue}m{segment.text}\x1b[0m")
        return "".join(written)

    def _write_beside(self, x: int, y: int, strip: Strip, console: Console) -> str:
        """A row's text; picture cells become blanks where text was, else nothing."""
        self._owners.fit(columns=x + strip.cell_length, rows=y + 1)
        written = []
        for segment, cells in _pieces_of(strip):
            if cells is None:
                count = segment.cell_length
                self._owners.write_text(x, y, count)
                written.append(_move_to(x, y) + Strip([segment], count).render(console))
            else:
                count = cells.count
                ground = None if segment.style is None else segment.style.bgcolor
                for first, last in self._owners.write_picture(x, y, cells):
                    blank = Strip([Segment(" " * (last - first), Style(bgcolor=ground))])
                    written.append(_move_to(first, y) + blank.render(console))
            x += count
        return "".join(written)

    def _paint(self) -> str:
        """Everything of the pictures that the update has uncovered or changed."""
        if self.graphics.protocol is Protocol.KITTY_PLACED:
            return "".join(self._place(slot, state) for slot, state in self._slots.items())
        painted: list[str] = []
        for slot in self._owners.slots_shown():
            state = self._slots.get(slot)
            if state is None or state.current is None:
                continue
            shown = state.current
            painted += [
                _move_to(block.x, block.y) + self._encode(shown, block)
                for block in _clip(self._owners.blocks_to_paint(slot, state.version), shown)
            ]
        return "".join(painted)

    def _place(self, slot: int, state: _Slot) -> str:
        """Placements follow what is visible; the new ones come before the old ones go."""
        shown = state.current
        blocks = [] if shown is None else _clip(self._owners.blocks_of(slot), shown)
        number = 0 if shown is None else shown.number
        if blocks == state.placed and number == state.placed_number:
            return ""
        before = state.placed_number if state.placed else 0
        text = ""
        if before == number and before:
            text += kitty.remove_placements(before)
        if shown is not None:
            for index, block in enumerate(blocks, start=1):
                text += _move_to(block.x, block.y) + kitty.place(
                    number,
                    index,
                    source_px=self._source_px(shown, block),
                    columns=block.columns,
                    rows=block.rows,
                )
        is_kept = any(picture.number == before for picture in state.pictures.values())
        if before and before != number and is_kept:
            text += kitty.remove_placements(before)
        state.placed, state.placed_number = blocks, number
        return text

    def _source_px(self, shown: _Shown, block: CellBlock) -> tuple[int, int, int, int]:
        """The part of the picture under a block: left, top, width, height."""
        across = shown.size_px[0] / shown.columns
        down = shown.size_px[1] / shown.rows
        left, top = round(block.picture_column * across), round(block.picture_row * down)
        right = round((block.picture_column + block.columns) * across)
        bottom = round((block.picture_row + block.rows) * down)
        return left, top, right - left, bottom - top

    def _encode(self, shown: _Shown, block: CellBlock) -> str:
        part = (block.picture_column, block.picture_row, block.columns, block.rows)
        key = (shown.number, part)
        text = self._encoded.pop(key, None)
        if text is None:
            left, top, width, height = self._source_px(shown, block)
            assert shown.picture is not None
            picture = shown.picture.cropped(left=left, top=top, width=width, height=height)
            if self.graphics.protocol is Protocol.SIXEL:
                text = encode_sixel(picture, max_colours=SIXEL_COLOURS)
            else:
                png = picture.encode_png()
                text = iterm.show_png(png, columns=block.columns, rows=block.rows)
        self._encoded[key] = text
        while len(self._encoded) > MAX_ENCODED:
            self._encoded.popitem(last=False)
        return text


class PicturedUpdate(CompositorUpdate):
    """An update that the app's driver asks for its text."""

    def __init__(self, layer: ImageLayer, update: CompositorUpdate) -> None:
        self._layer, self._update = layer, update

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Nothing: an update is asked for its text only."""
        del console, options
        return ()

    def render_segments(self, console: Console) -> str:
        """The text."""
        return self._layer.render(self._update, console)


def _runs_of(update: CompositorUpdate) -> Iterator[tuple[int, int, Strip]]:
    """What an update writes: column, row, strip."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield x, y, strip
                x += strip.cell_length
    elif isinstance(update, ChopsUpdate):
        for y, first, last in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is None or x > last or end <= first:
                    continue
                if last > x >= first and end <= last:
                    yield x, y, strip
                elif min(end, last) > x:
                    yield x, y, strip.crop(0, min(end, last) - x)


def _clip(blocks: list[CellBlock], shown: _Shown) -> list[CellBlock]:
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


def _pieces_of(strip: Strip) -> Iterator[tuple[Segment, PictureCells | None]]:
    """Segments of text, and of cells of one row of one picture."""
    for segment in strip:
        if PLACEHOLDER not in segment.text:
            yield segment, None
        else:
            for text, cells in split_runs(segment.text):
                yield Segment(text, segment.style), cells


def _move_to(x: int, y: int) -> str:
    return Control.move_to(x, y).segment.text
