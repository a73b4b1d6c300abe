"""Asks for one of the columns that a chart can show."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static

from ptacl_app.data.chart_data import ChartColumn
from ptacl_app.screens.dialogs.dialog import Dialog

NO_COLOUR = "no colour"


class PickColumnScreen(Dialog[ChartColumn | str | None]):
    """Gives the column; `NO_COLOUR` where that may be chosen, None after Esc."""

    DEFAULT_CSS = """
    PickColumnScreen > Vertical { max-width: 60; }
    PickColumnScreen OptionList { max-height: 30; }
    """
    BINDINGS: ClassVar = [("escape", "leave", "Close")]

    def __init__(
        self,
        columns: tuple[ChartColumn, ...],
        *,
        title: str,
        current: ChartColumn | None,
        may_be_none: bool = False,
    ) -> None:
        super().__init__()
        self.columns = columns
        self.heading = title
        self.current = current
        self.may_be_none = may_be_none

    def compose(self) -> ComposeResult:
        """One line for each."""
        names = [NO_COLOUR] if self.may_be_none else []
        with Vertical():
            yield Static(self.heading, markup=False)
            yield OptionList(*names, *(column.label for column in self.columns), markup=False)

    def on_mount(self) -> None:
        """The cursor stands on the one in use."""
        if self.current in self.columns:
            place = self.columns.index(self.current) + int(self.may_be_none)
            self.query_one(OptionList).highlighted = place

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Take it."""
        place = event.option_index - int(self.may_be_none)
        self.dismiss(NO_COLOUR if place < 0 else self.columns[place])

    def action_leave(self) -> None:
        """Take none."""
        self.dismiss(None)
