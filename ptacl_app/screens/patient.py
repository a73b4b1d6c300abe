"""The patient: ECG, beat, cine and numbers side by side, all on one clock."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import DataTable, Static

from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.ecg_page import GAINS_MM_PER_MV, SPEEDS_MM_PER_S, Layout
from ptacl_app.drawing.playback import PlaybackClock, Position
from ptacl_app.screens.patient_ecg import PatientEcg
from ptacl_app.screens.patient_heart import PatientHeart
from ptacl_app.screens.patient_lines import (
    describe_cine,
    describe_measurements,
    describe_page,
    describe_patient,
    describe_status,
)
from ptacl_app.screens.patient_openers import PatientOpeners
from ptacl_app.screens.saliency_overlay import SaliencyOverlay
from ptacl_app.screens.worker_faults import WorkerFaults
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.terminal.back_pressure import FrameCount
from ptacl_app.terminal.compositor import use_frugal_compositor
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.overview import OverviewStrip
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.ecg.step_strip import StepStrip
from ptacl_app.widgets.findings_panel import FindingsPanel
from ptacl_app.widgets.key_footer import KeyFooter
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.pane_tabs import PaneTabs
from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_app.widgets.similarity_map import SimilarityMap
from ptacl_app.widgets.status_line import StatusLine
from ptacl_app.widgets.tables.neighbours import NeighbourList
from ptacl_app.widgets.title_line import TitleLine

PANES = {"ecg": "ECG", "cine": "Cine", "phenotypes": "Phenotypes", "neighbours": "Neighbours"}
_FOCUS = {"ecg": "#ecg", "cine": "#cine", "neighbours": "#neighbours"}
SIDE_BY_SIDE = (120, 34)
"""Columns and rows from which all panes stand side by side."""


class PatientScreen(PatientEcg, PatientHeart, PatientOpeners, WorkerFaults, Screen[None]):
    """Watches `app.patient`; owns the one clock of playback."""

    BINDINGS: ClassVar = build_bindings("patient")

    AUTO_FOCUS = "#ecg"
    scopes = ("patient",)

    def __init__(self) -> None:
        super().__init__()
        use_frugal_compositor(self)
        self.clock = PlaybackClock()
        self.overlay = SaliencyOverlay(self, show_heads=self.show_heads)
        self.frames = FrameCount()
        self._shown: PatientView | None = None
        self._timer: Timer | None = None
        self._chosen_zoom: float | None = None

    def compose(self) -> ComposeResult:
        """Left: ECG, steps, neighbours and map. Right: cine, findings, numbers."""
        yield TitleLine(id="title")
        yield PaneTabs(PANES, id="tabs")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield PaneHead("12-lead ECG", id="ecg-head")
                yield EcgPlot(id="ecg")
                yield OverviewStrip(id="overview")
                yield StepStrip(id="steps")
                with Horizontal(id="lower"):
                    with Vertical(id="neighbour-pane"):
                        yield PaneHead("Nearest patients", id="neighbour-head")
                        yield NeighbourList(id="neighbours")
                        yield Static("", id="neighbour-note", classes="pane-note", markup=False)
                    with Vertical(id="map-pane"):
                        yield PaneHead("ECG × CMR steps", id="map-head")
                        yield SimilarityMap(id="map")
            with Vertical(id="right"):
                yield PaneHead("Cine", id="cine-head")
                yield CinePlot(num_levels=self._app.settings.num_grey_levels, id="cine")
                with Vertical(id="numbers"):
                    yield StatusLine(id="cine-status")
                    yield FindingsPanel(id="findings")
                    yield PhenotypePanel(id="phenotypes")
        yield Static("no patient is open: pick one on screen 1", id="empty", markup=False)
        yield Static("please enlarge the window to 60×18", id="too-small", markup=False)
        yield KeyFooter("patient")

    def on_mount(self) -> None:
        """Follow the app's patient; tick at the rate of the settings."""
        session = self._app.session
        if session.ecg_layout in Layout.__members__:
            self.query_one("#ecg", EcgPlot).change(
                layout=Layout[session.ecg_layout],
                gain_mm_per_mv=_nearest(session.gain_mm_per_mv, GAINS_MM_PER_MV),
                speed_mm_per_s=_nearest(session.speed_mm_per_s, SPEEDS_MM_PER_S),
            )
        self.watch(self.app, "patient", self._show_patient)
        self.watch(self.app, "is_loading", self._show_loading)
        self.watch(self.app, "failure", self._show_failure)
        self._timer = self.set_interval(1 / self._app.settings.fps, self.tick)
        self.query_one("#ecg").focus()

    def describe_session(self) -> dict[str, object]:
        """What the next session starts with."""
        view = self.query_one("#ecg", EcgPlot).view
        return {
            "ecg_layout": view.layout.name,
            "gain_mm_per_mv": view.gain_mm_per_mv,
            "speed_mm_per_s": view.speed_mm_per_s,
        }

    # --- showing

    def _show_loading(self, is_loading: bool) -> None:
        self.query_one("#body").loading = is_loading and self._app.patient is None
        if is_loading:
            self.query_one("#title", TitleLine).detail = "loading …"

    def _show_failure(self, failure: str) -> None:
        note = self.query_one("#empty", Static)
        note.update(failure or "no patient is open: pick one on screen 1")

    def _show_patient(self, patient: PatientView | None) -> None:
        self.set_class(patient is None, "-empty")
        title = self.query_one("#title", TitleLine)
        title.place = "Patient"
        if patient is None:
            title.detail = ""
            self._shown = None
            return
        summary = self._app.summary
        title.detail = describe_patient(
            patient,
            name=self._app.names.name_of(patient.patient),
            cohort=None if summary is None else summary.name,
        )
        before, self._shown = self._shown, patient
        self.query_one("#findings", FindingsPanel).show(patient)
        self.query_one("#phenotypes", PhenotypePanel).show(patient)
        self.query_one("#map", SimilarityMap).show(patient.similarity_map, note=patient.map_note)
        self._show_neighbours(patient)
        self.overlay.follow(before, patient)
        if before is None or not patient.shows_same_recordings(before):
            self._start_recordings(patient)
        elif patient.ecg is not None:
            self.query_one("#ecg", EcgPlot).take(patient.ecg)
        self._show_position(self.clock.position)
        self.show_heads()

    def _start_recordings(self, patient: PatientView) -> None:
        """Other recordings: page, calipers and clock start anew.

        The same ones go on as they are: a publication of the store changes numbers only.
        """
        ecg, cine = patient.ecg, patient.cine
        self.arrow_mode = ""
        self.query_one("#ecg", EcgPlot).show(ecg, note="no ECG for this visit")
        self.query_one("#cine", CinePlot).show(cine, note="no CMR for this visit")
        self.clock = PlaybackClock(
            r_peak_times_s=() if ecg is None else ecg.r_peak_times_s,
            num_frames=None if cine is None else len(cine.frames),
            cine_cycle_s=None if cine is None else cine.cycle_s,
        )
        self.query_one("#steps", StepStrip).show(
            num_beats=self.clock.num_beats, num_frames=self.clock.num_frames
        )
        settings = self._app.settings
        if settings.use_autoplay and settings.use_animation:
            self.clock.play(self._app.time_source())

    def _show_neighbours(self, patient: PatientView) -> None:
        table = self.query_one("#neighbours", NeighbourList)
        table.show(patient.neighbours, patient=patient, name_of=self._app.names.name_of)
        note = self.query_one("#neighbour-note", Static)
        if patient.neighbours:
            note.update("")
        elif patient.run is None:
            note.update("no model yet: train one, then run  ptacl embed")
        else:
            note.update("this visit has no ECG embedding")
        note.display = not patient.neighbours
        table.display = bool(patient.neighbours)

    # --- the clock

    def tick(self) -> None:
        """Let time pass; draw it unless the terminal is behind."""
        if not self.is_current or not self.clock.is_playing:
            return
        now_s = self._app.time_source()
        position = self.clock.tick(now_s)
        is_drawn = not self._app.is_output_backed_up()
        self.frames.note(now_s, is_drawn=is_drawn)
        if is_drawn:
            self._show_position(position)

    def _show_position(self, position: Position) -> None:
        ecg = self.query_one("#ecg", EcgPlot)
        ecg.cursor_s = position.cursor_s
        if position.cursor_s is not None and self.clock.num_beats:
            peaks = self.clock.r_peak_times_s
            ecg.beat_span_s = (peaks[position.beat], peaks[position.beat + 1])
            if self.clock.is_playing:
                ecg.follow_cursor()
        self.query_one("#steps", StepStrip).position = position if self.clock.can_play else None
        self.query_one("#cine", CinePlot).frame = position.frame
        self.query_one("#map", SimilarityMap).step = position.step
        self._show_status(position)

    def _show_status(self, position: Position) -> None:
        cine = self.query_one("#cine", CinePlot)
        status = describe_status(
            self.clock,
            position,
            window=cine.window if self.arrow_mode == "window" else None,
            rate=self.frames.describe(self._app.settings.fps) if self.clock.is_playing else "",
            width=cine.size.width,
        )
        self.query_one("#cine-status", StatusLine).text = status
        if self.pane == "cine" and self.is_single_pane:
            self.query_one("#tabs", PaneTabs).headline = status

    def show_heads(self) -> None:
        """Write what each pane shows into its head, and into the tabs of a small terminal."""
        ecg = self.query_one("#ecg", EcgPlot)
        patient = self._app.patient
        detail = describe_page(ecg.view, ecg.page, processing=ecg.shown_choice.value)
        if ecg.calipers is not None and ecg.trace is not None and ecg.ecg is not None:
            rr_s = ecg.ecg.mean_rr_s
            detail = "calipers  " + ecg.calipers.describe(ecg.trace, ecg.view.lead, rr_s=rr_s)
        detail = self.overlay.headline or detail
        head = self.query_one("#ecg-head", PaneHead)
        head.detail = detail
        head.aside = describe_measurements(patient)
        cine_head = self.query_one("#cine-head", PaneHead)
        cine_head.detail = describe_cine(patient)
        tabs = self.query_one("#tabs", PaneTabs)
        if self.pane == "cine":
            self._show_status(self.clock.position)
        else:
            tabs.headline = detail if self.pane == "ecg" else ""
        self.show_overview()

    # --- panes

    @property
    def is_single_pane(self) -> bool:
        """True when one pane is shown at a time."""
        width, height = SIDE_BY_SIDE
        return self.is_maximised or self.size.width < width or self.size.height < height

    def on_resize(self) -> None:
        """One pane or all; a very large terminal starts with larger boxes."""
        self.set_class(self.is_single_pane, "-single")
        if self._chosen_zoom is None:
            ecg = self.query_one("#ecg", EcgPlot)
            is_huge = self.size.width >= 290 and self.size.height >= 56
            ecg.change(zoom=2 if is_huge and not ecg.has_pixels else 1)
        self.call_after_refresh(self.show_heads)

    def watch_pane(self, before: str, after: str) -> None:
        """Classes decide what is shown."""
        self.remove_class(f"-pane-{before}")
        self.add_class(f"-pane-{after}")
        if self.is_mounted:
            self.query_one("#tabs", PaneTabs).current = after
            self.show_heads()

    def watch_is_maximised(self, is_maximised: bool) -> None:
        """`z` shows one pane."""
        del is_maximised
        self.set_class(self.is_single_pane, "-single")
        if self.is_mounted:
            self.call_after_refresh(self.show_heads)

    def on_descendant_focus(self) -> None:
        """The head of the focused pane is bright, and the pane is the one in use."""
        focused = self.focused
        for pane, selector in _FOCUS.items():
            is_focused = focused is not None and focused.id == selector.removeprefix("#")
            if is_focused:
                self.pane = pane
            self._head_of(pane).set_class(is_focused, "-focused")

    def _head_of(self, pane: str) -> Widget:
        names = {"ecg": "#ecg-head", "cine": "#cine-head", "neighbours": "#neighbour-head"}
        return self.query_one(names[pane])

    def _use_pane(self, pane: str) -> None:
        self.pane = pane
        if pane in _FOCUS:
            self.call_after_refresh(self.query_one(_FOCUS[pane]).focus)
        else:
            self.set_focus(None)

    def on_pane_tabs_picked(self, message: PaneTabs.Picked) -> None:
        """A tab was clicked."""
        self._use_pane(message.pane)

    def action_next_pane(self, offset: int) -> None:
        """The next pane; with calipers out, the other caliper."""
        ecg = self.query_one("#ecg", EcgPlot)
        if self.arrow_mode == "calipers" and ecg.calipers is not None:
            ecg.set_calipers(ecg.calipers.switched())
            return
        panes = list(PANES) if self.is_single_pane else list(_FOCUS)
        place = panes.index(self.pane) if self.pane in panes else -1
        self._use_pane(panes[(place + offset) % len(panes)])

    def action_maximise_pane(self) -> None:
        """One pane, or all of them."""
        self.is_maximised = not self.is_maximised

    # --- what a prediction rests on

    def action_overlay(self) -> None:
        """Put the overlay on or off."""
        self.overlay.toggle()

    def action_explain_next(self) -> None:
        """Explain another phenotype."""
        self.overlay.next_phenotype()

    def on_saliency_loaded(self, message: messages.SaliencyLoaded) -> None:
        """The model answered."""
        self.overlay.take(message)

    def on_saliency_failed(self, message: messages.SaliencyFailed) -> None:
        """The model did not."""
        self.overlay.give_up(message)

    def stop_waiting(self) -> None:
        """No explanation will come."""
        self.overlay.give_up(messages.SaliencyFailed(""))

    # --- other patients

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter on a neighbour opens it; `[` and `]` then walk the neighbours."""
        table = self.query_one("#neighbours", NeighbourList)
        event.stop()
        if table.selected is not None:
            ids = tuple(neighbour.patient for neighbour in table.neighbours)
            self._app.open_patient(table.selected.patient, worklist=ids)


def _nearest(value: float, choices: tuple[float, ...]) -> float:
    return min(choices, key=lambda choice: abs(choice - value))
