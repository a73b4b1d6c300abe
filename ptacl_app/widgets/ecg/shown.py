"""What an ECG plot shows: recording, processing, page, calipers, marks; not how it is drawn."""

from collections.abc import Mapping
from dataclasses import replace

from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from ptacl_app.data.patient_view import EcgView
from ptacl_app.drawing.beat_traces import build_median_trace, list_marks, list_median_marks
from ptacl_app.drawing.calipers import Calipers
from ptacl_app.drawing.ecg_page import Layout, PageView
from ptacl_app.drawing.ecg_picture import Mark
from ptacl_app.drawing.paper import PAGE_MM, PaperPage, measure_extremes
from ptacl_app.drawing.saliency import Saliency
from ptacl_app.drawing.trace import EcgFilter, Trace, filter_trace

RHYTHM_LEAD = 1


class EcgShown(Widget):
    """The state of a plot; `forget` and `repaint_moved` are the drawing's."""

    view: reactive[PageView] = reactive(lambda: PageView(0, 0), layout=False)
    """What of the recording is on the page, and how."""
    choice: reactive[EcgFilter] = reactive(EcgFilter.RAW)
    """The processing that the trace has had."""
    paper: reactive[str] = reactive("")
    """Colours of the page in pixels; empty: what goes with the theme."""
    cursor_s: reactive[float | None] = reactive(None, repaint=False)
    """Where playback stands."""
    beat_span_s: reactive[tuple[float, float] | None] = reactive(None, repaint=False)
    """The beat that playback is in."""
    has_marks: reactive[bool] = reactive(False)
    """Onsets and offsets of the waves are drawn."""

    class ViewChanged(Message, namespace="ecg_plot"):
        """The page shows another time, lead, scale, layout or processing."""

        def __init__(self, plot: "EcgShown") -> None:
            self.plot = plot
            super().__init__()

        @property
        def control(self) -> "EcgShown":
            """The plot that changed."""
            return self.plot

    class TimePicked(Message, namespace="ecg_plot"):
        """The reader pointed at a moment of the recording."""

        def __init__(self, time_s: float) -> None:
            self.time_s = time_s
            super().__init__()

    class CalipersMoved(Message, namespace="ecg_plot"):
        """A caliper moved, appeared or went."""

        def __init__(self, calipers: Calipers | None) -> None:
            self.calipers = calipers
            super().__init__()

    class MarkMoved(Message, namespace="ecg_plot"):
        """The reader dragged a mark to another moment."""

        def __init__(self, mark: Mark, time_s: float) -> None:
            self.mark, self.time_s = mark, time_s
            super().__init__()

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.ecg: EcgView | None = None
        self.note = ""
        self.calipers: Calipers | None = None
        self.saliency: Saliency | None = None
        self.is_following = True
        """The page turns with the cursor; not behind a reader who has moved it."""
        self.ghosts: tuple[Trace, ...] = ()
        self.shared_extremes_mv: tuple[tuple[float, float], ...] = ()
        """Those of two recordings that stand side by side, so that both get one gain."""
        self.moved_marks: Mapping[tuple[int, str], float] = {}
        self._traces: dict[EcgFilter | Layout, Trace | None] = {}
        self._extremes: dict[int, tuple[tuple[float, float], ...]] = {}
        self._page: tuple[object, PaperPage] | None = None
        self.cell_px: tuple[int, int] | None = None

    @property
    def has_pixels(self) -> bool:
        """True when pictures are drawn, not characters."""
        return self.cell_px is not None

    @property
    def trace(self) -> Trace | None:
        """What is drawn: the recording in the processing chosen, or its median beat."""
        if self.ecg is None:
            return None
        if self.view.layout is Layout.MEDIAN_BEAT:
            if Layout.MEDIAN_BEAT not in self._traces:
                marks = self.ecg.marks
                self._traces[Layout.MEDIAN_BEAT] = marks and build_median_trace(marks)
            return self._traces[Layout.MEDIAN_BEAT]
        choice = self.shown_choice
        if choice not in self._traces:
            raw = self.ecg.raw
            self._traces[choice] = (
                self.ecg.model_trace
                if choice is EcgFilter.MODEL or raw is None
                else filter_trace(raw, choice)
            )
        return self._traces[choice]

    @property
    def shown_choice(self) -> EcgFilter:
        """The processing chosen, or the model's view where there is nothing else."""
        if self.ecg is None or self.choice in self.ecg.filters:
            return self.choice
        return EcgFilter.MODEL

    @property
    def rhythm_lead(self) -> int:
        """The lead that the whole recording is told by: the one shown alone, else II."""
        num_leads = len(self.view.lead_names)
        lead = self.view.lead if self.view.layout is Layout.ONE_LEAD else RHYTHM_LEAD
        return min(lead, num_leads - 1)

    @property
    def r_peak_times_s(self) -> tuple[float, ...]:
        """The beats found."""
        return () if self.ecg is None else self.ecg.r_peak_times_s

    @property
    def page(self) -> PageView | PaperPage:
        """Times and places of the page, in pixels or in cells."""
        trace = self.trace
        if self.cell_px is None or trace is None:
            return self.view
        key = (self.view, id(trace), self.cell_px, self.shared_extremes_mv)
        if self._page is None or self._page[0] != key:
            self._page = key, self._lay_out(trace, self.cell_px)
        return self._page[1]

    def _lay_out(self, trace: Trace, cell_px: tuple[int, int]) -> PaperPage:
        if id(trace) not in self._extremes:
            self._extremes = {id(trace): measure_extremes(trace.signal_mv)}
        width_px, height_px = cell_px
        view = self.view
        is_median = view.layout is Layout.MEDIAN_BEAT
        fitting = PAGE_MM / view.speed_mm_per_s / max(trace.duration_s, 0.1)
        return PaperPage(
            width_px=max(view.num_columns, 1) * width_px,
            height_px=max(view.num_rows, 1) * height_px,
            bands=view.bands,
            duration_s=trace.duration_s,
            extremes_mv=self.shared_extremes_mv or self._extremes[id(trace)],
            start_s=view.start_s,
            zoom=fitting if is_median else float(view.zoom),
            first_band=view.first_band,
            wanted_gain_mm_per_mv=view.gain_mm_per_mv,
            speed_mm_per_s=view.speed_mm_per_s,
        )

    @property
    def caliper_lines_s(self) -> tuple[float, ...]:
        """Where calipers stand, the marched ones too."""
        if self.calipers is None:
            return ()
        page = self.page
        return self.calipers.lines_s(page.start_shown_s, page.start_shown_s + page.page_s)

    @property
    def visible_marks(self) -> tuple[Mark, ...]:
        """The marks that are drawn, where people have moved them to."""
        marks = None if self.ecg is None or not self.has_marks else self.ecg.marks
        if marks is None:
            return ()
        if self.view.layout is Layout.MEDIAN_BEAT:
            return list_median_marks(marks)
        return tuple(
            replace(mark, time_s=self.moved_marks.get((mark.beat, mark.name), mark.time_s))
            for mark in list_marks(marks)
        )

    def show(self, ecg: EcgView | None, *, note: str = "") -> None:
        """Show another recording (or `note`) from its start, in the scale and layout that stand."""
        self.ecg = ecg
        self.note = note
        self._traces.clear()
        self._extremes.clear()
        self._page = None
        self.ghosts = ()
        self.moved_marks = {}
        self.is_following = True
        self.set_calipers(None)
        self.saliency = None
        self.cursor_s = None
        self.beat_span_s = None
        self._fit_view(start_s=0.0)
        self.forget()
        self.refresh()

    def take(self, ecg: EcgView) -> None:
        """The same recording with more of it known; place, scale and calipers stay."""
        if ecg is self.ecg:
            return
        self.ecg = ecg
        self._traces.clear()
        self._extremes.clear()
        self._page = None
        self._fit_view()
        self.forget()
        self.refresh()
        self.post_message(self.ViewChanged(self))

    def change(self, **fields: object) -> None:
        """Change fields of `view`, redraw and tell."""
        view = replace(self.view, **fields)
        if view != self.view:
            has_other_trace = view.layout is not self.view.layout
            self.view = view
            if has_other_trace:
                self._fit_view()
            self.post_message(self.ViewChanged(self))

    def _fit_view(self, **fields: object) -> None:
        """Length, rate and leads of the view are those of what is drawn."""
        trace = self.trace
        if trace is not None:
            fields |= {
                "duration_s": trace.duration_s,
                "sampling_rate_hz": trace.sampling_rate_hz,
                "lead_names": trace.lead_names,
                "lead": min(self.view.lead, len(trace.lead_names) - 1),
            }
        self.view = replace(self.view, **fields)

    def set_calipers(self, calipers: Calipers | None) -> None:
        """Show, move or remove the two measuring cursors."""
        if calipers != self.calipers:
            self.calipers = calipers
            self.repaint_moved()
            self.post_message(self.CalipersMoved(calipers))

    def forget(self) -> None:
        """What was drawn is no longer true."""
        raise NotImplementedError

    def repaint_moved(self) -> None:
        """Cursor, beat or calipers stand elsewhere."""
        raise NotImplementedError
