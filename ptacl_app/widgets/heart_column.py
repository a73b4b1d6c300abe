"""One patient in a column: name, lead II, cine, main numbers. Two of them make a comparison."""

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical

from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.drawing.playback import PlaybackClock, Position
from ptacl_app.text.formatting import format_number, format_sex_age
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.phenotype_panel import PhenotypePanel


class HeartColumn(Vertical):
    """Shows the phase that it is given: both columns get the same one."""

    DEFAULT_CSS = """
    HeartColumn {
        width: 1fr;
        & EcgPlot { height: 7; }
        & CinePlot { height: 1fr; min-height: 14; }
        & PhenotypePanel { height: 8; }
    }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.patient: PatientView | None = None
        self._clock = PlaybackClock()

    def compose(self) -> ComposeResult:
        """Head, lead II, cine, numbers."""
        yield PaneHead("", classes="heart-head")
        yield EcgPlot()
        yield CinePlot()
        yield PhenotypePanel()

    def on_mount(self) -> None:
        """One lead only; keys stay with the screen."""
        ecg = self.query_one(EcgPlot)
        ecg.can_focus = False
        ecg.view = replace(ecg.view, layout=Layout.ONE_LEAD, lead=1)
        self.query_one(CinePlot).can_focus = False

    def show(self, patient: PatientView, *, name: str) -> None:
        """Show a patient."""
        self.patient = patient
        head = self.query_one(PaneHead)
        head.label = name
        rate = None if patient.ecg is None else patient.ecg.heart_rate_bpm
        head.detail = (
            f"{format_sex_age(patient.sex, patient.age_years)}  "
            f"HR {format_number(rate, unit='bpm')}"
        )
        self.query_one(EcgPlot).show(patient.ecg)
        self.query_one(CinePlot).show(patient.cine, note="no CMR")
        self.query_one(PhenotypePanel).show(patient)
        self._clock = PlaybackClock(
            r_peak_times_s=() if patient.ecg is None else patient.ecg.r_peak_times_s,
            num_frames=None if patient.cine is None else len(patient.cine.frames),
        )

    def follow(self, position: Position) -> None:
        """Stand at the phase of the shared clock, in this patient's own beat and frames."""
        self._clock.seek_beat(position.beat)
        self._clock.seek_phase(position.phase)
        mine = self._clock.position
        ecg = self.query_one(EcgPlot)
        ecg.cursor_s = mine.cursor_s
        if mine.cursor_s is not None:
            peaks = self._clock.r_peak_times_s
            ecg.beat_span_s = (peaks[mine.beat], peaks[mine.beat + 1])
            ecg.follow_cursor()
        self.query_one(CinePlot).frame = mine.frame
