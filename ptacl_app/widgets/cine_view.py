"""The short-axis cine in half blocks, at an exact 1, 1/2 or 1/3 of its pixels."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ptacl_app.data.patient_view import CineView
from ptacl_app.drawing.cine_raster import (
    NUM_LEVELS,
    GreyWindow,
    choose_size,
    compute_auto_window,
    draw_frame,
)
from ptacl_app.drawing.strips import build_half_block_strips

MIN_SIZE = (28, 14)


class CinePlot(Widget, can_focus=True):
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
        self._strips: dict[tuple[int, int, GreyWindow], list[Strip]] = {}

    def show(self, cine: CineView | None, *, note: str = "") -> None:
        """Show another cine (or `note` in its place), windowed to its own intensities."""
        self.cine = cine
        self.note = note
        self._strips.clear()
        self.set_reactive(CinePlot.frame, None if cine is None else 0)
        if cine is not None:
            self.set_reactive(CinePlot.window, compute_auto_window(cine.frames))
        self.refresh()

    def watch_frame(self) -> None:
        """The whole widget is one rectangle: cheaper than its changed parts."""
        self.refresh()

    def reset_window(self) -> None:
        """Window to the cine's own intensities."""
        if self.cine is not None:
            self.window = compute_auto_window(self.cine.frames)

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
        return choose_size(self.size.width, self.size.height)

    def render_line(self, y: int) -> Strip:
        """One row of cells."""
        width = self.size.width
        margin = self.get_component_rich_style("cine--margin")
        if self.cine is None or self.frame is None:
            return self._render_note(y, self.note or "no cine")
        if self.app.console.color_system == "standard" and not self.app.no_color:
            return self._render_note(y, "16 colours: no picture. Set TERM=xterm-256color.")
        size = self.shown_size
        if size is None:
            return self._render_note(y, f"needs {MIN_SIZE[0]}×{MIN_SIZE[1]} cells")
        row = y - (self.size.height - size // 2) // 2
        if not 0 <= row < size // 2:
            return Strip.blank(width, margin)
        picture = self._draw(self.frame, size)[row]
        left = (width - size) // 2
        if left == 0 and width == size:
            return picture
        return Strip.join(
            [Strip.blank(left, margin), picture, Strip.blank(width - size - left, margin)]
        )

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
