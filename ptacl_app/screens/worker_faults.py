"""A screen whose work in threads fails in a way nobody expected says so, and stops waiting."""

from typing import TYPE_CHECKING

from textual.worker import Worker, WorkerState

if TYPE_CHECKING:
    from ptacl_app.app import PtaclApp


class WorkerFaults:
    """For screens: Textual tells such an end to the screen that began the work, and to it only."""

    if TYPE_CHECKING:
        app: PtaclApp  # type: ignore[assignment]

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """One sentence on screen, the stack without values in a file, the app goes on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.stop_waiting()
            self.app.report_fault(event.worker.error)

    def stop_waiting(self) -> None:
        """Take away every sign that an answer is on the way."""
