"""Pictures in the cells of the app, for whatever protocol the terminal has.

A widget claims a slot, puts a picture into it and draws placeholder cells. Where the terminal
knows such cells that is nearly all: text over them hides them, and they move with the layout. For
every other protocol the screen's update is read before it is written: it tells to the cell
where a picture is visible now, below which dialog and at which place of the scrolled pane.
Exactly those parts are painted after the text (sixels, iTerm2) or placed (older kitty, the page
of a browser).

Another picture in the same cells is no update of the text: `show` or `lay_over`, then
`ask_to_paint`, and the layer writes the cells that are seen, without a widget being rendered.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.strip import Strip

from ptacl_app.drawing.picture import Picture
from ptacl_app.terminal import iterm, kitty, page
from ptacl_app.terminal.cell_owners import CellBlock, CellOwners
from ptacl_app.terminal.graphics import Graphics, Protocol
from ptacl_app.terminal.picture_numbers import PictureNumbers
from ptacl_app.terminal.picture_slots import MAX_CODES, Patch, PictureSlot, ShownPicture
from ptacl_app.terminal.placed_pictures import place_pictures, show_in_page
from ptacl_app.terminal.placeholders import (
    MAX_CELLS,
    MAX_SLOT,
    PLACEHOLDER,
    build_row,
)
from ptacl_app.terminal.sixel import encode_sixel
from ptacl_app.terminal.tmux import pass_graphics_through
from ptacl_app.terminal.update_runs import PicturedUpdate, move_to, pieces_of, runs_of

KITTY = (Protocol.KITTY, Protocol.KITTY_PLACED)
SIXEL_COLOURS = 64
SIXEL_GREYS = 32
"""Of pictures that come again, a cine's frames: half the bytes of 64, one step in 8 of 255."""


