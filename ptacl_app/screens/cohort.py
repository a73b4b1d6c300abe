"""The cohort: facets, a filter in SQL, the patients, and the one under the cursor."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.widgets import DataTable, OptionList, Static
from textual.widgets.option_list import Option

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.patient_view import CohortSummary, Facet
from ptacl_app.screens.cohort_preview import CohortPreview
from ptacl_app.screens.side_panel import toggle_side
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.text.formatting import format_count, format_plural, safe
from ptacl_app.widgets.key_footer import KeyFooter
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.preview import Preview
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_app.widgets.tables.patients import ALL_COLUMNS, PAGE_ROWS, PatientTable
from ptacl_app.widgets.title_line import TitleLine
from ptacl_core.errors import PtaclError

EMPTY_COHORT = "this cohort has no patients yet: fill it with  ptacl simulate  or  ptacl preprocess"


class CohortScreen(CohortPreview):
    """Every sort and filter is a query of the store; the screen holds one page."""

    BINDINGS: ClassVar = build_bindings("cohort")
    AUTO_FOCUS = "#table"
    scopes = ("cohort",)

    criteria: reactive[tuple[str, ...]] = reactive(())
    """The predicates in use: what was typed, then the facets chosen."""
    sort: reactive[str] = reactive("patient")
    """The column sorted by."""
    is_descending: reactive[bool] = reactive(False)
    """The other way round."""

    @property
    def where(self) -> str:
        """All criteria as one predicate."""
        if len(self.criteria) == 1:
            return self.criteria[0]
        return " AND ".join(f"({criterion})" for criterion in self.criteria)

    def compose(self) -> ComposeResult:
        """Facets, table with its filter bar, summary."""
        yield TitleLine(id="title")
        with Horizontal(id="body"):
            with Vertical(id="facets"):
                yield PaneHead("Facets", id="facet-head")
                yield OptionList(id="facet-list", markup=False)
            with Vertical(id="middle"):
                yield SafeInput(
                    placeholder="/  filter, in SQL:  lvef_pct < 50 and sex = 'F'", id="filter"
                )
                yield Static("", id="failure", classes="pane-failure", markup=False)
                yield PatientTable(id="table")
                yield Static("opening …", id="status", markup=False)
            yield Preview(id="preview")
        yield Static("please enlarge the window to 60×18", id="too-small", markup=False)
        yield KeyFooter("cohort")

    def on_mount(self) -> None:
        """Follow the store."""
        session = self._app.session
        self.criteria = session.criteria
        self.sort = (
            session.sort if session.sort in {column.key for column in ALL_COLUMNS} else self.sort
        )
        self.is_descending = session.is_descending
        if session.columns:
            self.query_one("#table", PatientTable).choose(session.columns)
        self.query_one("#filter", SafeInput).value = self.where
        self.query_one("#title", TitleLine).place = "Cohort"
        self.watch(self.app, "summary", self._show_summary)
        self.watch(self.app, "failure", self._show_store_failure)
        self.query_one("#table").focus()

    def describe_session(self) -> dict[str, object]:
        """What the next session starts with."""
        return {
            "criteria": self.criteria,
            "sort": self.sort,
            "is_descending": self.is_descending,
            "columns": tuple(
                column.key for column in self.query_one("#table", PatientTable).chosen
            ),
        }

    # --- the store

    def _show_summary(self, summary: CohortSummary | None) -> None:
        table = self.query_one("#table", PatientTable)
        table.loading = summary is None and not self._app.failure
        if summary is None:
            return
        parts = [summary.name, summary.source, format_plural(summary.num_patients, "visit")]
        parts.append(f"{format_count(summary.num_ecg)} ECG, {format_count(summary.num_cmr)} CMR")
        parts.append(f"{format_plural(len(summary.runs), 'run')}" if summary.runs else "no model")
        self.query_one("#title", TitleLine).detail = " · ".join(parts)
        self._show_failure("" if summary.num_patients else EMPTY_COHORT)
        self.load_page(table.page.offset, table.cursor_row)
        self.load_facets()

    def _show_store_failure(self, failure: str) -> None:
        if failure and self._app.summary is None:
            self.query_one("#table", PatientTable).loading = False
            self.query_one("#status", Static).update("")
            self._show_failure(failure)

    def _show_failure(self, text: str) -> None:
        failure = self.query_one("#failure", Static)
        failure.update(text)
        failure.set_class(bool(text), "-shown")

    @work(thread=True, exclusive=True, group="page", exit_on_error=False)
    def load_page(self, offset: int = 0, cursor: int = 0) -> None:
        """Fetch a page; `PageLoaded` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        sort, is_descending = self.sort, self.is_descending
        try:
            page = reader.load_page(
                where=self.where or None,
                sort=sort,
                is_descending=is_descending,
                offset=offset,
                limit=PAGE_ROWS,
            )
        except PtaclError as error:
            self.post_message(messages.PaneFailed("filter", safe(error, max_length=400)))
            return
        self.post_message(messages.PageLoaded(page, sort, is_descending, cursor))

    @work(thread=True, exclusive=True, group="facets", exit_on_error=False)
    def load_facets(self) -> None:
        """Count the facets; `FacetsLoaded` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            self.post_message(messages.FacetsLoaded(reader.load_facets()))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("facets", safe(error, max_length=400)))

    def on_page_loaded(self, message: messages.PageLoaded) -> None:
        """Show the page that arrived."""
        page = message.page
        table = self.query_one("#table", PatientTable)
        table.loading = False
        summary = self._app.summary
        self._show_failure("" if summary and summary.num_patients else EMPTY_COHORT)
        table.show(
            page,
            sort=message.sort,
            is_descending=message.is_descending,
            name_of=self._app.names.name_of,
            cursor=message.cursor,
        )
        if page.rows:
            first, last = page.offset + 1, page.offset + len(page.rows)
            shown = f"{format_count(first)}–{format_count(last)} of {format_count(page.total)}"
        else:
            shown = "no row" if self.where else ""
        condition = f"   where {self.where}" if self.where else ""
        self.query_one("#status", Static).update(f" {shown}{condition}")
        self.preview_when_resting()

    def on_facets_loaded(self, message: messages.FacetsLoaded) -> None:
        """Show the counts."""
        self._facets = message.facets
        options: list[Option | None] = []
        group = ""
        for index, facet in enumerate(message.facets):
            if facet.group != group:
                group = facet.group
                options.append(Option(Text(group, style="bold"), disabled=True))
            options.append(Option(_describe_facet(facet), id=str(index)))
        facets = self.query_one("#facet-list", OptionList)
        place = facets.highlighted
        facets.clear_options()
        facets.add_options(options)
        if place is not None and place < facets.option_count:
            facets.highlighted = place

    def stop_waiting(self) -> None:
        """The rows that there are stay."""
        self.query_one("#table", PatientTable).loading = False

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """A predicate that fails stays in the bar, with the reason under it."""
        message.stop()
        self.query_one("#table", PatientTable).loading = False
        self._show_failure(message.text)

    # --- the table

    def on_patient_table_page_wanted(self, message: PatientTable.PageWanted) -> None:
        """The cursor left the page."""
        self.load_page(message.offset, PAGE_ROWS - 1 if message.is_at_end else 0)

    def on_patient_table_sort_wanted(self, message: PatientTable.SortWanted) -> None:
        """A heading was clicked: sort by it, twice the other way round."""
        if message.column == self.sort:
            self.is_descending = not self.is_descending
        else:
            self.sort, self.is_descending = message.column, False
        self.load_page()

    def action_sort(self, offset: int) -> None:
        """The next column."""
        keys = [column.key for column in self.query_one("#table", PatientTable).chosen]
        self.sort = keys[(keys.index(self.sort) + offset) % len(keys)]
        self.load_page()

    def action_reverse(self) -> None:
        """The other way round."""
        self.is_descending = not self.is_descending
        self.load_page()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter or a click on the selected row opens the patient."""
        event.stop()
        self.action_open()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """The summary follows the cursor, once it rests."""
        event.stop()
        self.preview_when_resting()

    def action_open(self) -> None:
        """Open the patient under the cursor; `[` and `]` then walk this page."""
        table = self.query_one("#table", PatientTable)
        row = table.selected
        if row is not None:
            worklist = tuple(dict.fromkeys(row_shown.patient for row_shown in table.page.rows))
            self._app.open_patient(row.patient, row.visit, worklist=worklist)

    # --- filter and facets

    def action_filter(self) -> None:
        """Into the filter bar."""
        self.query_one("#filter", SafeInput).focus()

    def action_clear_filter(self) -> None:
        """Out of the filter bar; then all rows."""
        bar = self.query_one("#filter", SafeInput)
        if bar.has_focus:
            bar.value = self.where
            self.query_one("#table").focus()
        elif self.where:
            self.apply_filter(())

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Enter in the bar applies it."""
        event.stop()
        typed = event.value.strip()
        if typed != self.where:
            self.apply_filter((typed,) if typed else ())
        self.query_one("#table").focus()

    def apply_filter(self, criteria: tuple[str, ...]) -> None:
        """Show the rows that meet all criteria, from the first."""
        self.criteria = criteria
        self.remove_class("-side")
        self.query_one("#filter", SafeInput).value = self.where
        self.query_one("#table").focus()
        self.load_page()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A facet joins the predicate; chosen again, it leaves it."""
        event.stop()
        if event.option_id is None:
            return
        predicate = self._facets[int(event.option_id)].predicate
        if predicate in self.criteria:
            self.apply_filter(
                tuple(criterion for criterion in self.criteria if criterion != predicate)
            )
        else:
            self.apply_filter((*self.criteria, predicate))

    def action_side(self) -> None:
        """Facets and summary on and off; in a small terminal the facets instead of the table."""
        toggle_side(self, side="#facet-list", main="#table")
        self.preview_when_resting()

    def action_maximise_pane(self) -> None:
        """The table alone."""
        self.remove_class("-side")
        self.toggle_class("-no-side")

    def on_resize(self) -> None:
        """A summary that has just come into sight is read."""
        self.preview_when_resting()

    # --- out of the app

    def action_copy(self) -> None:
        """The row under the cursor, tab-separated."""
        table = self.query_one("#table", PatientTable)
        if table.selected is not None:
            cells = table.get_row_at(table.cursor_row)
            self._app.copy_text("\t".join(cell.plain.strip() for cell in cells))

    def action_export(self) -> None:
        """All rows that fit the filter, as CSV into exports/."""
        from ptacl_app.output.export import export_overview
        from ptacl_app.screens.dialogs.export import Written, export_in_thread

        where = self.where or None

        def write(reader: CohortReader) -> Written:
            path, count = export_overview(reader, where=where)
            return Written(path, format_plural(count, "row"))

        export_in_thread(self._app, write)

    def action_notes(self) -> None:
        """Notes and tags of the patient under the cursor; the facets then count the tags anew."""
        from ptacl_app.screens.notes import NotesScreen

        row = self.query_one("#table", PatientTable).selected
        if row is not None:
            self.app.push_screen(NotesScreen(row.patient), self._count_tags)

    def _count_tags(self, _: None) -> None:
        self.load_facets()

    def action_columns(self) -> None:
        """Choose what the table shows."""
        from ptacl_app.screens.dialogs.choose_columns import ChooseColumnsScreen

        def take(keys: tuple[str, ...] | None) -> None:
            if keys is not None:
                table.choose(keys)
                if self.sort not in keys:
                    self.sort = "patient"
                self.load_page(table.page.offset, table.cursor_row)

        table = self.query_one("#table", PatientTable)
        self.app.push_screen(
            ChooseColumnsScreen(tuple(column.key for column in table.chosen)), take
        )

    def action_save_cohort(self) -> None:
        """Ask for a name and keep the predicate under it."""
        from ptacl_app.screens.dialogs.save_cohort import SaveCohortScreen

        if self.where:
            self.app.push_screen(SaveCohortScreen(self.criteria))
        else:
            self.notify("filter the rows first, then save them under a name", markup=False)

    def action_saved_cohorts(self) -> None:
        """The saved cohorts; the one picked becomes the filter."""
        from ptacl_app.screens.saved_cohorts import SavedCohortsScreen

        self.app.push_screen(SavedCohortsScreen(), self._use_criteria)

    def _use_criteria(self, criteria: tuple[str, ...] | None) -> None:
        if criteria is not None:
            self.apply_filter(criteria)


def _describe_facet(facet: Facet) -> Text:
    text = Text(safe(facet.label, max_length=14).ljust(13))
    return text.append(format_count(facet.count).rjust(7), style="dim")
