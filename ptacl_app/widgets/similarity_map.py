"""A 13 x 13 similarity of ECG steps and CMR steps, the current cell lit."""

from textwrap import wrap
from typing import ClassVar

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ptacl_core.arrays import Array, Float32, UInt8

NUM_STEPS = 13
CELL_COLUMNS = 2
_LOW, _MIDDLE, _HIGH = (12, 20, 60), (90, 110, 140), (255, 225, 110)
_LIT = (245, 165, 36)
_DIM_LIT = (150, 100, 30)


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


def colour_map(
    values: Float32[Array, "row column"], step: int | None
) -> UInt8[Array, "row column rgb"]:
    """Dark blue for the lowest value, through grey, to yellow for the highest.

    The row and column of `step` are tinted amber, their crossing is plain amber.
    """
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    share = (np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-12)
    stops = np.array([_LOW, _MIDDLE, _HIGH], np.float64)
    colours = np.stack(
        [np.interp(share, (0.0, 0.5, 1.0), stops[:, channel]) for channel in range(3)], axis=-1
    )
    if step is not None:
        tint = np.array(_DIM_LIT, np.float64)
        colours[step, :] = 0.65 * colours[step, :] + 0.35 * tint
        colours[:, step] = 0.65 * colours[:, step] + 0.35 * tint
        colours[step, step] = _LIT
    return colours.astype(np.uint8)
