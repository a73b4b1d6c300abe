"""Asks for an ECG file and has it read in a child process; the app then shows it."""

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import LoadingIndicator, Static

from ptacl_app.data.file_reading import ReadingCancelledError
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell import messages
from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE, safe
from ptacl_app.text.pasted_path import read_pasted_path
from ptacl_app.widgets.hint_form import HintForm
from ptacl_app.widgets.path_suggester import PathSuggester
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.errors import MissingUnitError, PtaclError
from ptacl_core.io.hints import ReaderHints
from ptacl_core.records import parse_person

NOTE = "reading …  Esc cancels"


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
        self.say(NOTE)
        self.read(path, hints, person)

    @work(thread=True, exclusive=True, group="read", exit_on_error=False)
    def read(self, path: Path, hints: ReaderHints, person: str) -> None:
        """Ask the child; `RecordingRead` or `PredictionFailed` follows."""
        try:
            view = self._app.files.read(path, hints=hints, person=person)
        except ReadingCancelledError:
            return
        except PtaclError as error:
            needs_hints = isinstance(error, MissingUnitError)
            self.post_message(messages.PredictionFailed(safe(error, max_length=600), needs_hints))
            return
        self.post_message(messages.RecordingRead(view, person))

    def on_recording_read(self, message: messages.RecordingRead) -> None:
        """The app shows it and asks the model."""
        message.stop()
        self.dismiss()
        self._app.receive_file(message.patient, message.person)

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
            self._app.files.cancel()
            self.remove_class("-busy")
            self.say("cancelled", is_failure=True)
        else:
            self.dismiss()
