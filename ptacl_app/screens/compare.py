"""Two ECGs: the patient's and another visit's or file's, side by side or one over the other."""

from pathlib import Path
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from ptacl_app.data.figure_differences import describe_differences
from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.drawing.paper import measure_extremes
from ptacl_app.drawing.prior import align_at_beat, build_median_ghost
from ptacl_app.drawing.trace import Trace
from ptacl_app.screens.patient_lines import describe_page
from ptacl_app.screens.worker_faults import WorkerFaults
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.text.formatting import format_number, safe
from ptacl_app.text.pasted_path import read_pasted_path
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.key_footer import KeyFooter
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.path_suggester import PathSuggester
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_app.widgets.title_line import TitleLine
from ptacl_core.errors import PtaclError

LINKED = ("layout", "lead", "first_band", "start_s", "zoom", "gain_mm_per_mv", "speed_mm_per_s")
"""What both pages share."""
BESIDE_COLUMNS = 120
"""Narrower terminals have one page above the other."""
NO_OTHER = "no other visit of this person has an ECG: ctrl+o compares with a file, Esc closes"


class CompareScreen(WorkerFaults, Screen[None]):
    """Both pages have one scale and move together; the figures and their change stand below."""

    BINDINGS: ClassVar = build_bindings("compare")
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    CompareScreen {
        & #pair { height: 1fr; }
        & #pair > Vertical { width: 1fr; }
        & #other-side { margin-left: 1; }
        & #figures { height: 4; color: $foreground; }
        & #note { height: auto; color: $warning-ink; padding: 0 1; }
        & #path { display: none; border: none; height: 1; background: $panel; padding: 0 1; }
        &.-asking #path { display: block; }
        &.-overlaid #other-side { display: none; }
        &.-stacked #pair { layout: vertical; }
        &.-stacked #other-side { margin-left: 0; }
    }
    """
    scopes = ("compare",)

    def __init__(self, patient: PatientView) -> None:
        super().__init__()
        self.patient = patient
        self.other: PatientView | None = None
        self._others: tuple[int, ...] = ()

    def compose(self) -> ComposeResult:
        """Two heads and pages, the figures, a path that is asked for when wanted."""
        yield TitleLine(id="title")
        with Horizontal(id="pair"):
            with Vertical(id="now-side"):
                yield PaneHead("", id="now-head", classes="-focused")
                yield EcgPlot(id="now")
            with Vertical(id="other-side"):
                yield PaneHead("", id="other-head")
                yield EcgPlot(id="other")
        yield SafeInput(
            placeholder="path of the ECG to compare with (→ completes, Enter reads it)",
            suggester=PathSuggester(),
            id="path",
        )
        yield Static("", id="note", markup=False)
        yield Static("", id="figures", markup=False)
        yield KeyFooter("compare")

    def on_mount(self) -> None:
        """Show the patient's ECG; look for another visit's."""
        title = self.query_one("#title", TitleLine)
        title.place = "Compare"
        title.detail = self._app.names.name_of(self.patient.patient)
        self._now.show(self.patient.ecg, note="no ECG for this visit")
        self._now.focus()
        self.watch(self.app, "patient", self._follow_patient)
        if self.patient.origin == "cohort":
            self.load_visit(None)
        else:
            self.action_ask_file()
        self._describe()

    @property
    def _now(self) -> EcgPlot:
        return self.query_one("#now", EcgPlot)

    @property
    def _beside(self) -> EcgPlot:
        return self.query_one("#other", EcgPlot)

    def _follow_patient(self, patient: PatientView | None) -> None:
        """Take what has become known of the patient; of another one this is not about."""
        if patient is None or not patient.shows_same_recordings(self.patient):
            self.action_close()
            return
        if patient.ecg is not None and patient is not self.patient:
            self.patient = patient
            self._now.take(patient.ecg)
            self._share_scale()

    # --- the other ECG

    @work(thread=True, exclusive=True, group="other", exit_on_error=False)
    def load_visit(self, visit: int | None) -> None:
        """Read another visit, the one before this where None; `OtherRead` or `PaneFailed`."""
        app, reader = self._app, self._app.reader
        if reader is None:
            return
        patient = self.patient
        try:
            others = reader.list_ecg_visits(patient.patient, besides=patient.visit)
            if visit is None and others:
                before = [number for number in others if number < patient.visit]
                visit = before[-1] if before else others[0]
            if visit is None:
                self.post_message(messages.PaneFailed("compare", NO_OTHER))
                return
            view = reader.load_patient(patient.patient, visit, num_neighbours=0)
            view = app.with_original(view, is_wanted=lambda: self.is_running)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("compare", safe(error, max_length=300)))
            return
        self.post_message(messages.OtherRead(view, others))

    @work(thread=True, exclusive=True, group="other", exit_on_error=False)
    def load_file(self, path: Path) -> None:
        """Read a file; `OtherRead` or `PaneFailed` follows."""
        try:
            view = self._app.files.read(path)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("compare", safe(error, max_length=300)))
            return
        self.post_message(messages.OtherRead(view, self._others))

    def on_other_read(self, message: messages.OtherRead) -> None:
        """Show it beside the patient's, at the same scale."""
        self.other, self._others = message.patient, message.others
        self.remove_class("-asking")
        self._say("")
        self._beside.show(self.other.ecg, note="no ECG for this visit")
        self._share_scale()
        self._link(self._now)
        self._now.focus()
        self._describe()

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """Say why there is nothing to compare with."""
        message.stop()
        self._say(message.text)

    def _say(self, text: str) -> None:
        self.query_one("#note", Static).update(text)

    # --- both pages alike

    def on_resize(self, event: events.Resize) -> None:
        """Beside each other where there is room."""
        self.set_class(event.size.width < BESIDE_COLUMNS, "-stacked")
        self.call_after_refresh(self._describe)

    def _share_scale(self) -> None:
        """One gain for both pages: that which fits the larger trace."""
        traces = [plot.trace for plot in (self._now, self._beside) if plot.trace is not None]
        shared: tuple[tuple[float, float], ...] = ()
        if len(traces) == 2:
            extremes = [measure_extremes(trace.signal_mv) for trace in traces]
            shared = tuple(
                (min(low for low, _ in lead), max(high for _, high in lead))
                for lead in zip(*extremes, strict=False)
            )
            if len(shared) < max(map(len, extremes)):
                shared = ()  # one has leads that the other lacks: each for itself
        for plot in (self._now, self._beside):
            plot.shared_extremes_mv = shared
            plot.forget()
            plot.refresh()

    def on_ecg_plot_view_changed(self, message: EcgPlot.ViewChanged) -> None:
        """What one page does the other does too."""
        if isinstance(message.plot, EcgPlot):
            self._link(message.plot)
        self._describe()

    def _link(self, moved: EcgPlot) -> None:
        follower = self._beside if moved is self._now else self._now
        if follower.ecg is not None:
            fields = {name: getattr(moved.view, name) for name in LINKED}
            lead = min(int(fields["lead"]), len(follower.view.lead_names) - 1)
            follower.change(**{**fields, "lead": lead})
            if moved.choice in follower.ecg.filters:
                follower.choice = moved.choice
        self._lay_under()

    def _lay_under(self) -> None:
        """The other ECG under this one, beats or median beats upon each other."""
        ghost = self._find_ghost() if self.has_class("-overlaid") else None
        ghosts = () if ghost is None else (ghost,)
        if ghosts != self._now.ghosts:
            self._now.show_ghosts(ghosts)

    def _find_ghost(self) -> Trace | None:
        now, other = self._now.ecg, self._beside.ecg
        trace = self._beside.trace
        if now is None or other is None or trace is None:
            return None
        if self._now.view.layout is Layout.MEDIAN_BEAT:
            if now.marks is None or other.marks is None:
                return None
            return build_median_ghost(other.marks, now.marks)
        page = self._now.page
        return align_at_beat(
            trace,
            other.r_peak_times_s,
            onto_s=now.r_peak_times_s,
            around_s=page.start_shown_s + page.page_s / 2,
        )

    # --- what is said

    def _describe(self) -> None:
        now, other = self.patient, self.other
        overlaid = self.has_class("-overlaid") and bool(self._now.ghosts)
        for head, plot, view in (("now", self._now, now), ("other", self._beside, other)):
            pane = self.query_one(f"#{head}-head", PaneHead)
            pane.label = self._visit_name(view)
            rate = None if view is None or view.ecg is None else view.ecg.heart_rate_bpm
            pane.aside = "" if view is None else f"HR {format_number(rate, unit='bpm')} bpm"
            pane.detail = (
                "" if view is None or view.ecg is None
                else describe_page(plot.view, plot.page, processing=plot.shown_choice.value)
            )  # fmt: skip
        if overlaid:
            pane = self.query_one("#now-head", PaneHead)
            pane.label = f"{self._visit_name(now)} over {self._visit_name(other)} (coloured)"
        if other is None:
            self.query_one("#figures", Static).update("")
            return
        lines = describe_differences(
            (self._visit_name(now), now.ecg), (self._visit_name(other), other.ecg)
        )
        self.query_one("#figures", Static).update("\n".join(lines))

    def _visit_name(self, view: PatientView | None) -> str:
        if view is None:
            return "–"
        if view.origin == "file":
            return self._app.names.name_of(view.patient)
        return f"visit {view.visit}"

    # --- keys

    def action_both(self, method: str) -> None:
        """A choice made on one page, which the other follows."""
        getattr(self._now, method)()
        self._beside.paper = self._now.paper
        self._link(self._now)
        self._share_scale()
        self._describe()

    def action_zoom(self, offset: int) -> None:
        """Larger, smaller, or (0) fitted."""
        self._now.change_zoom(offset or None)

    def action_pan(self, pages: float) -> None:
        """Both pages back or on."""
        self._now.pan(pages)

    def action_lead(self, offset: int) -> None:
        """Another lead on both."""
        self._now.move_lead(offset)

    def action_toggle_overlay(self) -> None:
        """One over the other, or side by side."""
        if self.other is None or self.other.ecg is None:
            self._say(NO_OTHER)
            return
        self.toggle_class("-overlaid")
        self._lay_under()
        self.call_after_refresh(self._describe)

    def action_next_visit(self) -> None:
        """The next of the other visits."""
        others = self._others
        if not others:
            self._say(NO_OTHER)
            return
        here = None if self.other is None else self.other.visit
        place = others.index(here) if here in others else -1
        self.load_visit(others[(place + 1) % len(others)])

    def action_ask_file(self) -> None:
        """Ask for a path."""
        self.add_class("-asking")
        self.query_one("#path", SafeInput).focus()

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Read the file."""
        event.stop()
        path = read_pasted_path(event.value)
        if path is None:
            self._say("expected the path of one file")
        else:
            self._say("reading …")
            self.load_file(path)

    def action_close(self) -> None:
        """Put the path away, else go back to the patient."""
        if self.has_class("-asking") and self.other is not None:
            self.remove_class("-asking")
            self._now.focus()
        elif self.is_current:
            self.dismiss()
