"""Which columns the patient table has."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import SelectionList, Static

from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.widgets.tables.patients import ALL_COLUMNS, COLUMNS

HELP = "space puts a column in or out · u the usual ones · Enter shows them · Esc leaves it"


class ColumnList(SelectionList[str]):
    """Space puts a column in or out; Enter ends the choice."""

    BINDINGS: ClassVar = [("enter", "screen.take", "Show them")]


class ChooseColumnsScreen(Dialog[tuple[str, ...] | None]):
    """Gives the keys of the columns wanted."""

    DEFAULT_CSS = """
    ChooseColumnsScreen > Vertical { max-width: 60; }
    ChooseColumnsScreen SelectionList, ChooseColumnsScreen SelectionList:focus {
        height: auto; max-height: 28; border: none; background: $panel;
    }
    """
    BINDINGS: ClassVar = [
        ("escape", "leave", "Close"),
        ("u", "usual", "The usual ones"),
    ]

    def __init__(self, chosen: tuple[str, ...]) -> None:
        super().__init__()
        self.chosen = chosen

    def compose(self) -> ComposeResult:
        """One line for each; the patient's is always there."""
        with Vertical():
            yield Static("Columns of the table", markup=False)
            yield ColumnList(
                *(
                    (f"{column.heading:<9}{column.key}", column.key, column.key in self.chosen)
                    for column in ALL_COLUMNS
                    if column.key != "patient"
                )
            )
            yield Static(HELP, id="note", markup=False)

    def on_mount(self) -> None:
        """The list has the keys."""
        self.query_one(ColumnList).focus()

    def action_usual(self) -> None:
        """Those that fit into 80 columns."""
        self.dismiss(tuple(column.key for column in COLUMNS))

    def action_take(self) -> None:
        """Show what is chosen."""
        selected = self.query_one(ColumnList).selected
        self.dismiss(("patient", *selected))

    def action_leave(self) -> None:
        """Leave them."""
        self.dismiss(None)
