"""The ECG page in pixels: one picture that stays, and narrow ones for what moves over it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from rich.style import Style
from textual.strip import Strip

from ptacl_app.drawing.ecg_picture import CURSOR_PX, PageDetails, draw_over, draw_page
from ptacl_app.drawing.paper import PaperPage
from ptacl_app.drawing.paper_inks import PaperInks
from ptacl_app.drawing.picture import Picture
from ptacl_app.drawing.trace import Trace
from ptacl_app.terminal.image_layer import ImageLayer

NUM_STRIPS = 3
"""Cursor and two calipers; more lines than these are drawn into the page."""


@dataclass(frozen=True, slots=True)
class MovingLines:
    """What lies over a page: playback's cursor and step, calipers."""

    cursor_s: float | None = None
    step_span_s: tuple[float, float] | None = None
    calipers_s: tuple[float, ...] = ()


class EcgPixels:
    """Draws a page once, and again only the cells under what has moved."""

    def __init__(self, layer: ImageLayer, *, on_lost: Callable[[], object]) -> None:
        self._layer = layer
        self._slots = [layer.claim(on_lost) for _ in range(1 + NUM_STRIPS)]
        self._serial = 0
        self._base: tuple[Hashable, Picture] | None = None
        self._spans: tuple[tuple[int, int], ...] = ()
        self._lines = MovingLines()

    @property
    def cell_px(self) -> tuple[int, int]:
        """Size of a cell."""
        return self._layer.cell_px

    def release(self) -> None:
        """Give the slots back."""
        for slot in self._slots:
            self._layer.release(slot)

    def forget(self) -> None:
        """Another page is to be drawn."""
        self._serial += 1
        self._base = None

    def move(self, page: PaperPage, lines: MovingLines, *, columns: int) -> tuple[int, int] | None:
        """Take over new lines; first column and number of columns in which that changes cells."""
        if lines == self._lines:
            return None
        before = self._spans
        self._lines = lines
        self._spans = self._find_spans(page, columns)
        changed = (*before, *self._spans)
        if len(self._spans) > NUM_STRIPS or len(before) > NUM_STRIPS:
            return 0, columns
        if not changed:
            return None
        first = min(span[0] for span in changed)
        return first, max(span[1] for span in changed) - first

    def render_row(
        self,
        y: int,
        page: PaperPage,
        trace: Trace,
        details: PageDetails,
        inks: PaperInks,
        *,
        size: tuple[int, int],
        ground: Style,
        label: str,
    ) -> Strip:
        """The cells of one row; at the first row pictures are drawn as far as they are due.

        `label` is what the page shows, in words.
        """
        columns, rows = size
        if y == 0:
            self._layer.describe(self._slots[0], label)
            self._show(page, trace, details, inks, columns=columns, rows=rows)
        spans = () if len(self._spans) > NUM_STRIPS else self._spans
        parts: list[Strip] = []
        x = 0
        for slot, (first, last) in zip(self._slots[1:], spans, strict=False):
            parts.append(self._cells(self._slots[0], y, x, first - x, ground))
            parts.append(self._cells(slot, y, 0, last - first, ground))
            x = last
        parts.append(self._cells(self._slots[0], y, x, columns - x, ground))
        return Strip.join([part for part in parts if part.cell_length])

    def _cells(self, slot: int, y: int, first: int, count: int, ground: Style) -> Strip:
        return self._layer.build_strip(slot, y, first_column=first, count=count, ground=ground)

    def _show(
        self,
        page: PaperPage,
        trace: Trace,
        details: PageDetails,
        inks: PaperInks,
        *,
        columns: int,
        rows: int,
    ) -> None:
        key = (self._serial, columns, rows, page)
        if self._base is None or self._base[0] != key:
            self._base = key, draw_page(page, trace, inks, details)
            self._spans = self._find_spans(page, columns)
        base = self._base[1]
        is_whole = len(self._spans) > NUM_STRIPS
        lines = self._lines if is_whole else MovingLines()
        self._layer.show(
            self._slots[0],
            (key, lines),
            lambda: _lay_over(base, page, lines, left_px=0) if is_whole else base,
            columns=columns,
            rows=rows,
        )
        if is_whole:
            return
        width_px, height_px = self.cell_px
        for slot, (first, last) in zip(self._slots[1:], self._spans, strict=False):
            part = base.cropped(
                left=first * width_px, top=0, width=(last - first) * width_px,
                height=rows * height_px,
            )  # fmt: skip
            left_px = first * width_px
            self._layer.show(
                slot,
                (key, self._lines, first, last),
                lambda part=part, left_px=left_px: _lay_over(
                    part, page, self._lines, left_px=left_px
                ),
                columns=last - first,
                rows=rows,
            )

    def _find_spans(self, page: PaperPage, columns: int) -> tuple[tuple[int, int], ...]:
        """Columns of cells that the lines touch, merged where they meet."""
        touched = np.zeros(columns + 1, np.int8)
        width_px = self.cell_px[0]
        stretches = [(page.x_of(time_s), 1.0) for time_s in self._lines.calipers_s]
        if self._lines.cursor_s is not None:
            stretches.append((page.x_of(self._lines.cursor_s), float(CURSOR_PX)))
        if self._lines.step_span_s is not None:
            start, end = (page.x_of(time_s) for time_s in self._lines.step_span_s)
            stretches.append((max(start, page.left_px), end - max(start, page.left_px)))
        for left, width in stretches:
            first, last = int(left // width_px), int((left + width) // width_px) + 1
            if width > 0 and last > 0 and first < columns:
                touched[max(first, 0) : min(last, columns)] = 1
        edges = np.flatnonzero(np.diff(np.concatenate(([0], touched))))
        return tuple(zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True))


def _lay_over(base: Picture, page: PaperPage, lines: MovingLines, *, left_px: int) -> Picture:
    return draw_over(
        base,
        page,
        left_px=left_px,
        cursor_s=lines.cursor_s,
        step_span_s=lines.step_span_s,
        calipers_s=lines.calipers_s,
    )
