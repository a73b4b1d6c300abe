"""Every quality finding of a patient in full, gravest first."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from ptacl_app.data.patient_view import PatientView
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.widgets.findings_panel import FindingsPanel


class FindingsScreen(Dialog[None]):
    """The panel's lines, unshortened."""

    BINDINGS: ClassVar = [("escape,q,f,f2", "dismiss", "Close")]

    def __init__(self, patient: PatientView) -> None:
        super().__init__()
        self.patient = patient

    def compose(self) -> ComposeResult:
        """One line each."""
        panel = FindingsPanel()
        panel.patient = self.patient
        with VerticalScroll():
            yield Static("Quality of the recordings\n", markup=False)
            yield Static("\n".join(text for _, text in panel.lines), markup=False)
