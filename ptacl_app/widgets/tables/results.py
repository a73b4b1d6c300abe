"""Rows of an SQL result: every cell text, nulls and cut cells marked."""

from dataclasses import replace
from typing import Any

from rich.text import Text

from ptacl_app.data.patient_view import QueryResult
from ptacl_app.text.formatting import safe
from ptacl_app.widgets.tables.whole_columns import WholeColumnTable

MAX_CELL = 60


class ResultTable(WholeColumnTable):
    """Shows at most what the query was limited to; `result` holds the values themselves."""

    DEFAULT_CSS = """
    ResultTable { height: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)
        self.result = QueryResult((), (), False, 0.0)

    def show(self, result: QueryResult) -> None:
        """Show another result."""
        self.result = result
        with self.app.batch_update():
            self.clear(columns=True)
            for index, name in enumerate(result.columns):
                self.add_column(Text(name), key=str(index))
            for row in result.rows:
                self.add_row(*(build_cell(value) for value in row))

    def extend(self, further: QueryResult) -> None:
        """Add rows that came later; cursor and scroll position stay."""
        self.result = replace(further, rows=(*self.result.rows, *further.rows))
        with self.app.batch_update():
            for row in further.rows:
                self.add_row(*(build_cell(value) for value in row))

    @property
    def selected(self) -> tuple[Any, ...] | None:
        """The values of the row under the cursor."""
        if 0 <= self.cursor_row < len(self.result.rows):
            return self.result.rows[self.cursor_row]
        return None


def build_cell(value: object) -> Text:
    """A value as one cell: numbers to the right, null as ∅."""
    if value is None:
        return Text("∅", style="dim")
    if isinstance(value, bool):
        return Text("true" if value else "false")
    if isinstance(value, float):
        return Text(f"{value:.6g}", justify="right")
    if isinstance(value, int):
        return Text(str(value), justify="right")
    return Text(safe(value, max_length=MAX_CELL))
