"""A 13 x 13 similarity of ECG steps and CMR steps, the current cell lit."""

from textwrap import wrap
from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ptacl_app.drawing.map_colours import colour_map
from ptacl_core.arrays import Array, Float32

NUM_STEPS = 13
CELL_COLUMNS = 2


class SimilarityMap(Widget):
    """Rows are ECG steps, columns CMR steps; a bright diagonal means aligned phases."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"map--text", "map--quiet"}
    DEFAULT_CSS = """
    SimilarityMap {
        width: 30;
        height: 9;
        background: $background;
        & .map--text { color: $foreground; background: $background; }
        & .map--quiet { color: $quiet-ink; background: $background; }
    }
    """

    step: reactive[int | None] = reactive(None, repaint=False)
    """The step that playback is in."""

    def __init__(self, *, note: str = "no map stored", id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.values: Float32[Array, "13 13"] | None = None
        self.note = note

    def show(self, values: Float32[Array, "13 13"] | None, *, note: str | None = None) -> None:
        """Show another map, or `note` in its place."""
        self.values = values
        self.note = self.note if note is None else note
        self.step = None
        self.refresh()

    def watch_step(self) -> None:
        """Light another row and column."""
        if self.values is not None:
            self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Seven rows of half blocks and one of text."""
        del container, viewport, width
        return 8

    def render_line(self, y: int) -> Strip:
        """Half blocks, then the legend."""
        width = self.size.width
        quiet = self.get_component_rich_style("map--quiet")
        if self.values is None:
            lines = wrap(self.note, max(width, 1))
            text = lines[y] if y < len(lines) else ""
            return Strip([Segment(text.ljust(width), quiet)], width)
        if y == 7:
            legend = "↓ ECG step   CMR step →"
            return Strip([Segment(legend[:width].ljust(width), quiet)], width)
        if y > 7:
            return Strip.blank(width, quiet)
        colours = colour_map(self.values, self.step)
        ground = quiet.bgcolor
        segments = []
        for column in range(NUM_STEPS):
            upper = Color.from_rgb(*colours[2 * y, column].tolist())
            below = 2 * y + 1
            lower = (
                Color.from_rgb(*colours[below, column].tolist()) if below < NUM_STEPS else ground
            )
            segments.append(Segment("▀" * CELL_COLUMNS, Style(color=upper, bgcolor=lower)))
        strip = Strip(segments, NUM_STEPS * CELL_COLUMNS)
        return strip.adjust_cell_length(width, quiet)
