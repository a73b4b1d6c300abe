"""Asks what to write of a patient: a report, or the numbers as text."""

from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static

from ptacl_app.export import choose_path, write_patient_text
from ptacl_app.formatting import RESEARCH_USE_SENTENCE, safe
from ptacl_app.messages import PaneFailed
from ptacl_app.patient_view import PatientView
from ptacl_core.errors import PtaclError
from ptacl_core.safety.atomic import write_text

if TYPE_CHECKING:
    from ptacl_app.app import PtaclApp

CHOICES = ("report.html: ECG, hearts and numbers on one page", "text: the numbers")


class ExportScreen(ModalScreen[None]):
    """Files hold what the screen shows: with `--privacy`, no id."""

    DEFAULT_CSS = """
    ExportScreen { align: center middle; }
    ExportScreen > Vertical {
        width: 90%; max-width: 76; height: auto; background: $surface; padding: 1 2;
    }
    ExportScreen OptionList { height: auto; border: none; background: $surface; }
    ExportScreen Static { height: auto; color: $quiet-ink; }
    """
    BINDINGS: ClassVar = [("escape,q", "dismiss", "Close")]

    def __init__(self, patient: PatientView) -> None:
        super().__init__()
        self.patient = patient

    @property
    def _app(self) -> "PtaclApp":
        return self.app  # type: ignore[return-value]

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
        """Write it in a thread, then close."""
        event.stop()
        self.write(event.option_index)
        self.dismiss()

    @work(thread=True, exit_on_error=False)
    def write(self, choice: int) -> None:
        """A toast says where the file is, or why there is none."""
        from ptacl_app.report import write_report

        app, reader = self._app, self._app.reader
        if reader is None:
            return
        name_of = app.names.name_of
        try:
            if choice == 0:
                path = choose_path(reader, "report", ".html")
                write_text(path, write_report(self.patient, name=name_of(self.patient.patient)))
            else:
                path = choose_path(reader, "patient", ".txt")
                write_text(path, write_patient_text(self.patient, name_of=name_of))
        except (PtaclError, OSError) as error:
            app.post_message(PaneFailed("export", safe(error, max_length=400)))
            return
        app.call_from_thread(app.notify, f"written to {safe(path)}", markup=False)
