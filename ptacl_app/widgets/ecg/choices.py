"""What the reader changes of an ECG plot: place, scale, layout, processing, calipers, marks."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ptacl_app.drawing.ecg_page import GAINS_MM_PER_MV, SPEEDS_MM_PER_S, ZOOMS, Layout
from ptacl_app.drawing.paper import PaperPage
from ptacl_app.drawing.paper_inks import PAPERS
from ptacl_app.drawing.saliency import Saliency
from ptacl_app.drawing.trace import EcgFilter, Trace
from ptacl_app.widgets.ecg.shown import EcgShown

PIXEL_ZOOMS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)


class EcgChoices(EcgShown):
    """One method for each choice; keys and mouse call them."""

    def follow_cursor(self) -> None:
        """Turn the page when the cursor has left it, unless the reader has moved it elsewhere."""
        page = self.page
        if self.cursor_s is None:
            return
        if page.holds(self.cursor_s):
            self.is_following = True
        elif self.is_following:
            pages = np.floor(self.cursor_s / page.page_s)
            self.change(start_s=float(pages * page.page_s))

    def pan(self, pages: float) -> None:
        """Move by a share of the page, at least one column."""
        self.is_following = False
        page = self.page
        if isinstance(page, PaperPage):
            self.pan_to(page.start_shown_s + pages * page.page_s)
            return
        columns = max(1, round(abs(pages) * page.page_columns))
        shift_s = np.sign(pages) * columns / page.columns_per_s
        self.change(start_s=page.start_shown_s + float(shift_s))

    def pan_to(self, start_s: float) -> None:
        """The page that starts at a time, within the recording."""
        self.is_following = False
        self._begin_at(start_s)

    def _begin_at(self, start_s: float) -> None:
        last_s = max(self.view.duration_s - self.page.page_s, 0.0)
        self.change(start_s=min(max(start_s, 0.0), last_s))

    def go_to(self, time_s: float) -> None:
        """Show the page that starts at `time_s`."""
        self.pan_to(time_s)

    def change_zoom(self, offset: int | None, *, around_s: float | None = None) -> None:
        """One step in or out, `around_s` staying where it is; None fits ten seconds."""
        if self.cell_px is None:
            self._change_cell_zoom(offset)
            return
        if offset is None:
            self.change(zoom=1.0, start_s=0.0)
            return
        nearest = min(range(len(PIXEL_ZOOMS)), key=lambda n: abs(PIXEL_ZOOMS[n] - self.view.zoom))
        zoom = PIXEL_ZOOMS[min(max(nearest + offset, 0), len(PIXEL_ZOOMS) - 1)]
        before = self.page
        middle_s = before.start_shown_s + before.page_s / 2 if around_s is None else around_s
        share = (middle_s - before.start_shown_s) / before.page_s
        self.change(zoom=zoom)
        self._begin_at(middle_s - share * self.page.page_s)  # a page that is followed stays so

    def _change_cell_zoom(self, offset: int | None) -> None:
        if offset is not None:
            place = min(range(len(ZOOMS)), key=lambda n: abs(ZOOMS[n] - self.view.zoom)) + offset
            self.change(zoom=ZOOMS[min(max(place, 0), len(ZOOMS) - 1)])
            return
        fitting = [
            zoom
            for zoom in ZOOMS
            for view in (replace(self.view, zoom=zoom),)
            if view.page_s >= min(self.view.duration_s, 10.0)
            and view.rows_per_band >= 2.5 * view.rows_per_mv
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
        """3×4 + II, 6×2, 12×1, one lead, the median beat where there is one."""
        layouts = [
            layout
            for layout in Layout
            if layout is not Layout.MEDIAN_BEAT
            or (self.ecg is not None and self.ecg.marks is not None
                and self.ecg.marks.representative_mv is not None)
        ]  # fmt: skip
        place = layouts.index(self.view.layout) if self.view.layout in layouts else -1
        self.change(layout=layouts[(place + 1) % len(layouts)], first_band=0)

    def cycle_filter(self) -> None:
        """The next processing that there is."""
        if self.ecg is not None and self.ecg.raw is None and self.ecg.raw_note:
            self.notify(self.ecg.raw_note, markup=False)
            return
        choices = (EcgFilter.MODEL,) if self.ecg is None else self.ecg.filters
        place = choices.index(self.shown_choice) if self.shown_choice in choices else -1
        self.choice = choices[(place + 1) % len(choices)]

    def cycle_paper(self) -> None:
        """Pink, dark, contrast."""
        names = list(PAPERS)
        place = names.index(self.paper) if self.paper in names else -1
        self.paper = names[(place + 1) % len(names)]

    def toggle_marks(self) -> None:
        """Onsets and offsets of the waves, on and off."""
        self.has_marks = not self.has_marks
        self.post_message(self.ViewChanged(self))

    def move_lead(self, offset: int) -> None:
        """Select the next or previous lead and bring its band onto the page."""
        lead = (self.view.lead + offset) % len(self.view.lead_names)
        bands = self.view.bands if self.view.layout is not Layout.ONE_LEAD else ((lead,),)
        band = next((index for index, leads in enumerate(bands) if lead in leads), 0)
        page = self.page
        first = page.first_band_shown
        if band < first:
            first = band
        elif band >= first + page.num_bands_shown:
            first = band - page.num_bands_shown + 1
        self.change(lead=lead, first_band=first)

    def move_caliper_to(self, time_s: float) -> None:
        """The active cursor to the sample nearest to a moment."""
        if self.calipers is not None and self.trace is not None:
            self.set_calipers(self.calipers.moved_to(time_s, self.trace))

    def show_saliency(self, saliency: Saliency | None) -> None:
        """Tint the steps of every beat and write each lead's change behind its name."""
        if saliency is not self.saliency:
            self.saliency = saliency
            self.forget()
            self.refresh()

    def show_ghosts(self, ghosts: tuple[Trace, ...]) -> None:
        """Draw other recordings under the trace."""
        self.ghosts = ghosts
        self.forget()
        self.refresh()

    def move_marks(self, moved: Mapping[tuple[int, str], float]) -> None:
        """Where people have moved marks to, by number of the beat and name."""
        self.moved_marks = dict(moved)
        self.forget()
        self.refresh()
