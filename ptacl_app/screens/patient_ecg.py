"""The patient screen's ECG: what its keys do, and what its plot tells."""

from typing import TYPE_CHECKING

from textual.reactive import reactive
from textual.screen import Screen

from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.calipers import Calipers
from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.drawing.ecg_picture import Mark
from ptacl_app.shell import messages
from ptacl_app.shell.services import Services, services_of
from ptacl_app.text.formatting import safe
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.overview import OverviewStrip
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_core.errors import PtaclError
from ptacl_core.records.marks import MARKS_RATE_HZ

if TYPE_CHECKING:
    from ptacl_app.drawing.playback import PlaybackClock, Position
    from ptacl_app.screens.saliency_overlay import SaliencyOverlay

PAN_SHARE = 0.1
FINE_SAMPLES = 1
COARSE_MM = 1.0
"""How far a key moves a caliper: a sample, or a millimetre of paper."""
LONG_S, TALL_ROWS = 10.5, 30
"""In a low terminal only longer recordings have a strip that shows them whole."""


class PatientEcg(Screen[None]):
    """Half of the patient screen; the clock and the panes are its other half."""

    pane: reactive[str] = reactive("ecg")
    """The pane in use; the only one shown in a small terminal or after `z`."""
    is_maximised: reactive[bool] = reactive(False)
    """One pane alone although there is room for all."""
    arrow_mode: reactive[str] = reactive("")
    """What the arrows change instead of panning: calipers, window, or nothing."""

    if TYPE_CHECKING:
        clock: PlaybackClock
        overlay: SaliencyOverlay
        _chosen_zoom: float | None

        def show_heads(self) -> None:
            """See the screen."""

        def _show_position(self, position: Position) -> None: ...
        def _show_status(self, position: Position) -> None: ...
        def action_step_frames(self, offset: int) -> None:
            """See the screen."""

    @property
    def _services(self) -> Services:
        return services_of(self)

    @property
    def _ecg(self) -> EcgPlot:
        return self.query_one("#ecg", EcgPlot)

    def action_ecg(self, method: str) -> None:
        """One of the plot's own steps: layout, gain, speed, processing, paper, marks."""
        getattr(self._ecg, method)()

    def action_zoom(self, offset: int) -> None:
        """Larger, smaller, or (0) fitted."""
        ecg = self._ecg
        ecg.change_zoom(offset or None)
        self._chosen_zoom = ecg.view.zoom

    def action_pan(self, pages: float) -> None:
        """Pages back or on; with calipers out, the active one by a millimetre of paper."""
        ecg = self._ecg
        if self.arrow_mode == "calipers" and ecg.calipers is not None and ecg.trace is not None:
            step_s = COARSE_MM / ecg.view.speed_mm_per_s
            samples = max(round(step_s * ecg.trace.sampling_rate_hz), 1)
            ecg.set_calipers(ecg.calipers.moved(samples if pages > 0 else -samples, ecg.trace))
        else:
            ecg.pan(pages)

    def action_calipers(self) -> None:
        """Two cursors a quarter of the page apart, or none."""
        ecg = self._ecg
        trace = ecg.trace
        if ecg.calipers is not None:
            self.action_leave_mode()
        elif trace is not None:
            start_s = ecg.page.start_shown_s
            page_s = min(ecg.page.page_s, trace.duration_s - start_s)
            self.arrow_mode = "calipers"
            self.clock.pause()
            times_s = [trace.snap(start_s + page_s * share) for share in (0.375, 0.625)]
            ecg.set_calipers(Calipers((times_s[0], times_s[1])))

    def action_march(self) -> None:
        """Repeat the calipers' interval over the page, or no longer."""
        ecg = self._ecg
        if ecg.calipers is None:
            self.action_calipers()
        if ecg.calipers is not None:
            ecg.set_calipers(ecg.calipers.marched())

    def action_leave_mode(self) -> None:
        """Arrows pan again; the overlay goes; a maximised pane gives way."""
        if not self.arrow_mode and self.overlay.leave():
            return
        if not self.arrow_mode and self.is_maximised:
            self.is_maximised = False
        self.arrow_mode = ""
        self._ecg.set_calipers(None)
        self._show_status(self.clock.position)

    def action_arrow(self, right: int, down: int) -> None:
        """What the arrows do depends on what is in hand and where the focus is."""
        ecg = self._ecg
        cine = self.query_one("#cine", CinePlot)
        if self.arrow_mode == "calipers" and ecg.calipers is not None and right:
            if ecg.trace is not None:
                ecg.set_calipers(ecg.calipers.moved(right * FINE_SAMPLES, ecg.trace))
        elif self.arrow_mode == "window":
            cine.window = cine.window.changed(level=8.0 * down, width=8.0 * right)
            self._show_status(self.clock.position)
        elif self.pane == "cine" and right:
            self.action_step_frames(right)
        elif right:
            ecg.pan(PAN_SHARE * right)
        else:
            ecg.move_lead(down)

    def on_ecg_plot_view_changed(self) -> None:
        """The head says what the page shows."""
        self.show_heads()

    def show_overview(self) -> None:
        """Where in the recording the page is."""
        ecg = self._ecg
        is_recording = ecg.view.layout is not Layout.MEDIAN_BEAT
        trace = ecg.trace if is_recording else None
        if trace is not None and trace.duration_s < LONG_S and self.size.height < TALL_ROWS:
            trace = None  # every row is needed for the leads
        start_s = ecg.page.start_shown_s
        self.query_one("#overview", OverviewStrip).show(
            trace, lead=ecg.rhythm_lead, span_s=(start_s, start_s + ecg.page.page_s)
        )

    def on_overview_strip_picked(self, message: OverviewStrip.Picked) -> None:
        """The page moves to where the strip was clicked."""
        self._ecg.pan_to(message.time_s - self._ecg.page.page_s / 2)

    def on_ecg_plot_calipers_moved(self) -> None:
        """The head says what they measure."""
        self.show_heads()

    def on_ecg_plot_time_picked(self, message: EcgPlot.TimePicked) -> None:
        """A click on the ECG moves the clock there."""
        self.clock.pause()
        self.clock.seek_time(message.time_s)
        self._show_position(self.clock.position)

    # --- marks

    def action_marks(self) -> None:
        """Onsets and offsets on and off; those that people moved are read first."""
        ecg = self._ecg
        ecg.toggle_marks()
        patient = self._services.patient
        if ecg.has_marks and patient is not None and patient.origin == "cohort":
            self.run_worker(
                lambda: self._load_marks(patient), thread=True, group="marks", exit_on_error=False
            )

    def on_ecg_plot_mark_moved(self, message: EcgPlot.MarkMoved) -> None:
        """A mark was dragged: kept with who and when, for a patient of the cohort."""
        mark, time_s, patient = message.mark, message.time_s, self._services.patient
        if patient is None:
            return
        change_ms = (time_s - mark.time_s) * 1000
        name = mark.name.replace("_", " ")
        text = f"{name} of beat {mark.beat + 1} moved by {change_ms:+.0f} ms".replace("-", "−")
        if patient.origin != "cohort":
            self._ecg.move_marks({**self._ecg.moved_marks, (mark.beat, mark.name): time_s})
            self.notify(f"{text}; not kept, the file is not in the cohort", markup=False)
            return
        self.run_worker(
            lambda: self._load_marks(patient, mark=mark, time_s=time_s, text=text),
            thread=True,
            group="marks",
            exit_on_error=False,
        )

    def _load_marks(
        self,
        patient: PatientView,
        *,
        mark: Mark | None = None,
        time_s: float = 0.0,
        text: str = "",
    ) -> None:
        """In a thread: keep a mark, read all; `MovedMarksLoaded` or `PaneFailed` follows."""
        reader = self._services.reader
        if reader is None:
            return
        try:
            if mark is not None:
                reader.move_mark(
                    patient.patient, patient.visit, beat=mark.beat, mark=mark.name, time_s=time_s
                )
            moves = reader.load_moved_marks(patient.patient, patient.visit)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("marks", safe(error, max_length=400)))
            return
        moved_s = {
            (move.beat, move.mark): move.sample / MARKS_RATE_HZ
            for move in moves
            if move.sample is not None
        }
        if mark is not None:
            actor = next((move.actor for move in moves if move.beat == mark.beat), "")
            text += f", kept as moved by {safe(actor, max_length=40)}"
        self.post_message(messages.MovedMarksLoaded(patient.patient, patient.visit, moved_s, text))

    def on_moved_marks_loaded(self, message: messages.MovedMarksLoaded) -> None:
        """Draw them where people put them."""
        patient = self._services.patient
        if patient is not None and (patient.patient, patient.visit) == (
            message.patient,
            message.visit,
        ):
            self._ecg.move_marks(message.moved_s)
        if message.text:
            self.notify(message.text, markup=False)
