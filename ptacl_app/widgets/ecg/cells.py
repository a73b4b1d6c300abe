"""The ECG page in characters: braille traces on a checkerboard, for terminals without pixels."""

from collections.abc import Callable

import numpy as np
from rich.color import Color
from rich.style import Style
from textual.strip import Strip

from ptacl_app.drawing import raster
from ptacl_app.drawing.ecg_page import Ground, Ink, PageCells, draw_page
from ptacl_app.drawing.saliency import (
    MAX_TINT,
    NUM_LEVELS,
    annotate_leads,
    place_levels,
)
from ptacl_app.drawing.strips import build_strip, tint
from ptacl_app.drawing.trace import Trace
from ptacl_app.widgets.ecg.shown import EcgShown
from ptacl_core.arrays import Array

_PLAIN, _BEAT, _CURSOR, _CALIPER, _SALIENT = range(5)
"""Codes of what lies over the page; from `_SALIENT` on the levels -4 … 4."""
INK_NAMES = ("trace", "label", "clipped", "pulse", "ghost", "selected")
"""Styles of the inks in the order of `Ink`, then of the selected lead's name."""
COMPONENTS = (
    "ecg--even", "ecg--odd", "ecg--margin", "ecg--trace", "ecg--label", "ecg--selected",
    "ecg--clipped", "ecg--pulse", "ecg--ghost", "ecg--cursor", "ecg--beat", "ecg--caliper",
    "ecg--salient-up", "ecg--salient-down",
)  # fmt: skip
"""Styles that the plot gives."""


class EcgCells:
    """Keeps the page, its rows and what lay over them; draws what has changed."""

    def __init__(self, plot: EcgShown) -> None:
        self._plot = plot
        self._cells: PageCells | None = None
        self._rows: list[Strip] | None = None
        self._styles: list[Style] | None = None
        self._overlay_shown: bytes = b""

    def forget(self, *, styles: bool = False) -> None:
        """Another page, or other colours."""
        self._cells = None
        self._rows = None
        if styles:
            self._styles = None

    def render_row(self, y: int, trace: Trace) -> Strip | None:
        """One row of the page; None below it."""
        if self._cells is None:
            self._cells = draw_page(self._plot.view, trace.signal_mv, ghosts=self._plot.ghosts)
        if self._rows is None:
            self._rows = self._build_rows(self._cells)
        return self._rows[y] if y < len(self._rows) else None

    def find_changes(self) -> tuple[int, int] | None:
        """First column and number of columns in which they differ from what was painted last.

        Cursor, beat and calipers move one after another before they are painted together.
        """
        if self._cells is None:
            return None
        overlay = self._build_overlay()
        before = np.frombuffer(self._overlay_shown, np.uint8)
        if before.size != overlay.size:
            return None  # nothing was painted at this width: all of it will be
        changed = np.flatnonzero(before != overlay)
        if not changed.size:
            return None
        self._rows = None
        first, last = int(changed[0]), int(changed[-1])
        return first, last - first + 1

    def _build_rows(self, cells: PageCells) -> list[Strip]:
        plot = self._plot
        styles = self._styles = self._styles or self._build_styles()
        overlay = self._build_overlay()
        self._overlay_shown = overlay.tobytes()
        if plot.saliency is not None:
            cells = annotate_leads(cells, plot.view, plot.saliency)
        is_selected = self._find_selected_labels(cells)
        inks = np.where(is_selected, len(Ink), cells.inks).astype(np.int64)
        num_inks = len(Ink) + 1
        keys = (overlay[None, :].astype(np.int64) * len(Ground) + cells.grounds) * num_inks + inks
        return [
            build_strip(raster.decode_characters(codes), row_keys, styles)
            for codes, row_keys in zip(cells.characters, keys, strict=True)
        ]

    def _find_selected_labels(self, cells: PageCells) -> Array:
        view = self._plot.view
        is_selected = np.zeros(cells.inks.shape, bool)
        for panel in view.panels:
            if panel.lead == view.lead and panel.lead < len(view.lead_names):
                name = view.lead_names[panel.lead]
                columns = slice(panel.first_column, panel.first_column + len(name))
                is_label = cells.inks[panel.first_row, columns] == Ink.LABEL
                is_selected[panel.first_row, columns] = is_label
        return is_selected

    def _build_overlay(self) -> Array:
        plot, view = self._plot, self._plot.view
        overlay = np.zeros(view.num_columns, np.uint8)
        if plot.saliency is not None:
            levels = place_levels(view, plot.r_peak_times_s, plot.saliency.step_levels)
            overlay[:] = np.where(levels == 0, _PLAIN, _SALIENT + NUM_LEVELS + levels)
        elif plot.beat_span_s is not None:
            first, last = (self._clamped_column(time_s) for time_s in plot.beat_span_s)
            if last > first:
                overlay[first:last] = _BEAT
        if plot.cursor_s is not None:
            column = view.column_of(plot.cursor_s)
            if column is not None:
                overlay[column] = _CURSOR
        for time_s in plot.caliper_lines_s:
            column = view.column_of(time_s)
            if column is not None:
                overlay[column] = _CALIPER
        return overlay

    def _clamped_column(self, time_s: float) -> int:
        view = self._plot.view
        start_s = view.start_shown_s
        inside = min(max(time_s, start_s), start_s + view.page_s)
        first = view.column_of(start_s)
        return (first or 0) + round((inside - start_s) * view.columns_per_s)

    def _build_styles(self) -> list[Style]:
        get = self._plot.get_component_rich_style
        inks = [get(f"ecg--{name}") for name in INK_NAMES]
        grounds = [get(f"ecg--{name}") for name in ("even", "odd", "margin")]
        overlays = [get(f"ecg--{name}").bgcolor for name in ("beat", "cursor", "caliper")]
        tints = [self._tint(level) for level in range(-NUM_LEVELS, NUM_LEVELS + 1)]
        return [
            Style(color=ink.color, bold=ink.bold, bgcolor=over(ground.bgcolor))
            for over in (lambda ground: ground, *(_cover(overlay) for overlay in overlays), *tints)
            for ground in grounds
            for ink in inks
        ]

    def _tint(self, level: int) -> Callable[[Color | None], Color | None]:
        name = "ecg--salient-up" if level > 0 else "ecg--salient-down"
        colour = self._plot.get_component_rich_style(name).bgcolor
        share = MAX_TINT * abs(level) / NUM_LEVELS
        return lambda ground: tint(ground, colour, share)


def _cover(colour: Color | None) -> Callable[[Color | None], Color | None]:
    return lambda ground: colour or ground
