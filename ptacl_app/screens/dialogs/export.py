"""What to write of a patient, a report or text; and how every screen writes into exports/."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.patient_view import PatientView
from ptacl_app.output.export import choose_path, describe_failure, write_patient_text
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell.services import Services
from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE, safe
from ptacl_core.errors import PtaclError
from ptacl_core.safety.files.atomic import write_text

CHOICES = ("report.html: ECG, hearts and numbers on one page", "text: the numbers")


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written. `rows` says how many of what it holds: "3 rows"."""

    path: Path
    rows: str = ""

    @property
    def sentence(self) -> str:
        """What is said of it."""
        place = safe(self.path)
        return f"{self.rows} in {place}" if self.rows else f"written to {place}"


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
        patient, name_of = self.patient, self._app.names.name_of
        if event.option_index == 0:
            export_in_thread(self._app, lambda reader: _write_report(reader, patient, name_of))
        else:
            export_in_thread(self._app, lambda reader: _write_text(reader, patient, name_of))
        self.dismiss()


def export_in_thread(
    app: Services,
    write: Callable[[CohortReader], Written],
    *,
    say: Callable[[str, bool], None] | None = None,
) -> None:
    """Have `write` make a file; it is said, and handed to a browser, or why there is none.

    In a thread of the app, whose work outlives any dialog: the audit log may have to wait for
    another writer. `say` gets the sentence and whether it is a failure; a toast without it.
    """

    def toast(text: str, is_failure: bool) -> None:
        app.notify(text, severity="warning" if is_failure else "information", markup=False)

    def work() -> None:
        reader = app.reader
        if reader is None:
            return
        try:
            written = write(reader)
        except (PtaclError, OSError) as error:
            app.call_from_thread(say or toast, describe_failure(error, reader.export_dir), True)
            return
        app.call_from_thread(say or toast, written.sentence, False)
        app.call_from_thread(app.hand_over, written.path)

    app.run_worker(work, thread=True, group="export", exit_on_error=False)


def _write_report(
    reader: CohortReader, patient: PatientView, name_of: Callable[[str], str]
) -> Written:
    from ptacl_app.output.report import write_report

    path = choose_path(reader, "report", ".html")
    write_text(path, write_report(patient, name=name_of(patient.patient)))
    return Written(path)


def _write_text(
    reader: CohortReader, patient: PatientView, name_of: Callable[[str], str]
) -> Written:
    path = choose_path(reader, "patient", ".txt")
    write_text(path, write_patient_text(patient, name_of=name_of))
    return Written(path)
