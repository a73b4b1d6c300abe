"""Puts a loaded file into the cohort, when the reader asks for it and has read what that does."""

import time
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import LoadingIndicator, Static

from ptacl_app.data.inference import PredictionCancelledError
from ptacl_app.data.patient_view import FileSource
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell import messages
from ptacl_app.text.formatting import format_plural, safe
from ptacl_core.errors import PtaclError


class KeepFileScreen(Dialog[None]):
    """Enter keeps the file, Esc leaves it where it is; the work can be cancelled."""

    BINDINGS: ClassVar = [("enter", "keep", "Keep"), ("escape", "leave", "Close")]

    def __init__(self, source: FileSource) -> None:
        super().__init__()
        self.source = source
        self._started_s = 0.0

    def compose(self) -> ComposeResult:
        """What will happen, and how to go on."""
        summary = self._app.summary
        lines = [
            "It becomes a recording of a patient named after the file, prepared as the others."
        ]
        if summary is not None and summary.run is not None:
            lines.append(
                f"It is then embedded and predicted from with {summary.run}; "
                f"the other {format_plural(summary.num_ecg, 'ECG')} stay as they are."
            )
        with Vertical():
            name = self._app.names.name_of(self.source.path.name)
            yield Static(f"Keep {name} in the cohort?", markup=False)
            yield Static("\n".join(lines), markup=False)
            yield LoadingIndicator()
            yield Static("Enter keeps it, Esc does not", id="note", markup=False)

    def on_mount(self) -> None:
        """Count the seconds of the work."""
        self.set_interval(1.0, self._count)

    def _count(self) -> None:
        if self.is_busy:
            seconds = time.monotonic() - self._started_s
            self.say(f"keeping … {seconds:.0f} s   Esc cancels")

    def action_keep(self) -> None:
        """Start, unless hints were given that the cohort's own reader would not have."""
        if self.is_busy:
            return
        if self.source.hints:
            self.say(
                "write what you told of it into a file beside it, "
                f"{safe(self.source.path.name)}.json, and load it again: the cohort reads it there",
                is_failure=True,
            )
            return
        self.add_class("-busy")
        self._started_s = time.monotonic()
        self._count()
        self.keep()

    @work(thread=True, exclusive=True, group="keep", exit_on_error=False)
    def keep(self) -> None:
        """Ask the child; `FileKept` or `PaneFailed` follows."""
        app, reader = self._app, self._app.reader
        if reader is None:
            return
        try:
            patients = app.predictor.keep(
                self.source.path, cohort=reader.path, run=reader.find_run()
            )
        except PredictionCancelledError:
            self.post_message(messages.PaneFailed("keep", "cancelled: the cohort is as it was"))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("keep", safe(error, max_length=600)))
        else:
            self.post_message(messages.FileKept(patients))

    def on_file_kept(self, message: messages.FileKept) -> None:
        """Close, and let the app see the new publication."""
        app = self._app
        self.dismiss()
        app.check_publication()
        names = ", ".join(app.names.name_of(patient) for patient in message.patients)
        text = f"kept as {names}" if names else "kept, as another visit of a known patient"
        app.notify(text, markup=False)

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """Say why."""
        message.stop()
        self.remove_class("-busy")
        self.say(message.text, is_failure=True)

    def action_leave(self) -> None:
        """Cancel what is under way, else close."""
        if self.is_busy:
            self._app.predictor.cancel()
        else:
            self.dismiss()
