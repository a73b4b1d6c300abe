"""SQL over the cohort: editor, catalogue, results, history. Read-only and sandboxed."""

from typing import Any, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import DataTable, Static, Tree

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.patient_view import CohortSummary, QueryResult
from ptacl_app.screens.dialogs.history import HistoryScreen
from ptacl_app.screens.side_panel import toggle_side
from ptacl_app.screens.worker_faults import WorkerFaults
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.text.formatting import format_count, format_plural, safe
from ptacl_app.text.sql_text import find_statement
from ptacl_app.widgets.key_footer import KeyFooter
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.sql_editor import SqlEditor
from ptacl_app.widgets.tables.results import ResultTable
from ptacl_app.widgets.title_line import TitleLine
from ptacl_core.errors import PtaclError

MAX_ROWS = 5000
"""Rows that are shown of a statement; the export writes all of them."""
MAX_HISTORY = 100
FIRST_STATEMENT = (
    "-- ctrl+j runs the statement under the cursor\n"
    "SELECT sex, count(*) AS visits, round(avg(lvef_pct), 1) AS lvef_pct\n"
    "FROM overview GROUP BY sex ORDER BY sex;\n"
)


class SqlScreen(WorkerFaults, Screen[None]):
    """A failed statement stays in its pane, in the engine's own words."""

    BINDINGS: ClassVar = build_bindings("sql")
    AUTO_FOCUS = "#editor"
    scopes = ("sql",)

    is_query_running: reactive[bool] = reactive(False)
    """A statement is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []
        self.shown_statement = ""

    def compose(self) -> ComposeResult:
        """Catalogue at the left, editor above results."""
        yield TitleLine(id="title")
        with Horizontal(id="body"):
            with Vertical(id="catalogue"):
                yield PaneHead("Tables", id="catalogue-head")
                yield Tree("store", id="tree")
            with Vertical(id="middle"):
                yield SqlEditor(FIRST_STATEMENT, id="editor")
                yield Static("", id="status", markup=False)
                yield ResultTable(id="results")
        yield Static("please enlarge the window to 60×18", id="too-small", markup=False)
        yield KeyFooter("sql")

    def on_mount(self) -> None:
        """Follow the store; the cursor stands in the editor."""
        title = self.query_one("#title", TitleLine)
        title.place = "SQL"
        title.detail = "read-only, sandboxed   Esc leaves the editor"
        session = self._app.session
        self.history = list(session.history)
        editor = self.query_one("#editor", SqlEditor)
        if session.statement is not None:
            editor.text = session.statement
        else:
            editor.select_all()  # what is typed takes the sample's place
        tree = self.query_one("#tree", Tree)
        tree.show_root = False
        tree.guide_depth = 2
        self.watch(self.app, "summary", self._show_summary)
        self.query_one("#editor").focus()

    def describe_session(self) -> dict[str, object]:
        """What the next session starts with."""
        return {
            "statement": self.query_one("#editor", SqlEditor).text,
            "history": tuple(self.history[-MAX_HISTORY:]),
        }

    def _show_summary(self, summary: CohortSummary | None) -> None:
        if summary is not None:
            self.load_catalogue()

    @work(thread=True, exclusive=True, group="catalogue", exit_on_error=False)
    def load_catalogue(self) -> None:
        """Tables and columns of the store."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            tables = reader.load_catalogue()
        except PtaclError as error:
            self.post_message(messages.PaneFailed("sql", safe(error, max_length=600)))
            return
        self.post_message(messages.CatalogueLoaded(tables))

    def on_catalogue_loaded(self, message: messages.CatalogueLoaded) -> None:
        """A node per table; Enter puts a name into the editor."""
        from rich.text import Text

        tree = self.query_one("#tree", Tree)
        opened = {node.data for node in tree.root.children if node.is_expanded}
        tree.clear()
        for table, columns in message.tables.items():
            node = tree.root.add(Text(table), data=table, expand=table in opened)
            for column, kind in columns:
                label = Text(column).append(f" {kind.lower()}", style="dim")
                node.add_leaf(label, data=column)

    def on_tree_node_selected(self, event: Tree.NodeSelected[Any]) -> None:
        """The name under the cursor goes into the editor."""
        event.stop()
        if event.node.data is not None and not event.node.allow_expand:
            editor = self.query_one("#editor", SqlEditor)
            editor.insert(str(event.node.data))
            if self.has_class("-side"):
                self.action_side()

    # --- running

    def action_run(self) -> None:
        """Run the selection, or the statement under the cursor."""
        editor = self.query_one("#editor", SqlEditor)
        statement = editor.selected_text or find_statement(editor.text, editor.cursor_offset)
        if not statement.strip():
            self._say("nothing to run: the cursor is in no statement", is_failure=True)
            return
        if self.is_query_running:
            self._say("a statement is running: ^X cancels it")
            return
        self.is_query_running = True
        self._say("running …")
        if not self.history or self.history[-1] != statement:
            self.history.append(statement)
        self.run_statement(statement)

    @work(thread=True, exclusive=True, group="query", exit_on_error=False)
    def run_statement(self, statement: str) -> None:
        """Run in a thread; `QueryRows` follow, then `QueryFinished`, or `PaneFailed`."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            for number, piece in enumerate(reader.stream_query(statement, max_rows=MAX_ROWS)):
                self.post_message(messages.QueryRows(statement, piece, is_first=number == 0))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("sql", safe(error, max_length=600)))
            return
        self.post_message(messages.QueryFinished(statement))

    def on_query_rows(self, message: messages.QueryRows) -> None:
        """Show the rows that have come."""
        table = self.query_one("#results", ResultTable)
        if message.is_first:
            self.shown_statement = message.statement
            table.show(message.result)
        else:
            table.extend(message.result)
        self._say(f"{format_plural(len(table.result.rows), 'row')} so far …")

    def on_query_finished(self) -> None:
        """Say how many rows there are, and how long it took."""
        self.is_query_running = False
        self._say(_describe_result(self.query_one("#results", ResultTable).result))

    def stop_waiting(self) -> None:
        """No rows will come; another statement can be run."""
        self.is_query_running = False
        self._say("")

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """Show why."""
        message.stop()
        self.is_query_running = False
        self._say(message.text, is_failure=True)

    def action_leave_editor(self) -> None:
        """Out of the editor, so that letters and digits are keys again."""
        self.query_one("#results").focus()

    def action_cancel(self) -> None:
        """Stop the statement under way."""
        reader = self._app.reader
        if self.is_query_running and reader is not None:
            reader.cancel_query()
            self._say("cancelled", is_failure=True)

    def _say(self, text: str, *, is_failure: bool = False) -> None:
        status = self.query_one("#status", Static)
        status.update(f" {text}")
        status.set_class(is_failure, "-failure")

    # --- results

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """A row whose first column is a patient opens the patient."""
        event.stop()
        table = self.query_one("#results", ResultTable)
        row = table.selected
        if row is None or not table.result.columns or table.result.columns[0] != "patient":
            self._say("only rows whose first column is  patient  open a patient")
            return
        worklist = tuple(dict.fromkeys(str(listed[0]) for listed in table.result.rows))
        self._app.open_patient(str(row[0]), worklist=worklist)

    def action_history(self) -> None:
        """Earlier statements, the last first."""
        self.app.push_screen(HistoryScreen(tuple(reversed(self.history))), self._take_statement)

    def _take_statement(self, statement: str | None) -> None:
        if statement is not None:
            self.query_one("#editor", SqlEditor).text = statement

    def action_copy(self) -> None:
        """The row under the cursor, tab-separated."""
        row = self.query_one("#results", ResultTable).selected
        if row is not None:
            self._app.copy_text("\t".join(safe(value) for value in row))

    def action_export(self) -> None:
        """The rows as CSV into exports/, a header even when there are none.

        Those of a statement that has more than are shown are read again, all of them.
        """
        from ptacl_app.output.export import export_result
        from ptacl_app.screens.dialogs.export import Written, export_in_thread

        result = self.query_one("#results", ResultTable).result
        statement = self.shown_statement

        def write(reader: CohortReader) -> Written:
            if result.is_cut:
                path, count = reader.export_statement(statement)
                return Written(path, f"all {format_plural(count, 'row')}")
            rows = format_plural(len(result.rows), "row")
            return Written(export_result(reader, result), rows)

        def say(text: str, is_failure: bool) -> None:
            self._say(text, is_failure=is_failure)

        if result.columns:
            export_in_thread(self._app, write, say=say)

    def action_maximise_pane(self) -> None:
        """Editor and results alone."""
        self.remove_class("-side")
        self.toggle_class("-no-side")

    def action_side(self) -> None:
        """The tables of the store on and off; in a small terminal instead of the editor."""
        toggle_side(self, side="#tree", main="#editor")


def _describe_result(result: QueryResult) -> str:
    count = format_plural(len(result.rows), "row")
    if result.is_cut:
        count = (
            f"the first {format_count(len(result.rows))} rows; there are more, e writes all of them"
        )
    return f"{count} · {result.elapsed_s * 1000:.0f} ms"
