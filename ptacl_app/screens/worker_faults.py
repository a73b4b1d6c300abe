"""What every screen has: the app's services, and words for work in threads that fails."""

from typing import cast

from textual.dom import DOMNode
from textual.worker import Worker, WorkerState

from ptacl_app.shell.services import Services, services_of


class WorkerFaults:
    """For screens: Textual tells such an end to the screen that began the work, and to it only."""

    @property
    def _app(self) -> Services:
        return services_of(cast("DOMNode", self))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """One sentence on screen, the stack without values in a file, the app goes on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.stop_waiting()
            self._app.report_fault(event.worker.error)

    def stop_waiting(self) -> None:
        """Take away every sign that an answer is on the way."""
