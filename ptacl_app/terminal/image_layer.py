"""Pictures in the cells of the app, for whatever protocol the terminal has.

A widget claims a slot, puts a picture into it and draws placeholder cells. Where the terminal
knows such cells, that is all: text over them hides them, and they move with the layout. For
every other protocol the screen's update is read before it is written: it tells to the cell
where a picture is visible now, below which dialog and at which place of the scrolled pane.
Exactly those parts are painted after the text (sixels, iTerm2) or placed (older kitty, the page
of a browser).
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.strip import Strip

from ptacl_app.drawing.picture import Picture
from ptacl_app.terminal import iterm, kitty, page
from ptacl_app.terminal.cell_owners import CellBlock, CellOwners
from ptacl_app.terminal.graphics import Graphics, Protocol
from ptacl_app.terminal.picture_slots import PictureSlot, ShownPicture, clip_blocks
from ptacl_app.terminal.placeholders import (
    MAX_CELLS,
    MAX_SLOT,
    PLACEHOLDER,
    build_row,
    compute_image_id,
)
from ptacl_app.terminal.sixel import encode_sixel
from ptacl_app.terminal.tmux import pass_graphics_through
from ptacl_app.terminal.update_runs import move_to, pieces_of, runs_of

KITTY = (Protocol.KITTY, Protocol.KITTY_PLACED)
PLACED = (Protocol.KITTY_PLACED, Protocol.PAGE)
SIXEL_COLOURS = 64
MAX_ENCODED = 128
"""Encoded pictures kept for terminals that keep none themselves: a cine's frames."""


