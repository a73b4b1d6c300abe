"""The ECG page in pixels: one picture that stays, and narrow ones over it for what moves."""

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

MAX_CALIPERS = 2
"""More lines than these (an interval marched out) are drawn into the page."""


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
        self._slot = layer.claim(on_lost)
        self._serial = 0
        self._is_doubted = True
        self._drawn: tuple[Trace, PageDetails, PaperInks] | None = None
        self._base: tuple[Hashable, Picture] | None = None
        self._lines = MovingLines()
        self._laid: MovingLines | None = None

    @property
    def cell_px(self) -> tuple[int, int]:
        """Size of a cell."""
        return self._layer.cell_px

    def release(self) -> None:
        """Give the slot back."""
        self._layer.release(self._slot)

    def forget(self) -> None:
        """The page may be another one: what is on it is looked at before it is next shown."""
        self._is_doubted = True

    def move(self, page: PaperPage, lines: MovingLines, *, size: tuple[int, int]) -> bool:
        """Take over new lines; False when the page is to be rendered for them."""
        if lines == self._lines:
            return True
        is_same_page = _find_fixed(lines) == _find_fixed(self._lines)
        self._lines = lines
        key = self._find_key(page, size)
        if self._is_doubted or not is_same_page or not self._layer.has_picture(self._slot, key):
            return False
        self._lay_lines(page, size[0])
        self._layer.ask_to_paint()
        return True

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
        if y == 0:
            self._layer.describe(self._slot, label)
            self._show(page, trace, details, inks, size)
        return self._layer.build_strip(self._slot, y, first_column=0, count=size[0], ground=ground)

    def repeat_row(self, y: int, columns: int, *, ground: Style) -> Strip:
        """The cells of one row of the page that is there."""
        return self._layer.build_strip(self._slot, y, first_column=0, count=columns, ground=ground)

    def _find_key(self, page: PaperPage, size: tuple[int, int]) -> Hashable:
        return self._serial, size, page, _find_fixed(self._lines)

    def _show(
        self,
        page: PaperPage,
        trace: Trace,
        details: PageDetails,
        inks: PaperInks,
        size: tuple[int, int],
    ) -> None:
        if self._drawn is None or (
            self._is_doubted and not _is_same(self._drawn, trace, details, inks)
        ):
            self._serial += 1
        self._drawn, self._is_doubted = (trace, details, inks), False
        key = self._find_key(page, size)
        if self._base is None or self._base[0] != key:
            base = draw_page(page, trace, inks, details)
            fixed = _find_fixed(self._lines)
            self._base = key, draw_over(base, page, calipers_s=fixed) if fixed else base
        base = self._base[1]
        columns, rows = size
        is_there = self._layer.has_picture(self._slot, key) and self._laid == self._lines
        self._layer.show(self._slot, key, lambda: base, columns=columns, rows=rows)
        if not is_there:
            self._lay_lines(page, columns)

    def _lay_lines(self, page: PaperPage, columns: int) -> None:
        """Draw the cells under what moves again."""
        assert self._base is not None
        base, width_px = self._base[1], self.cell_px[0]
        patches = []
        for first, last in self._find_spans(page, columns):
            left_px = first * width_px
            part = base.cropped(
                left=left_px, top=0, width=(last - first) * width_px, height=base.height_px
            )
            drawn = draw_over(
                part,
                page,
                left_px=left_px,
                cursor_s=self._lines.cursor_s,
                step_span_s=self._lines.step_span_s,
                calipers_s=() if _find_fixed(self._lines) else self._lines.calipers_s,
            )
            patches.append((first, last, drawn))
        self._layer.lay_over(self._slot, patches)
        self._laid = self._lines

    def _find_spans(self, page: PaperPage, columns: int) -> tuple[tuple[int, int], ...]:
        """Columns of cells that the lines touch, merged where they meet."""
        touched = np.zeros(columns + 1, np.int8)
        width_px = self.cell_px[0]
        fixed = _find_fixed(self._lines)
        moving = () if fixed else self._lines.calipers_s
        stretches = [(page.x_of(time_s), 1.0) for time_s in moving]
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


def _find_fixed(lines: MovingLines) -> tuple[float, ...]:
    """The lines that are drawn into the page."""
    return lines.calipers_s if len(lines.calipers_s) > MAX_CALIPERS else ()


def _is_same(
    drawn: tuple[Trace, PageDetails, PaperInks],
    trace: Trace,
    details: PageDetails,
    inks: PaperInks,
) -> bool:
    """True when a page with these on it looks as it did."""
    old = drawn[1]
    return (
        drawn[0] is trace
        and drawn[2] is inks
        and (old.selected_lead, old.marks, old.lead_notes)
        == (details.selected_lead, details.marks, details.lead_notes)
        and len(old.ghosts) == len(details.ghosts)
        and all(one is other for one, other in zip(old.ghosts, details.ghosts, strict=True))
        and (
            old.tints is details.tints
            if old.tints is None or details.tints is None
            else np.array_equal(old.tints, details.tints)
        )
    )
