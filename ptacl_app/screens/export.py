"""Asks what to write of a patient: a report, or the numbers as text."""

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static

from ptacl_app.export import choose_path, describe_failure, write_patient_text
from ptacl_app.formatting import RESEARCH_USE_SENTENCE, safe
from ptacl_app.messages import PaneFailed
from ptacl_app.patient_view import PatientView
from ptacl_app.screens.dialog import Dialog
from ptacl_core.errors import PtaclError
from ptacl_core.safety.atomic import write_text

if TYPE_CHECKING:
    from ptacl_app.app import PtaclApp

CHOICES = ("report.html: ECG, hearts and numbers on one page", "text: the numbers")


class ExportScreen(Dialog[None]):
    """Files hold what the screen shows: with `--privacy`, no id."""

    BINDINGS: ClassVar = [("escape,q", "dismiss", "Close")]

    def __init__(self, patient: PatientView) -> None:
        super().__init__()
        self.patient = patient

    def compose(self) -> ComposeResult:
        """The choices, and a reminder."""
        with Vertical():
            yield Static("Write into the cohort's exports/", markup=False)
            yield OptionList(*CHOICES, markup=False)
            yield Static(
                "The file holds data of a person unless the app runs with --privacy.\n"
                + RESEARCH_USE_SENTENCE,
                markup=False,
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Write it in a thread of the app, whose work outlives this dialog, then close."""
        event.stop()
        choice, app, patient = event.option_index, self._app, self.patient
        app.run_worker(
            lambda: write_patient(app, patient, is_report=choice == 0),
            thread=True,
            group="export",
            exit_on_error=False,
        )
        self.dismiss()


def write_patient(app: "PtaclApp", patient: PatientView, *, is_report: bool) -> None:
    """Write report or text into exports/; a toast says where the file is, or why there is none."""
    from ptacl_app.report import write_report

    reader, name_of = app.reader, app.names.name_of
    if reader is None:
        return
    try:
        if is_report:
            path = choose_path(reader, "report", ".html")
            write_text(path, write_report(patient, name=name_of(patient.patient)))
        else:
            path = choose_path(reader, "patient", ".txt")
            write_text(path, write_patient_text(patient, name_of=name_of))
    except (PtaclError, OSError) as error:
        app.post_message(PaneFailed("export", describe_failure(error, reader.export_dir)))
        return
    app.call_from_thread(app.notify, f"written to {safe(path)}", markup=False)