class ImageLayer:
    """One per app; used in the app's own thread only."""

    def __init__(self, graphics: Graphics, *, cell_px: tuple[int, int]) -> None:
        self.graphics = graphics
        self.cell_px = cell_px
        self.has_pixel_mouse = False
        """The terminal tells pixels of the mouse, not only cells."""
        self._slots: dict[int, PictureSlot] = {}
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
            self._slots[slot] = PictureSlot(on_lost)
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
        while len(state.pictures) > self._limit_kept(num_kept, state):
            self._forget(state.pictures.popitem(last=False)[1])
        if shown is not state.current:
            state.current = shown
            state.version += 1
        return is_new

    def describe(self, slot: int, label: str) -> None:
        """What the slot's picture shows, in words: a page gives it to those who cannot see it."""
        if slot in self._slots:
            self._slots[slot].label = label

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

    def learn_size(self, *, columns: int, rows: int, size_px: tuple[int, int]) -> None:
        """The terminal said how many pixels it has; then it tells them of the mouse too."""
        if size_px[0] >= columns > 0 and size_px[1] >= rows > 0:
            self.cell_px = size_px[0] // columns, size_px[1] // rows
            self.has_pixel_mouse = True

    def forget_screen(self, *, columns: int, rows: int) -> None:
        """The terminal was resized: what became of its pictures is not known; all are due again.

        Kitty 0.26 drops every picture of the screen that the app is on. Updates of the layout
        before may still come: what they write beyond the new size is cut off.
        """
        self._limit = columns, rows
        self._owners = CellOwners()
        if self.graphics.protocol is Protocol.PAGE:
            self._uploads = [page.forget_all()]
            self._farewells.clear()
        for state in self._slots.values():
            if self.graphics.protocol in KITTY:
                self._uploads += [kitty.forget(each.number) for each in state.pictures.values()]
            state.pictures.clear()
            state.current = None
            state.placed, state.placed_number, state.placed_label = [], 0, ""
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
        for x, y, strip in self._cut(runs_of(update)):
            if not any(PLACEHOLDER in segment.text for segment in strip):
                if not has_cells:
                    self._owners.fit(columns=x + strip.cell_length, rows=y + 1)
                    self._owners.write_text(x, y, strip.cell_length)
                body.append(move_to(x, y) + strip.render(console))
            elif has_cells:
                body.append(move_to(x, y) + self._write_cells(strip, console))
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

    def _send(self, slot: int, picture: Picture, *, columns: int, rows: int) -> ShownPicture:
        self._last_number += 1
        number = compute_image_id(slot, self._last_number)
        protocol = self.graphics.protocol
        if protocol is Protocol.PAGE:
            png = picture.encode_png()
            self._uploads.append(page.upload(number, png, columns=columns, rows=rows))
        elif protocol in KITTY:
            png = picture.encode_png()
            is_virtual = protocol is Protocol.KITTY
            self._uploads.append(
                kitty.upload_png(number, png, columns=columns, rows=rows, is_virtual=is_virtual)
            )
        size_px = picture.width_px, picture.height_px
        is_kept = protocol in (Protocol.SIXEL, Protocol.ITERM)
        return ShownPicture(number, size_px, columns, rows, picture if is_kept else None)

    def _forget(self, shown: ShownPicture) -> None:
        if self.graphics.protocol is Protocol.PAGE:
            self._farewells.append(page.forget(shown.number))
        elif self.graphics.protocol in KITTY:
            self._farewells.append(kitty.forget(shown.number))

    def _limit_kept(self, num_kept: int, state: PictureSlot) -> int:
        """A page keeps pictures decoded: so many of the last one's size, at most."""
        if self.graphics.protocol is not Protocol.PAGE:
            return num_kept
        width, height = next(reversed(state.pictures.values())).size_px
        return max(min(num_kept, page.MAX_KEPT_PX // max(width * height, 1)), 1)

    def _wrap(self, text: str) -> str:
        return pass_graphics_through(text) if self.graphics.is_through_tmux and text else text

    def _ink_of(self, state: PictureSlot) -> tuple[int, int, int]:
        number = 0 if state.current is None else state.current.number
        return number >> 16 & 0xFF, number >> 8 & 0xFF, number & 0xFF

    def _write_cells(self, strip: Strip, console: Console) -> str:
        """A row's text with picture cells in their own ink.

        In 24 bits whatever the console's colours are, since the ink is the picture's number; and
        whatever has greyed out the screen that the cells belong to.
        """
        written = []
        for segment, cells in pieces_of(strip):
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
        for segment, cells in pieces_of(strip):
            if cells is None:
                count = segment.cell_length
                self._owners.write_text(x, y, count)
                written.append(move_to(x, y) + Strip([segment], count).render(console))
            else:
                count = cells.count
                ground = None if segment.style is None else segment.style.bgcolor
                for first, last in self._owners.write_picture(x, y, cells):
                    blank = Strip([Segment(" " * (last - first), Style(bgcolor=ground))])
                    written.append(move_to(first, y) + blank.render(console))
            x += count
        return "".join(written)

    def _paint(self) -> str:
        """Everything of the pictures that the update has uncovered or changed."""
        if self.graphics.protocol in PLACED:
            return "".join(self._place(slot, state) for slot, state in self._slots.items())
        painted: list[str] = []
        for slot in self._owners.slots_shown():
            state = self._slots.get(slot)
            if state is None or state.current is None:
                continue
            shown = state.current
            painted += [
                move_to(block.x, block.y) + self._encode(shown, block)
                for block in clip_blocks(self._owners.blocks_to_paint(slot, state.version), shown)
            ]
        return "".join(painted)

    def _place(self, slot: int, state: PictureSlot) -> str:
        """Placements follow what is visible; the new ones come before the old ones go."""
        shown = state.current
        blocks = [] if shown is None else clip_blocks(self._owners.blocks_of(slot), shown)
        number = 0 if shown is None else shown.number
        if self.graphics.protocol is Protocol.PAGE:
            return self._place_in_page(slot, state, number, blocks)
        if blocks == state.placed and number == state.placed_number:
            return ""
        before = state.placed_number if state.placed else 0
        text = ""
        if before == number and before:
            text += kitty.remove_placements(before)
        if shown is not None:
            for index, block in enumerate(blocks, start=1):
                text += move_to(block.x, block.y) + kitty.place(
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

    def _place_in_page(
        self, slot: int, state: PictureSlot, number: int, blocks: list[CellBlock]
    ) -> str:
        is_as_before = (blocks, number) == (state.placed, state.placed_number)
        if is_as_before and state.label == state.placed_label:
            return ""
        state.placed, state.placed_number, state.placed_label = blocks, number, state.label
        return page.show(slot, number, blocks, label=state.label)

    def _source_px(self, shown: ShownPicture, block: CellBlock) -> tuple[int, int, int, int]:
        """The part of the picture under a block: left, top, width, height."""
        across = shown.size_px[0] / shown.columns
        down = shown.size_px[1] / shown.rows
        left, top = round(block.picture_column * across), round(block.picture_row * down)
        right = round((block.picture_column + block.columns) * across)
        bottom = round((block.picture_row + block.rows) * down)
        return left, top, right - left, bottom - top

    def _encode(self, shown: ShownPicture, block: CellBlock) -> str:
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
