"""The short-axis cine: in pixels, or in half blocks at an exact 1, 1/2 or 1/3 of its own."""

from collections.abc import Hashable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip

from ptacl_app.data.patient_view import CineView
from ptacl_app.drawing.cine_picture import (
    centre_picture,
    draw_cine_picture,
    find_blood_pool,
)
from ptacl_app.drawing.cine_raster import (
    NUM_LEVELS,
    GreyWindow,
    choose_size,
    compute_auto_window,
    draw_frame,
)
from ptacl_app.drawing.picture import Picture
from ptacl_app.drawing.strips import build_half_block_strips
from ptacl_app.terminal.image_layer import ImageLayer
from ptacl_app.widgets.picture_widget import PictureWidget

MIN_SIZE = (28, 14)


class CinePlot(PictureWidget, can_focus=True):
    """Shows one frame; strips are kept per frame, size and window, so that a loop is cheap."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"cine--margin", "cine--note"}
    DEFAULT_CSS = """
    CinePlot {
        height: 21;
        background: black;
        & .cine--margin { background: black; }
        & .cine--note { background: black; color: #b8b8b8; }
    }
    """

    frame: reactive[int | None] = reactive(None, repaint=False)
    """The frame shown."""
    window: reactive[GreyWindow] = reactive(GreyWindow())
    """Which intensities are black and white."""

    class FrameScrolled(Message):
        """The wheel turned over the cine."""

        def __init__(self, offset: int) -> None:
            self.offset = offset
            super().__init__()

    class PlayToggled(Message):
        """The cine was double-clicked."""

    def __init__(
        self,
        *,
        num_levels: int = NUM_LEVELS,
        note: str = "",
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.cine: CineView | None = None
        self.num_levels = num_levels
        self.note = note
        self.has_outline = False
        self._strips: dict[tuple[int, int, GreyWindow], list[Strip]] = {}
        self._shown_cells = (0, 0)
        self._shown_key: Hashable = ()

    def show(self, cine: CineView | None, *, note: str = "") -> None:
        """Show another cine (or `note` in its place), windowed to its own intensities."""
        self.cine = cine
        self.note = note
        self._strips.clear()
        self.set_reactive(CinePlot.frame, None if cine is None else 0)
        if cine is not None:
            self.set_reactive(CinePlot.window, compute_auto_window(cine.frames))
        self.refresh()

    def watch_frame(self, before: int | None, after: int | None) -> None:
        """Another picture in the same cells; without pixels, the whole widget again."""
        images, cine = self._images, self.cine
        if (
            images is None
            or cine is None
            or before is None
            or after is None
            or not images.has_picture(self._slot, self._shown_key)
        ):
            self.refresh()
        else:
            self._show_pixels(images, cine, after, *self._shown_cells)
            images.ask_to_paint()

    def reset_window(self) -> None:
        """Window to the cine's own intensities."""
        if self.cine is not None:
            self.window = compute_auto_window(self.cine.frames)

    def toggle_outline(self) -> None:
        """The blood pool's outline, as the intensities tell it, on and off; in pixels only."""
        self.has_outline = not self.has_outline
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel turns frames."""
        event.stop()
        self.post_message(self.FrameScrolled(1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel turns frames."""
        event.stop()
        self.post_message(self.FrameScrolled(-1))

    def on_click(self, event: events.Click) -> None:
        """A double click plays and pauses."""
        if event.chain == 2:
            self.post_message(self.PlayToggled())

    @property
    def shown_size(self) -> int | None:
        """Cells across of the picture, None when the pane is too small for any."""
        if self._images is not None:
            return self._fit_pixels(self._images)[0] or None
        return choose_size(self.size.width, self.size.height)

    def render_line(self, y: int) -> Strip:
        """One row of cells."""
        if self.cine is None or self.frame is None:
            return self._render_note(y, self.note or "no cine")
        if self._images is not None:
            return self._render_pixels(y, self._images, self.cine, self.frame)
        if self.app.console.color_system == "standard" and not self.app.no_color:
            return self._render_note(y, "16 colours: no picture. Set TERM=xterm-256color.")
        return self._render_blocks(y, self.frame)

    def _render_blocks(self, y: int, frame: int) -> Strip:
        width = self.size.width
        margin = self.get_component_rich_style("cine--margin")
        size = self.shown_size
        if size is None:
            return self._render_note(y, f"needs {MIN_SIZE[0]}×{MIN_SIZE[1]} cells")
        row = y - (self.size.height - size // 2) // 2
        if not 0 <= row < size // 2:
            return Strip.blank(width, margin)
        picture = self._draw(frame, size)[row]
        left = (width - size) // 2
        if left == 0 and width == size:
            return picture
        return Strip.join(
            [Strip.blank(left, margin), picture, Strip.blank(width - size - left, margin)]
        )

    def _fit_pixels(self, images: ImageLayer) -> tuple[int, int]:
        """Columns and rows of cells of the largest square."""
        width_px, height_px = images.cell_px
        side_px = min(self.size.width * width_px, self.size.height * height_px)
        return -(-side_px // width_px), -(-side_px // height_px)

    def _render_pixels(self, y: int, images: ImageLayer, cine: CineView, frame: int) -> Strip:
        width = self.size.width
        margin = self.get_component_rich_style("cine--margin")
        columns, rows = self._fit_pixels(images)
        columns, rows = min(columns, width), min(rows, self.size.height)
        row = y - (self.size.height - rows) // 2
        if not 0 <= row < rows:
            return Strip.blank(width, margin)
        outline = ", blood pool outlined by an estimate" if self.has_outline else ""
        images.describe(self._slot, f"Short-axis cine of {len(cine.frames)} frames{outline}")
        self._show_pixels(images, cine, frame, columns, rows)
        left = (width - columns) // 2
        cells = images.build_strip(self._slot, row, first_column=0, count=columns, ground=margin)
        parts = [Strip.blank(left, margin), cells, Strip.blank(width - columns - left, margin)]
        return Strip.join([part for part in parts if part.cell_length])

    def _show_pixels(
        self, images: ImageLayer, cine: CineView, frame: int, columns: int, rows: int
    ) -> None:
        self._shown_cells = columns, rows
        self._shown_key = (id(cine), frame, columns, rows, self.window, self.has_outline)
        images.show(
            self._slot,
            self._shown_key,
            lambda: self._draw_pixels(images, cine, frame, columns, rows),
            columns=columns,
            rows=rows,
            num_kept=len(cine.frames),
        )

    def _draw_pixels(
        self, images: ImageLayer, cine: CineView, frame: int, columns: int, rows: int
    ) -> Picture:
        width_px, height_px = columns * images.cell_px[0], rows * images.cell_px[1]
        outline = find_blood_pool(cine.frames, frame) if self.has_outline else None
        picture = draw_cine_picture(
            cine.frames[frame],
            side_px=min(width_px, height_px),
            level=self.window.level,
            width=self.window.width,
            is_inverted=self.window.is_inverted,
            outlines=() if outline is None else (outline,),
        )
        return centre_picture(picture, width_px=width_px, height_px=height_px)

    def _draw(self, frame: int, size: int) -> list[Strip]:
        key = (frame, size, self.window)
        strips = self._strips.get(key)
        if strips is None:
            assert self.cine is not None
            if len(self._strips) > 2 * len(self.cine.frames):
                self._strips.clear()
            greys = draw_frame(
                self.cine.frames[frame],
                size=size,
                window=self.window,
                num_levels=self.num_levels,
            )
            strips = self._strips[key] = build_half_block_strips(greys)
        return strips

    def _render_note(self, y: int, note: str) -> Strip:
        style: Style = self.get_component_rich_style("cine--note")
        width = self.size.width
        text = note[:width].center(width) if y == self.size.height // 2 else " " * width
        return Strip([Segment(text, style)], width)
