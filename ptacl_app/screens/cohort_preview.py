"""The summary beside the patients: whoever is under the cursor, once it rests."""

from textual import work
from textual.screen import Screen
from textual.timer import Timer

from ptacl_app.screens.worker_faults import WorkerFaults
from ptacl_app.shell import messages
from ptacl_app.text.formatting import safe
from ptacl_app.widgets.preview import Preview
from ptacl_app.widgets.tables.patients import PatientTable
from ptacl_core.errors import PtaclError

PREVIEW_DELAY_S = 0.15


class CohortPreview(WorkerFaults, Screen[None]):
    """A screen with a table of patients (#table) and a summary (#preview) of one of them."""

    def __init__(self) -> None:
        super().__init__()
        self._preview_timer: Timer | None = None

    def preview_when_resting(self) -> None:
        """Show the patient under the cursor once it rests."""
        # a timer rings once: every move of the cursor sets another
        if self._preview_timer is not None:
            self._preview_timer.stop()
        self._preview_timer = self.set_timer(PREVIEW_DELAY_S, self._load_preview)

    def _load_preview(self) -> None:
        row = self.query_one("#table", PatientTable).selected
        if row is None:
            self.query_one("#preview", Preview).show(None)
        elif self.query_one("#preview").display:
            self.load_preview(row.patient, row.visit)

    @work(thread=True, exclusive=True, group="preview", exit_on_error=False)
    def load_preview(self, patient: str, visit: int) -> None:
        """Read the patient under the cursor; `PreviewLoaded` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            view = reader.load_patient(patient, visit, num_neighbours=0)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("preview", safe(error, max_length=400)))
            return
        self.post_message(messages.PreviewLoaded(view))

    def on_preview_loaded(self, message: messages.PreviewLoaded) -> None:
        """Show it, unless the cursor has gone on."""
        row = self.query_one("#table", PatientTable).selected
        if row is not None and (row.patient, row.visit) == (
            message.patient.patient,
            message.patient.visit,
        ):
            name = self._app.names.name_of(row.patient)
            self.query_one("#preview", Preview).show(message.patient, name=name)
