"""The patient under the table's cursor in few lines: lead II, the fullest heart, numbers."""

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.text.formatting import format_sex_age
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.findings_panel import FindingsPanel
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.phenotype_panel import PhenotypePanel


class Preview(Vertical):
    """Stands still; the patient screen is where hearts beat."""

    DEFAULT_CSS = """
    Preview {
        & #preview-ecg { height: 5; }
        & #preview-cine { height: 14; }
        & FindingsPanel { max-height: 2; }
        & PhenotypePanel { height: 1fr; }
        & #preview-note { display: none; padding: 1; color: $quiet-ink; }
        &.-empty #preview-note { display: block; }
        &.-empty #preview-ecg, &.-empty #preview-cine, &.-empty FindingsPanel,
        &.-empty PhenotypePanel { display: none; }
    }
    """

    def compose(self) -> ComposeResult:
        """Head, lead II, end-diastolic frame, findings, numbers."""
        yield PaneHead("Selected", id="preview-head")
        yield Static("move to a row to see it here", id="preview-note", markup=False)
        ecg = EcgPlot(id="preview-ecg")
        ecg.can_focus = False
        yield ecg
        cine = CinePlot(id="preview-cine")
        cine.can_focus = False
        yield cine
        yield FindingsPanel()
        yield PhenotypePanel()

    def on_mount(self) -> None:
        """Empty at first."""
        ecg = self.query_one("#preview-ecg", EcgPlot)
        ecg.view = replace(ecg.view, layout=Layout.ONE_LEAD, lead=1)
        self.show(None)

    def show(self, patient: PatientView | None, *, name: str = "") -> None:
        """Show another patient."""
        self.set_class(patient is None, "-empty")
        head = self.query_one("#preview-head", PaneHead)
        head.detail = (
            "" if patient is None else f"{name} · {format_sex_age(patient.sex, patient.age_years)}"
        )
        if patient is None:
            return
        self.query_one("#preview-ecg", EcgPlot).show(patient.ecg, note="no ECG")
        self.query_one("#preview-cine", CinePlot).show(patient.cine, note="no CMR")
        self.query_one(FindingsPanel).show(patient)
        self.query_one(PhenotypePanel).show(patient)