class ImageLayer:
    """One per app; used in the app's own thread only."""

    def __init__(self, graphics: Graphics, *, cell_px: tuple[int, int]) -> None:
        self.graphics = graphics
        self.cell_px = cell_px
        self.has_pixel_mouse = False
        """The terminal tells pixels of the mouse, not only cells."""
        self.on_due: Callable[[], object] = _do_nothing
        """Called once when pictures are to be written though no text has changed."""
        self._is_asked = False
        self._slots: dict[int, PictureSlot] = {}
        self._free = list(range(MAX_SLOT, 0, -1))
        self._numbers = PictureNumbers(is_reused=graphics.protocol is Protocol.KITTY_PLACED)
        self._uploads: list[str] = []
        self._farewells: list[str] = []
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
            self._lift(state)
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
        state.has_codes = num_kept > 1
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
            self._lift(state)
            state.current = shown
            state.note_change()
        return is_new

    def describe(self, slot: int, label: str) -> None:
        """What the slot's picture shows, in words: a page gives it to those who cannot see it."""
        if slot in self._slots:
            self._slots[slot].label = label

    def lay_over(self, slot: int, patches: Sequence[tuple[int, int, Picture]]) -> None:
        """Show pictures over whole columns (first, after the last) of the slot's current one.

        They come in the order of their columns and do not overlap. Those before are taken away,
        as they are when `show` brings another picture.
        """
        state = self._slots[slot]
        self._lift(state)
        if state.current is None:
            return
        for first, last, picture in patches:
            if last <= state.current.columns:
                rows = state.current.rows
                sent = self._send(slot, picture, columns=last - first, rows=rows)
                state.patches.append(Patch(first, sent))
                state.note_change(first, last)

    def has_picture(self, slot: int, key: Hashable | None = None) -> bool:
        """True when a picture is shown: any, or that of `key`."""
        state = self._slots.get(slot)
        if state is None or state.current is None:
            return False
        return key is None or state.pictures.get(key) is state.current

    def ask_to_paint(self) -> None:
        """What was shown has the cells of what was there: no widget needs to be painted."""
        if not self._is_asked:
            self._is_asked = True
            self.on_due()

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
                patched = [patch.sent for patch in state.patches]
                every = (*patched, *state.pictures.values())
                self._uploads += [kitty.forget(picture.number) for picture in every]
            state.forget()
            state.on_lost()

    def close(self) -> str:
        """What frees every picture in the terminal."""
        for slot in list(self._slots):
            self.release(slot)
        text = "".join(self._farewells)
        self._farewells.clear()
        self._numbers.note_written()
        text += "".join(kitty.forget(number) for number in self._numbers.list_free())
        return self._wrap(text)

    # --- for the app

    def over(self, update: CompositorUpdate) -> PicturedUpdate:
        """The update with the pictures in it."""
        return PicturedUpdate(self.render, update)

    def render(self, update: CompositorUpdate, console: Console) -> str:
        """The update's text, with everything that its pictures need before and after."""
        self._is_asked = False
        write = (
            self._write_cells if self.graphics.protocol is Protocol.KITTY else self._write_beside
        )
        body = []
        for x, y, strip in self._cut(runs_of(update)):
            self._owners.fit(columns=x + strip.cell_length, rows=y + 1)
            if any(PLACEHOLDER in segment.text for segment in strip):
                body.append(write(x, y, strip, console))
            else:
                self._owners.write_text(x, y, strip.cell_length)
                body.append(move_to(x, y) + strip.render(console))
        uploads, after = "".join(self._uploads), self._paint()
        farewells = "".join(self._farewells)
        self._uploads.clear()
        self._farewells.clear()
        self._numbers.note_written()
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
        number = self._numbers.take(slot)
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

    def _lift(self, state: PictureSlot) -> None:
        """Take the patches of a slot away."""
        for patch in state.patches:
            state.note_change(patch.first_column, patch.last_column)
            self._forget(patch.sent)
        state.patches.clear()

    def _forget(self, shown: ShownPicture) -> None:
        if self.graphics.protocol is Protocol.PAGE:
            self._farewells.append(page.forget(shown.number))
        elif self.graphics.protocol is Protocol.KITTY:
            self._farewells.append(kitty.forget(shown.number))
        elif self.graphics.protocol is Protocol.KITTY_PLACED:
            self._farewells.append(kitty.remove_placements(shown.number))
        self._numbers.give_back(shown.number)

    def _limit_kept(self, num_kept: int, state: PictureSlot) -> int:
        """A page keeps pictures decoded: so many of the last one's size, at most."""
        if self.graphics.protocol is not Protocol.PAGE:
            return num_kept
        width, height = next(reversed(state.pictures.values())).size_px
        return max(min(num_kept, page.MAX_KEPT_PX // max(width * height, 1)), 1)

    def _wrap(self, text: str) -> str:
        return pass_graphics_through(text) if self.graphics.is_through_tmux and text else text

    def _write_cells(self, x: int, y: int, strip: Strip, console: Console) -> str:
        """A row's text with picture cells in the ink of what they show."""
        written = [move_to(x, y)]
        for segment, cells in pieces_of(strip):
            count = segment.cell_length
            state = None if cells is None else self._slots.get(cells.slot)
            if cells is None or state is None:
                self._owners.write_text(x, y, count)
                written.append(Strip([segment], count).render(console))
            else:
                self._owners.write_picture(x, y, cells)
                self._owners.note_painted(x, y, count, state.versions)
                block = CellBlock(x, y, count, 1, cells.first_column, cells.row)
                if state.current is None or state.current.clip([block]) != [block]:
                    blank = Strip([Segment(" " * count, segment.style)], count)
                    written.append(blank.render(console))
                written.append(self._ink_cells(cells.slot, state, block))
                written.append(move_to(x + count, y))
            x += count
        return "".join(written)

    def _ink_cells(self, slot: int, state: PictureSlot, block: CellBlock) -> str:
        """The block's cells, each in the ink that is its picture's number.

        In 24 bits whatever the console's colours are, and whatever has greyed out the screen
        that the cells belong to.
        """
        written = []
        blocks = [] if state.current is None else state.current.clip([block])
        for sent, part in (piece for one in blocks for piece in state.find_patched(one)):
            red, green, blue = sent.number >> 16 & 0xFF, sent.number >> 8 & 0xFF, sent.number & 0xFF
            written.append(f"\x1b[38;2;{red};{green};{blue}m")
            for row in range(part.rows):
                first, count = part.picture_column, part.columns
                text = build_row(slot, part.picture_row + row, first_column=first, count=count)
                written.append(move_to(part.x, part.y + row) + text)
            written.append("\x1b[0m")
        return "".join(written)

    def _write_beside(self, x: int, y: int, strip: Strip, console: Console) -> str:
        """A row's text; picture cells become blanks where text was, else nothing."""
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
        """Everything of the pictures that the update has uncovered, or that has changed."""
        if self.graphics.protocol in (Protocol.KITTY_PLACED, Protocol.PAGE):
            return "".join(self._place(slot, state) for slot, state in self._slots.items())
        painted: list[str] = []
        for slot in self._owners.slots_shown():
            state = self._slots.get(slot)
            if state is None or state.current is None:
                continue
            for block in state.current.clip(self._owners.blocks_to_paint(slot, state.versions)):
                if self.graphics.protocol is Protocol.KITTY:
                    painted.append(self._ink_cells(slot, state, block))
                    continue
                painted += [
                    move_to(part.x, part.y)
                    + self._encode(sent, part, is_kept=state.has_codes and sent is state.current)
                    for sent, part in state.find_patched(block)
                ]
        return "".join(painted)

    def _place(self, slot: int, state: PictureSlot) -> str:
        cells = self._owners.blocks_of(slot)
        if self.graphics.protocol is Protocol.PAGE:
            return show_in_page(slot, state, cells)
        return place_pictures(state, cells)

    def _encode(self, shown: ShownPicture, block: CellBlock, *, is_kept: bool) -> str:
        """What paints a block where the text cursor is; kept with the picture if that pays."""
        part = replace(block, x=0, y=0)
        text = shown.codes.get(part)
        if text is not None:
            return text
        left, top, width, height = shown.find_source_px(block)
        assert shown.picture is not None
        picture = shown.picture.cropped(left=left, top=top, width=width, height=height)
        if self.graphics.protocol is Protocol.SIXEL:
            max_colours = SIXEL_GREYS if is_kept else SIXEL_COLOURS
            text = encode_sixel(picture, max_colours=max_colours)
        else:
            png = picture.encode_png()
            text = iterm.show_png(png, columns=block.columns, rows=block.rows)
        if is_kept:
            if len(shown.codes) >= MAX_CODES:
                shown.codes.clear()
            shown.codes[part] = text
        return text


def _do_nothing() -> None:
    return
