"""Keeps the rows that a predicate leaves under a name, and shows how many each part cost."""

from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from ptacl_app.data.patient_view import SavedCohortView
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell import messages
from ptacl_app.text.formatting import format_plural, safe
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.errors import PtaclError


class SaveCohortScreen(Dialog[None]):
    """The attrition table stays on screen until Esc."""

    BINDINGS: ClassVar = [("escape", "dismiss", "Close")]

    def __init__(
        self, criteria: tuple[str, ...], *, people: Sequence[tuple[str, int]] | None = None
    ) -> None:
        """`people` are the visits of a lasso, which `criteria` then only describes."""
        super().__init__()
        self.criteria = criteria
        self.people = people

    def compose(self) -> ComposeResult:
        """The criteria, a name, the table."""
        with Vertical():
            yield Static("Save these rows as a cohort", markup=False)
            yield Static("\n".join(f"  {criterion}" for criterion in self.criteria), markup=False)
            yield SafeInput(placeholder="name", id="name")
            yield Static("Enter saves, Esc closes", id="note", markup=False)

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Enter saves."""
        event.stop()
        if event.value.strip():
            self.save(event.value.strip())

    @work(thread=True, exclusive=True, group="save", exit_on_error=False)
    def save(self, name: str) -> None:
        """Write it; `CohortSaved` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            if self.people is None:
                saved = reader.save_cohort(name, self.criteria)
            else:
                saved = reader.save_lasso(name, self.criteria[0], self.people)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("save", safe(error, max_length=400)))
            return
        self.post_message(messages.CohortSaved(saved))

    def on_cohort_saved(self, message: messages.CohortSaved) -> None:
        """Show what was left after each criterion."""
        self.say(describe_attrition(message.saved))

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """Say why."""
        message.stop()
        self.say(message.text, is_failure=True)


def describe_attrition(saved: SavedCohortView) -> str:
    """The attrition table as lines."""
    lines = [f"saved as {saved.name}"]
    lines += [
        f"{format_plural(patients, 'patient'):>18}  {format_plural(rows, 'visit'):>16}  {label}"
        for label, rows, patients in saved.steps
    ]
    return "\n".join(lines)
