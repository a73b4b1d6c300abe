"""Earlier SQL statements, to take one back into the editor."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static

from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.text.formatting import safe


class HistoryScreen(Dialog[str | None]):
    """Enter takes a statement, Esc none."""

    DEFAULT_CSS = """
    HistoryScreen OptionList { max-height: 24; }
    """
    BINDINGS: ClassVar = [("escape,f8", "leave", "Close")]

    def __init__(self, statements: tuple[str, ...]) -> None:
        super().__init__()
        self.statements = tuple(dict.fromkeys(statements))

    def compose(self) -> ComposeResult:
        """A line for each."""
        with Vertical():
            yield Static("Earlier statements", markup=False)
            yield OptionList(
                *(Text(safe(" ".join(statement.split()))) for statement in self.statements),
                markup=False,
            )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it."""
        self.dismiss(self.statements[event.option_index])

    def action_leave(self) -> None:
        """Take none."""
        self.dismiss(None)
