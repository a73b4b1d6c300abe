"""The saved cohorts: how each came about, its rows, and any two compared."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import DataTable, OptionList, Static
from textual.widgets.option_list import Option

from ptacl_app.data.patient_view import SavedCohortView
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.screens.dialogs.save_cohort import describe_attrition
from ptacl_app.shell import messages
from ptacl_app.text.formatting import format_plural, safe
from ptacl_core.errors import PtaclError

HELP = "Enter shows its rows · c compares it with all, then with the one before · Delete · Esc"


class SavedCohortsScreen(Dialog[tuple[str, ...] | None]):
    """Gives the criteria of the cohort whose rows are wanted."""

    DEFAULT_CSS = """
    SavedCohortsScreen > Vertical { width: 95%; max-width: 110; height: 90%; }
    SavedCohortsScreen OptionList { max-height: 8; }
    SavedCohortsScreen #attrition { color: $quiet-ink; }
    SavedCohortsScreen DataTable { height: 1fr; display: none; background: $surface; }
    SavedCohortsScreen.-compared DataTable { display: block; }
    SavedCohortsScreen.-compared #attrition { display: none; }
    """
    BINDINGS: ClassVar = [
        ("escape,q", "dismiss", "Close"),
        ("c", "compare", "Compare"),
        ("delete", "remove", "Remove"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.cohorts: tuple[SavedCohortView, ...] = ()
        self.marked: str | None = None
        self.to_be_removed: str | None = None

    def compose(self) -> ComposeResult:
        """The list, then attrition or comparison."""
        with Vertical():
            yield Static("Saved cohorts", markup=False)
            yield OptionList(id="saved", markup=False)
            yield Static(HELP, id="note", markup=False)
            yield Static("", id="attrition", markup=False)
            yield DataTable(id="comparison", cursor_type="row", zebra_stripes=True)

    def on_mount(self) -> None:
        """Read what was saved."""
        self.load()

    @work(thread=True, exclusive=True, group="saved", exit_on_error=False)
    def load(self, *, removed: str | None = None) -> None:
        """Remove one where asked, then read all; `SavedCohortsLoaded` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            if removed is not None:
                reader.remove_saved_cohort(removed)
            saved_cohorts = reader.load_saved_cohorts()
        except PtaclError as error:
            self.post_message(messages.PaneFailed("saved", safe(error, max_length=400)))
        else:
            self.post_message(messages.SavedCohortsLoaded(saved_cohorts))

    def on_saved_cohorts_loaded(self, message: messages.SavedCohortsLoaded) -> None:
        """List them with their size."""
        self.cohorts = message.cohorts
        listed = self.query_one("#saved", OptionList)
        listed.clear_options()
        listed.add_options([Option(Text(_describe(cohort))) for cohort in self.cohorts])
        if self.cohorts:
            listed.focus()
            listed.highlighted = 0
            self.say(HELP)
        else:
            self.query_one("#attrition", Static).update("")
            self.remove_class("-compared")
            self.say("none is saved yet: filter the rows of screen 1, then press ctrl+s")

    @property
    def selected(self) -> SavedCohortView | None:
        """The cohort under the cursor."""
        place = self.query_one("#saved", OptionList).highlighted
        return None if place is None or not self.cohorts else self.cohorts[place]

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The attrition follows the cursor."""
        event.stop()
        self.to_be_removed = None
        if self.selected is not None:
            self.query_one("#attrition", Static).update(describe_attrition(self.selected))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter: these rows."""
        event.stop()
        if self.selected is not None:
            self.dismiss(self.selected.criteria)

    def action_remove(self) -> None:
        """The cohort under the cursor, at the second press: what it took to make is lost."""
        if self.selected is None:
            return
        name = self.selected.name
        if self.to_be_removed == name:
            self.to_be_removed = None
            self.marked = None if self.marked == name else self.marked
            self.load(removed=name)
        else:
            self.to_be_removed = name
            self.say(f"Delete again removes {name}; its patients stay in the cohort")

    def action_compare(self) -> None:
        """With all visits at first, then with the one chosen before."""
        if self.selected is not None:
            other, self.marked = self.marked, self.selected.name
            self.compare_with(self.marked, None if other == self.marked else other)

    @work(thread=True, exclusive=True, group="compare", exit_on_error=False)
    def compare_with(self, first: str, second: str | None) -> None:
        """Count in a thread; `CohortsCompared` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            table = reader.compare_cohorts(first, second)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("saved", safe(error, max_length=400)))
        else:
            self.post_message(messages.CohortsCompared(table))

    def on_cohorts_compared(self, message: messages.CohortsCompared) -> None:
        """Show both side by side."""
        table = self.query_one("#comparison", DataTable)
        table.clear(columns=True)
        for place, heading in enumerate(message.table.headings):
            table.add_column(Text(heading, justify="left" if place == 0 else "right"))
        for row in message.table.rows:
            table.add_row(
                *(
                    Text(cell, justify="left" if place == 0 else "right")
                    for place, cell in enumerate(row)
                )
            )
        self.add_class("-compared")
        self.say(HELP)

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """Say why."""
        message.stop()
        self.say(message.text, is_failure=True)


def _describe(saved: SavedCohortView) -> str:
    _, rows, patients = saved.steps[-1] if saved.steps else ("", 0, 0)
    return (
        f"{saved.name:<30}  {format_plural(patients, 'patient'):>16}"
        f"  {format_plural(rows, 'visit'):>14}"
    )
