"""The patients of a cohort, two hundred at a time: sorting and filtering happen in the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import DataTable
from textual.widgets.data_table import ColumnKey

from ptacl_app.data.patient_view import PatientPage, PatientSummary
from ptacl_app.text.formatting import MISSING, PHENOTYPE_LABELS, format_number, safe
from ptacl_app.widgets.phenotype_panel import MAIN_PHENOTYPES
from ptacl_app.widgets.tables.whole_columns import WholeColumnTable
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

PAGE_ROWS = 200


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: heading, the store's column it sorts by, alignment."""

    key: str
    heading: str
    is_number: bool = True


_PERSON = (
    TableColumn("patient", "patient", False),
    TableColumn("visit", "visit"),
    TableColumn("sex", "sex", False),
    TableColumn("age_years", "age"),
    TableColumn("split", "split", False),
    TableColumn("has_ecg", "ECG", False),
    TableColumn("has_cmr", "CMR", False),
    TableColumn("num_findings", "notes"),
    TableColumn("heart_rate_bpm", "HR"),
)
COLUMNS = (*_PERSON, *(TableColumn(name, PHENOTYPE_LABELS[name]) for name in MAIN_PHENOTYPES))
"""What is shown until somebody chooses.

With one blank before each cell instead of one at either side, all fit into 80 columns.
"""
ALL_COLUMNS = (
    *_PERSON,
    TableColumn("height_cm", "height"),
    TableColumn("weight_kg", "weight"),
    TableColumn("bmi_kg_m2", "BMI"),
    TableColumn("pr_ms", "PR"),
    TableColumn("qrs_ms", "QRS"),
    TableColumn("qt_ms", "QT"),
    TableColumn("qtc_ms", "QTc"),
    TableColumn("axis_deg", "axis"),
    *(TableColumn(name, PHENOTYPE_LABELS[name]) for name in PHENOTYPE_NAMES),
)
"""What can be chosen. Every cell costs: with all of them a page takes about twice as long."""


class PlainCell(Text):
    """A cell that is not measured by Rich: the columns have the widths that we give them."""

    __rich_measure__ = None  # type: ignore[assignment]


