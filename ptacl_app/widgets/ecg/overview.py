"""The whole recording in one row under the page, and which part of it the page shows."""

from typing import ClassVar

import numpy as np
from rich.style import Style
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ptacl_app.drawing import raster
from ptacl_app.drawing.strips import build_strip
from ptacl_app.drawing.trace import Trace
from ptacl_app.shell.services import services_of
from ptacl_app.widgets.pointer import place_of
from ptacl_core.arrays import Array

FILL = 0.92
"""Share of the row's height that the lead's usual span takes."""
_OUTSIDE, _INSIDE, _CAPTION = range(3)


class OverviewStrip(Widget):
    """Shown while the page holds less than the recording; a click or drag moves the page."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "overview--outside", "overview--inside", "overview--caption",
    }  # fmt: skip
    DEFAULT_CSS = """
    OverviewStrip {
        height: 1; display: none;
        &.-needed { display: block; }
        & .overview--outside { color: $quiet-ink; background: $ecg-margin; }
        & .overview--inside { color: $ecg-trace; background: $ecg-beat; }
        & .overview--caption { color: $quiet-ink; background: $panel; }
    }
    """

    class Picked(Message):
        """The reader pointed at a moment of the recording, to be the page's middle."""

        def __init__(self, time_s: float) -> None:
            self.time_s = time_s
            super().__init__()

    span_s: reactive[tuple[float, float]] = reactive((0.0, 0.0))
    """First and last moment on the page."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._trace: Trace | None = None
        self._lead = 0
        self._drawn: tuple[int, str] | None = None
        self._is_held = False

    def show(self, trace: Trace | None, *, lead: int, span_s: tuple[float, float]) -> None:
        """The recording, the lead drawn of it, and the part on the page."""
        if trace is not self._trace or lead != self._lead:
            self._trace, self._lead, self._drawn = trace, lead, None
            self.refresh()
        self.span_s = span_s
        page_s = span_s[1] - span_s[0]
        self.set_class(trace is not None and trace.duration_s > page_s + 0.05, "-needed")

    @property
    def caption(self) -> str:
        """Lead and length of the recording; empty in a narrow pane."""
        if self._trace is None or self.size.width < 60:
            return ""
        return f" {self._trace.lead_names[self._lead]} {self._trace.duration_s:.0f} s "

    def render_line(self, y: int) -> Strip:
        """The row."""
        width = self.size.width
        styles = [self._style(name) for name in ("outside", "inside", "caption")]
        trace = self._trace
        caption = self.caption
        room = width - len(caption)
        if trace is None or y > 0 or room < 2:
            return Strip.blank(width, styles[_OUTSIDE])
        if self._drawn is None or self._drawn[0] != room:
            self._drawn = room, draw_row(trace, self._lead, num_columns=room)
        keys = np.full(width, _OUTSIDE)
        keys[: len(caption)] = _CAPTION
        first, last = (self._column_of(moment, room) for moment in self.span_s)
        keys[len(caption) + first : len(caption) + max(last, first + 1)] = _INSIDE
        return build_strip(caption + self._drawn[1], keys, styles)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"overview--{name}")

    def _column_of(self, time_s: float, room: int) -> int:
        assert self._trace is not None
        share = (time_s - self._trace.offset_s) / max(self._trace.duration_s, 1e-9)
        return min(max(round(share * room), 0), room)

    def time_at(self, x: float) -> float | None:
        """The moment under a place in cells."""
        room = self.size.width - len(self.caption)
        if self._trace is None or room <= 0:
            return None
        share = min(max((x - len(self.caption)) / room, 0.0), 1.0)
        return self._trace.offset_s + share * self._trace.duration_s

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Move the page there, and with the mouse until the button is let go."""
        self._is_held = True
        self.capture_mouse()
        self._pick(place_of(event, services_of(self).images)[0])

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drag the page along."""
        if self._is_held:
            self._pick(place_of(event, services_of(self).images)[0])

    def on_mouse_up(self) -> None:
        """Let go."""
        self._is_held = False
        self.release_mouse()

    def _pick(self, x: float) -> None:
        time_s = self.time_at(x)
        if time_s is not None:
            self.post_message(self.Picked(time_s))


def draw_row(trace: Trace, lead: int, *, num_columns: int) -> str:
    """A lead's whole recording in one row of braille; its usual span fills the height."""
    signal = trace.signal_mv[lead]
    levels = signal[np.isfinite(signal)]
    if levels.size == 0:
        return " " * num_columns
    low, high = np.quantile(levels, (0.001, 0.999))
    num_dots = num_columns * raster.DOTS_PER_COLUMN
    centred = np.nan_to_num(signal - (low + high) / 2)
    envelope = raster.compute_envelope(
        centred.astype(np.float32), num_dots=num_dots, samples_per_dot=signal.size / num_dots
    )
    span_dots = raster.DOTS_PER_ROW * FILL
    top, bottom = raster.compute_dot_rows(
        *envelope,
        dots_per_mv=span_dots / max(float(high - low), 1e-3),
        baseline_dot=raster.DOTS_PER_ROW // 2,
    )
    return raster.decode_characters(_pack(top, bottom))


def _pack(top: Array, bottom: Array) -> Array:
    dots = raster.fill_dots(top, bottom, num_dot_rows=raster.DOTS_PER_ROW)
    return raster.pack_braille(dots)[0]
