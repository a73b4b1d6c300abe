"""What screens ask of the app, and nothing more: they know this protocol, never the app's class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from textual.app import App
from textual.dom import DOMNode
from textual.theme import Theme
from textual.worker import Worker

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.file_reading import FileReader
from ptacl_app.data.inference import Predictor
from ptacl_app.data.patient_view import CohortSummary, PatientView
from ptacl_app.drawing.playback import TimeSource
from ptacl_app.shell.session import SessionState
from ptacl_app.shell.settings import AppSettings
from ptacl_app.terminal.image_layer import ImageLayer
from ptacl_app.text.privacy import PatientNames


class Services(Protocol):
    """The app as a screen sees it."""

    settings: AppSettings
    session: SessionState
    time_source: TimeSource
    state_dir: Path
    cohort_path: Path
    predictor: Predictor
    files: FileReader
    names: PatientNames
    worklist: tuple[str, ...]
    images: ImageLayer | None
    """Pictures in the terminal; None where cells are all there is."""

    @property
    def reader(self) -> CohortReader | None:
        """The open store; None until it is open."""
        ...

    @property
    def summary(self) -> CohortSummary | None:
        """The cohort that is open."""
        ...

    @property
    def patient(self) -> PatientView | None:
        """The patient that every screen is about."""
        ...

    @property
    def failure(self) -> str:
        """Why no patient could be shown."""
        ...

    @property
    def available_themes(self) -> dict[str, Theme]:
        """Themes by name."""
        ...

    def open_patient(
        self,
        patient: str,
        visit: int | None = None,
        *,
        worklist: tuple[str, ...] | None = None,
    ) -> None:
        """Read a patient and show it."""
        ...

    def show_patient(self, patient: PatientView) -> None:
        """Show a patient that is in memory."""
        ...

    def with_original(self, patient: PatientView, *, is_wanted: Callable[[], bool]) -> PatientView:
        """The patient with the recording as it was made; blocks."""
        ...

    def receive_file(self, patient: PatientView, person: str) -> None:
        """Show a file that was read, then ask the model."""
        ...

    def use_run(self, run: str) -> Worker[None]:
        """Predictions and neighbours come from `run` from now on."""
        ...

    def check_publication(self) -> Worker[None]:
        """Change to a newer publication of the store, if there is one."""
        ...

    def is_output_backed_up(self) -> bool:
        """True while the terminal has not taken the frames before."""
        ...

    def copy_text(self, text: str) -> None:
        """Copy, by the terminal and into a file."""
        ...

    def report_fault(self, error: BaseException) -> None:
        """A fault of ours: one sentence on screen, a note without values in a file."""
        ...

    def describe_terminal(self) -> dict[str, str]:
        """What the app knows of its terminal, for the screen that shows it."""
        ...

    def notify(self, message: str, *, severity: Any = ..., markup: bool = ...) -> None:
        """A toast."""
        ...

    def hand_over(self, path: Path) -> None:
        """A file that was written on this machine: a browser on another one gets it too."""
        ...

    def run_worker(
        self, work: Any, *, thread: bool, group: str, exit_on_error: bool
    ) -> Worker[Any]:
        """Work that outlives the screen that asked for it."""
        ...

    def call_from_thread(self, callback: Callable[..., Any], *arguments: Any) -> Any:
        """Run `callback` in the app's own thread."""
        ...


def services_of(node: DOMNode) -> Services:
    """The app that a screen or widget belongs to, as its services."""
    return cast("Services", node.app)


def as_services(app: App[Any]) -> Services:
    """The same for what holds the app itself."""
    return cast("Services", app)
