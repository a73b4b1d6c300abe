"""The figures of an ECG by three sources side by side, disagreement marked."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from ptacl_app.data.opinions import ask_opinions, describe_opinions
from ptacl_app.data.patient_view import PatientView
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell import messages
from ptacl_app.text.formatting import safe
from ptacl_core.errors import PtaclError

WAITING = "neurokit2 is being asked …"


class OpinionsScreen(Dialog[None]):
    """PTACL's own figures are in the store; neurokit2 is asked now, for this one ECG."""

    BINDINGS: ClassVar = [("escape,q,c,f3", "dismiss", "Close")]

    def __init__(self, patient: PatientView) -> None:
        super().__init__()
        self.patient = patient

    def compose(self) -> ComposeResult:
        """A heading, the table, and a line for what is to be said."""
        with VerticalScroll():
            yield Static("Measurements by three sources\n", markup=False)
            yield Static("", id="opinions", markup=False)
            yield Static(WAITING, id="note", markup=False)

    def on_mount(self) -> None:
        """Ask."""
        self.ask()

    @work(thread=True, exclusive=True, group="opinions", exit_on_error=False)
    def ask(self) -> None:
        """`OpinionsAsked` or `PaneFailed` follows."""
        patient, reader = self.patient, self._app.reader
        device = {} if patient.ecg is None else patient.ecg.device
        try:
            if patient.origin == "cohort" and reader is not None:
                device = reader.load_device_figures(patient.patient, patient.visit)
            text = describe_opinions(ask_opinions(patient, device))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("opinions", safe(error, max_length=400)))
            return
        self.post_message(messages.OpinionsAsked(text))

    def on_opinions_asked(self, message: messages.OpinionsAsked) -> None:
        """Show the table."""
        self.query_one("#opinions", Static).update(message.text)
        self.say("")

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """Say why."""
        message.stop()
        self.say(message.text, is_failure=True)

    def stop_waiting(self) -> None:
        """The work has ended without an answer."""
        super().stop_waiting()
        self.say("neurokit2 gave no answer", is_failure=True)
