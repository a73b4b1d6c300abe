"""The 12-lead ECG on its grid, with the playback cursor and calipers."""

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ptacl_app.data.patient_view import EcgView
from ptacl_app.drawing import raster
from ptacl_app.drawing.calipers import Calipers
from ptacl_app.drawing.ecg_page import (
    DURATION_S,
    GAINS_MM_PER_MV,
    SPEEDS_MM_PER_S,
    ZOOMS,
    Ground,
    Ink,
    Layout,
    PageCells,
    PageView,
    draw_page,
)
from ptacl_app.drawing.saliency import MAX_TINT, NUM_LEVELS, Saliency, annotate_leads, place_levels
from ptacl_app.drawing.strips import build_strip, tint
from ptacl_core.arrays import Array
from ptacl_core.records import LEAD_NAMES

_PLAIN, _BEAT, _CURSOR, _CALIPER, _SALIENT = range(5)
"""Codes of what lies over the page; from `_SALIENT` on the levels -4 … 4."""


class EcgPlot(Widget, can_focus=True):
    """Draws one recording at true aspect; emits what the reader points at."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "ecg--even",
        "ecg--odd",
        "ecg--margin",
        "ecg--trace",
        "ecg--label",
        "ecg--selected",
        "ecg--clipped",
        "ecg--pulse",
        "ecg--cursor",
        "ecg--beat",
        "ecg--caliper",
        "ecg--salient-up",
        "ecg--salient-down",
    }
    DEFAULT_CSS = """
    EcgPlot {
        height: 1fr;
        background: $ecg-margin;
        & .ecg--even { background: $ecg-even; }
        & .ecg--odd { background: $ecg-odd; }
        & .ecg--margin { background: $ecg-margin; }
        & .ecg--trace { color: $ecg-trace; }
        & .ecg--label { color: $ecg-label; text-style: bold; }
        & .ecg--selected { color: $accent; text-style: bold; }
        & .ecg--clipped { color: $ecg-clipped; text-style: bold; }
        & .ecg--pulse { color: $ecg-pulse; }
        & .ecg--cursor { background: $ecg-cursor; }
        & .ecg--beat { background: $ecg-beat; }
        & .ecg--caliper { background: $ecg-caliper; }
        & .ecg--salient-up { background: $salient-up; }
        & .ecg--salient-down { background: $salient-down; }
    }
    """

    view: reactive[PageView] = reactive(lambda: PageView(0, 0), layout=False)
    """What of the recording is on the page, and how."""
    cursor_s: reactive[float | None] = reactive(None, repaint=False)
    """Where playback stands."""
    beat_span_s: reactive[tuple[float, float] | None] = reactive(None, repaint=False)
    """The beat that playback is in."""

    class ViewChanged(Message):
        """The page shows another time, lead, scale or layout."""

        def __init__(self, plot: "EcgPlot") -> None:
            self.plot = plot
            super().__init__()

        @property
        def control(self) -> "EcgPlot":
            """The plot that changed."""
            return self.plot

    class TimePicked(Message):
        """The reader pointed at a moment of the recording."""

        def __init__(self, time_s: float) -> None:
            self.time_s = time_s
            super().__init__()

    class CalipersMoved(Message):
        """A caliper moved, appeared or went."""

        def __init__(self, calipers: Calipers | None) -> None:
            self.calipers = calipers
            super().__init__()

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.ecg: EcgView | None = None
        self.note = ""
        self.calipers: Calipers | None = None
        self.saliency: Saliency | None = None
        self._cells: PageCells | None = None
        self._rows: list[Strip] | None = None
        self._styles: list[Style] | None = None
        self._overlay_shown: bytes = b""

    # --- what is shown

    def show(self, ecg: EcgView | None, *, note: str = "") -> None:
        """Show another recording (or `note`) from its start, in the scale and layout that stand."""
        self.ecg = ecg
        self.note = note
        self.set_calipers(None)
        self.saliency = None
        self.cursor_s = None
        self.beat_span_s = None
        self._forget()
        self.view = replace(self.view, start_s=0.0)
        self.refresh()

    def change(self, **fields: object) -> None:
        """Change fields of `view`, redraw and tell."""
        view = replace(self.view, **fields)  # type: ignore[arg-type]
        if view != self.view:
            self.view = view
            self.post_message(self.ViewChanged(self))

    def watch_view(self) -> None:
        """A new page is drawn when it is next painted."""
        self._forget()

    def on_resize(self, event: events.Resize) -> None:
        """The page takes the cells that there are."""
        self.change(num_columns=event.size.width, num_rows=event.size.height)

    def notify_style_update(self) -> None:
        """Another theme, other styles."""
        super().notify_style_update()
        self._styles = None
        self._rows = None

    def watch_cursor_s(self, before: float | None, after: float | None) -> None:
        """Repaint the columns between the old and the new cursor, nothing else."""
        del before, after
        self._repaint_overlay()

    def watch_beat_span_s(self) -> None:
        """The beat's ground moves with it."""
        self._repaint_overlay()

    def follow_cursor(self) -> None:
        """Turn the page when the cursor has left it."""
        if self.cursor_s is not None and self.view.column_of(self.cursor_s) is None:
            pages = np.floor(self.cursor_s / self.view.page_s)
            self.change(start_s=float(pages * self.view.page_s))

    # --- choices of the reader

    def pan(self, pages: float) -> None:
        """Move by a share of the page, at least one column."""
        columns = max(1, round(abs(pages) * self.view.page_columns))
        shift_s = np.sign(pages) * columns / self.view.columns_per_s
        self.change(start_s=self.view.start_shown_s + float(shift_s))

    def go_to(self, time_s: float) -> None:
        """Show the page that starts at `time_s`."""
        self.change(start_s=min(max(time_s, 0.0), DURATION_S))

    def change_zoom(self, offset: int | None) -> None:
        """One cell-exact step in or out; None fits the layout's ten seconds and ±1 mV."""
        if offset is not None:
            place = ZOOMS.index(self.view.zoom) + offset
            self.change(zoom=ZOOMS[min(max(place, 0), len(ZOOMS) - 1)])
            return
        fitting = [
            zoom
            for zoom in ZOOMS
            for view in (replace(self.view, zoom=zoom),)
            if view.page_s >= DURATION_S and view.rows_per_band >= 2.5 * view.rows_per_mv
        ]
        self.change(zoom=max(fitting, default=1), start_s=0.0)

    def cycle_gain(self) -> None:
        """5, 10, 20 mm/mV."""
        place = GAINS_MM_PER_MV.index(self.view.gain_mm_per_mv)
        self.change(gain_mm_per_mv=GAINS_MM_PER_MV[(place + 1) % len(GAINS_MM_PER_MV)])

    def cycle_speed(self) -> None:
        """25, 50 mm/s."""
        place = SPEEDS_MM_PER_S.index(self.view.speed_mm_per_s)
        self.change(speed_mm_per_s=SPEEDS_MM_PER_S[(place + 1) % len(SPEEDS_MM_PER_S)])

    def cycle_layout(self) -> None:
        """3×4 + II, 6×2, 12×1, one lead."""
        layouts = list(Layout)
        self.change(
            layout=layouts[(layouts.index(self.view.layout) + 1) % len(layouts)], first_band=0
        )

    def move_lead(self, offset: int) -> None:
        """Select the next or previous lead and bring its band onto the page."""
        lead = (self.view.lead + offset) % len(LEAD_NAMES)
        bands = self.view.bands if self.view.layout is not Layout.ONE_LEAD else ((lead,),)
        band = next(index for index, leads in enumerate(bands) if lead in leads)
        first = self.view.first_band_shown
        if band < first:
            first = band
        elif band >= first + self.view.num_bands_shown:
            first = band - self.view.num_bands_shown + 1
        self.change(lead=lead, first_band=first)

    def set_calipers(self, calipers: Calipers | None) -> None:
        """Show, move or remove the two measuring cursors."""
        if calipers != self.calipers:
            self.calipers = calipers
            self._repaint_overlay()
            self.post_message(self.CalipersMoved(calipers))

    def show_saliency(self, saliency: Saliency | None) -> None:
        """Tint the steps of every beat and write each lead's change behind its name."""
        if saliency is not self.saliency:
            self.saliency = saliency
            self._rows = None
            self.refresh()

    # --- the mouse

    def on_click(self, event: events.Click) -> None:
        """A click selects the lead and moves playback to the moment; twice: one lead."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        panel = self.view.panel_at(offset.x, offset.y)
        time_s = self.view.time_of(offset.x)
        if panel is None or time_s is None:
            return
        if event.chain == 2:
            one = self.view.layout is not Layout.ONE_LEAD
            layout = Layout.ONE_LEAD if one else Layout.THREE_BY_FOUR
            self.change(layout=layout, lead=panel.lead)
            return
        self.change(lead=panel.lead)
        if self.calipers is not None:
            self.set_calipers(self.calipers.moved_to(time_s))
        else:
            self.post_message(self.TimePicked(time_s))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel pans; with Ctrl it zooms."""
        event.stop()
        if event.ctrl:
            self.change_zoom(-1)
        else:
            self.pan(0.1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel pans; with Ctrl it zooms."""
        event.stop()
        if event.ctrl:
            self.change_zoom(1)
        else:
            self.pan(-0.1)

    # --- drawing

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """All there is."""
        del viewport
        return container.width

    def render_line(self, y: int) -> Strip:
        """One row of the page."""
        width = self.size.width
        if self.ecg is None and y == self.size.height // 2:
            style = self.get_component_rich_style("ecg--label")
            return Strip([Segment(self.note[:width].center(width), style)], width)
        if self.ecg is None or self.view.num_columns != width:
            return Strip.blank(width, self.get_component_rich_style("ecg--margin"))
        if self._cells is None:
            self._cells = draw_page(self.view, self.ecg.signal_mv)
        if self._rows is None:
            self._rows = self._build_rows(self._cells)
        if y >= len(self._rows):
            return Strip.blank(width, self.get_component_rich_style("ecg--margin"))
        return self._rows[y]

    def _build_rows(self, cells: PageCells) -> list[Strip]:
        styles = self._styles = self._styles or self._build_styles()
        overlay = self._build_overlay()
        self._overlay_shown = overlay.tobytes()
        if self.saliency is not None:
            cells = annotate_leads(cells, self.view, self.saliency)
        is_selected = self._find_selected_labels(cells)
        inks = np.where(is_selected, len(Ink), cells.inks).astype(np.int64)
        num_inks = len(Ink) + 1
        keys = (overlay[None, :].astype(np.int64) * len(Ground) + cells.grounds) * num_inks + inks
        return [
            build_strip(raster.decode_characters(codes), row_keys, styles)
            for codes, row_keys in zip(cells.characters, keys, strict=True)
        ]

    def _find_selected_labels(self, cells: PageCells) -> Array:
        is_selected = np.zeros(cells.inks.shape, bool)
        for panel in self.view.panels:
            if panel.lead == self.view.lead:
                name = LEAD_NAMES[panel.lead]
                columns = slice(panel.first_column, panel.first_column + len(name))
                is_label = cells.inks[panel.first_row, columns] == Ink.LABEL
                is_selected[panel.first_row, columns] = is_label
        return is_selected

    def _build_overlay(self) -> Array:
        overlay = np.zeros(self.view.num_columns, np.uint8)
        if self.saliency is not None and self.ecg is not None:
            levels = place_levels(self.view, self.ecg.r_peak_times_s, self.saliency.step_levels)
            overlay[:] = np.where(levels == 0, _PLAIN, _SALIENT + NUM_LEVELS + levels)
        elif self.beat_span_s is not None:
            first, last = (self._clamped_column(time_s) for time_s in self.beat_span_s)
            if last > first:
                overlay[first:last] = _BEAT
        if self.cursor_s is not None:
            column = self.view.column_of(self.cursor_s)
            if column is not None:
                overlay[column] = _CURSOR
        if self.calipers is not None:
            for time_s in self.calipers.times_s:
                column = self.view.column_of(time_s)
                if column is not None:
                    overlay[column] = _CALIPER
        return overlay

    def _clamped_column(self, time_s: float) -> int:
        start_s = self.view.start_shown_s
        inside = min(max(time_s, start_s), start_s + self.view.page_s)
        first = self.view.column_of(start_s)
        return (first or 0) + round((inside - start_s) * self.view.columns_per_s)

    def _build_styles(self) -> list[Style]:
        get = self.get_component_rich_style
        inks = [get(f"ecg--{name}") for name in ("trace", "label", "clipped", "pulse", "selected")]
        grounds = [get(f"ecg--{name}") for name in ("even", "odd", "margin")]
        overlays = [get(f"ecg--{name}").bgcolor for name in ("beat", "cursor", "caliper")]
        tints = [self._tint(level) for level in range(-NUM_LEVELS, NUM_LEVELS + 1)]
        return [
            Style(color=ink.color, bold=ink.bold, bgcolor=over(ground.bgcolor))
            for over in (lambda ground: ground, *(_cover(each) for each in overlays), *tints)
            for ground in grounds
            for ink in inks
        ]

    def _tint(self, level: int) -> Callable[[Color | None], Color | None]:
        name = "ecg--salient-up" if level > 0 else "ecg--salient-down"
        colour = self.get_component_rich_style(name).bgcolor
        share = MAX_TINT * abs(level) / NUM_LEVELS
        return lambda ground: tint(ground, colour, share)

    def _repaint_overlay(self) -> None:
        if self._rows is None or self._cells is None:
            return
        overlay = self._build_overlay()
        before = np.frombuffer(self._overlay_shown, np.uint8)
        changed = np.flatnonzero(before != overlay)
        if changed.size:
            self._rows = None
            first, last = int(changed[0]), int(changed[-1])
            self.refresh(Region(first, 0, last - first + 1, self.size.height))

    def _forget(self) -> None:
        self._cells = None
        self._rows = None


def _cover(colour: Color | None) -> Callable[[Color | None], Color | None]:
    return lambda ground: colour or ground
