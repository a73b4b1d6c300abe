"""Asks for an ECG file, has it read and predicted from in the child process, then shows it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import LoadingIndicator, Static

from ptacl_app.data.inference import PredictionCancelledError
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell import messages
from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE, safe
from ptacl_app.text.pasted_path import read_pasted_path
from ptacl_app.widgets.hint_form import HintForm
from ptacl_app.widgets.path_suggester import PathSuggester
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.errors import MissingUnitError, PtaclError
from ptacl_core.records import parse_person

COLD_NOTE = "reading, and starting the model (the first time takes some seconds) …  Esc cancels"
WARM_NOTE = "reading and predicting …  Esc cancels"


class LoadEcgScreen(Dialog[None]):
    """A mistake stays on this screen, in one sentence, with the path still there."""

    BINDINGS: ClassVar = [("escape", "leave", "Close")]

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self.first_path = path

    def compose(self) -> ComposeResult:
        """A path, a note, a sign that work is under way."""
        with Vertical():
            yield Static("Load an ECG from a file", markup=False)
            yield SafeInput(
                "" if self.first_path is None else safe(self.first_path, max_length=1000),
                placeholder="path (→ completes; a file can be dropped here)",
                suggester=PathSuggester(),
                id="path",
            )
            yield SafeInput(
                placeholder="whose it is, if known:  sex=F,age=61,height=165,weight=70",
                id="person",
            )
            yield HintForm(id="hints")
            yield LoadingIndicator()
            yield Static(
                "WFDB, DICOM, SCP-ECG, EDF, XML (CardioSoft, MUSE, Philips, HL7), tables, arrays. "
                "The file is not kept in the cohort unless you then ask for it (ctrl+k).\n"
                + RESEARCH_USE_SENTENCE,
                id="note",
                markup=False,
            )

    def on_mount(self) -> None:
        """A dropped file is read at once."""
        if self.first_path is not None:
            self._start(self.first_path)

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Enter reads the file."""
        event.stop()
        self._read_typed()

    def on_hint_form_submitted(self) -> None:
        """Enter in a hint reads the file again."""
        self._read_typed()

    def _read_typed(self) -> None:
        path = read_pasted_path(self.query_one("#path", SafeInput).value)
        if path is None:
            self.say("expected the path of one file", is_failure=True)
        elif not self.is_busy:
            self._start(path)

    def _start(self, path: Path) -> None:
        person = self.query_one("#person", SafeInput).value.strip()
        try:
            hints = self.query_one(HintForm).read()
            parse_person(person)
        except PtaclError as error:
            self.say(safe(error), is_failure=True)
            return
        self.add_class("-busy")
        self.say(WARM_NOTE if self._app.predictor.is_warm else COLD_NOTE)
        self.predict(path, hints, person)

    @work(thread=True, exclusive=True, group="predict", exit_on_error=False)
    def predict(self, path: Path, hints: dict[str, Any], person: str) -> None:
        """Ask the child; `PredictionFinished` or `PredictionFailed` follows."""
        app = self._app
        reader = app.reader
        try:
            view = app.predictor.predict(
                path,
                cohort=None if reader is None else reader.path,
                run=None if reader is None else reader.find_run(),
                hints=hints,
                person=person,
            )
            if reader is not None:
                view = reader.describe_neighbours(view)
                view = replace(view, run_faults=reader.describe_run_faults(view.run))
        except PredictionCancelledError:
            return
        except PtaclError as error:
            needs_hints = isinstance(error, MissingUnitError)
            self.post_message(messages.PredictionFailed(safe(error, max_length=600), needs_hints))
            return
        self.post_message(messages.PredictionFinished(view))

    def on_prediction_finished(self, message: messages.PredictionFinished) -> None:
        """Show it on the patient screen."""
        self.dismiss()
        self._app.show_patient(message.patient)

    def on_prediction_failed(self, message: messages.PredictionFailed) -> None:
        """Say why; the path can be mended."""
        self.remove_class("-busy")
        self.say(message.text, is_failure=True)
        if message.needs_hints:
            self.query_one(HintForm).ask()
        else:
            self.query_one("#path").focus()

    def action_leave(self) -> None:
        """Cancel what is under way, then close."""
        if self.is_busy:
            self._app.predictor.cancel()
            self.remove_class("-busy")
            self.say("cancelled", is_failure=True)
        else:
            self.dismiss()