class PatientTable(WholeColumnTable):
    """One page of patients; moving past an end asks for the next page."""

    DEFAULT_CSS = """
    PatientTable { height: 1fr; }
    """
    BINDINGS: ClassVar = []

    class PageWanted(Message):
        """The cursor left the page: rows from `offset` on are wanted, the cursor at an end."""

        def __init__(self, offset: int, *, is_at_end: bool) -> None:
            self.offset = offset
            self.is_at_end = is_at_end
            super().__init__()

    class SortWanted(Message):
        """A heading was clicked."""

        def __init__(self, column: str) -> None:
            self.column = column
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(
            id=id,
            cursor_type="row",
            zebra_stripes=True,
            fixed_columns=1,
            header_height=1,
            cell_padding=0,
        )
        self.page = PatientPage((), 0, 0)
        self._labels_shown: tuple[str, ...] = ()
        self.chosen: tuple[TableColumn, ...] = COLUMNS

    def choose(self, keys: Sequence[str]) -> None:
        """Show these columns from the next page on, in our order; the patient is always there."""
        wanted = {"patient", *keys}
        self.chosen = tuple(column for column in ALL_COLUMNS if column.key in wanted)

    def show(
        self,
        page: PatientPage,
        *,
        sort: str,
        is_descending: bool,
        name_of: Callable[[str], str] = safe,
        cursor: int = 0,
    ) -> None:
        """Show a page; the sorted heading carries an arrow."""
        self.page = page
        arrow = "▼" if is_descending else "▲"
        labels = tuple(
            f" {column.heading}{arrow if column.key == sort else ''}" for column in self.chosen
        )
        with self.app.batch_update():
            if labels != self._labels_shown:
                self.clear(columns=True)
                for column, label in zip(self.chosen, labels, strict=True):
                    justify = "right" if column.is_number else "left"
                    self.add_column(Text(label, justify=justify), key=column.key, width=1)
                self._labels_shown = labels
            else:
                self.clear()
            cells = [_build_cells(row, self.chosen, name_of) for row in page.rows]
            for index, (column, label) in enumerate(zip(self.chosen, labels, strict=True)):
                widths = [row[index].cell_len for row in cells]
                self.columns[ColumnKey(column.key)].width = max([len(label), *widths])
            for row in cells:
                self.add_row(*row)
            if page.rows:
                self.move_cursor(row=min(cursor, len(page.rows) - 1), animate=False, scroll=True)

    @property
    def selected(self) -> PatientSummary | None:
        """The patient under the cursor."""
        if 0 <= self.cursor_row < len(self.page.rows):
            return self.page.rows[self.cursor_row]
        return None

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        """A click on a heading sorts by it."""
        event.stop()
        self.post_message(self.SortWanted(str(event.column_key.value)))

    def action_cursor_down(self) -> None:
        """One row down, or on to the next page."""
        if self.cursor_row >= len(self.page.rows) - 1:
            self._want(self.page.offset + PAGE_ROWS, is_at_end=False)
        else:
            super().action_cursor_down()

    def action_cursor_up(self) -> None:
        """One row up, or back to the page before."""
        if self.cursor_row <= 0:
            self._want(self.page.offset - PAGE_ROWS, is_at_end=True)
        else:
            super().action_cursor_up()

    def action_page_down(self) -> None:
        """A screenful down, or on to the next page."""
        if self.cursor_row >= len(self.page.rows) - 1:
            self._want(self.page.offset + PAGE_ROWS, is_at_end=False)
        else:
            super().action_page_down()

    def action_page_up(self) -> None:
        """A screenful up, or back to the page before."""
        if self.cursor_row <= 0:
            self._want(self.page.offset - PAGE_ROWS, is_at_end=True)
        else:
            super().action_page_up()

    def action_scroll_top(self) -> None:
        """The first patient of all."""
        if self.page.offset:
            self._want(0, is_at_end=False)
        else:
            super().action_scroll_top()

    def action_scroll_bottom(self) -> None:
        """The last patient of all."""
        last = max(self.page.total - 1, 0) // PAGE_ROWS * PAGE_ROWS
        if self.page.offset != last:
            self._want(last, is_at_end=True)
        else:
            super().action_scroll_bottom()

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        if self.max_scroll_y > 0 and self.scroll_y >= self.max_scroll_y:
            self._want(self.page.offset + PAGE_ROWS, is_at_end=False)
        super()._on_mouse_scroll_down(event)

    def _want(self, offset: int, *, is_at_end: bool) -> None:
        if 0 <= offset < self.page.total:
            self.post_message(self.PageWanted(offset, is_at_end=is_at_end))


def _build_cells(
    row: PatientSummary, columns: Sequence[TableColumn], name_of: Callable[[str], str]
) -> list[Text]:
    texts = {
        "patient": safe(name_of(row.patient), max_length=40),
        "visit": str(row.visit),
        "sex": safe(row.sex or MISSING, max_length=40),
        "age_years": format_number(row.age_years, unit="mL"),
        "split": safe(row.split or MISSING, max_length=40),
        "has_ecg": "●" if row.has_ecg else MISSING,
        "has_cmr": "●" if row.has_cmr else MISSING,
        "num_findings": str(row.num_findings) if row.num_findings else "",
        "heart_rate_bpm": format_number(row.heart_rate_bpm, unit="bpm"),
    }
    for name, unit in PHENOTYPE_UNITS.items():
        texts[name] = format_number(row.measured.get(name), unit=unit)
    for name, value in row.others.items():
        texts[name] = format_number(value, unit="mL")
    return [
        PlainCell(" " + texts[column.key], justify="right" if column.is_number else "left")
        for column in columns
    ]
