"""Training runs: both tables with intervals, retrieval, the alignment map, provenance."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import DataTable, Static

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.patient_view import CohortSummary, RunView
from ptacl_app.data.patient_view import RunTable as FigureTable
from ptacl_app.screens.side_panel import toggle_side
from ptacl_app.screens.worker_faults import WorkerFaults
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.text.formatting import safe
from ptacl_app.widgets.key_footer import KeyFooter
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.similarity_map import SimilarityMap
from ptacl_app.widgets.tables.whole_columns import WholeColumnTable
from ptacl_app.widgets.title_line import TitleLine
from ptacl_core.errors import PtaclError

CHANCE_TOP1 = 1 / 13


class RunTable(WholeColumnTable):
    """A table of text."""

    DEFAULT_CSS = """
    RunTable { height: 1fr; }
    """


class RunsScreen(WorkerFaults, Screen[None]):
    """Left the runs, right what the evaluation of the chosen one wrote."""

    BINDINGS: ClassVar = build_bindings("runs")
    AUTO_FOCUS = "#runs"
    scopes = ("runs",)

    table_index: reactive[int] = reactive(0)
    """Which of the run's tables is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: tuple[RunView, ...] = ()
        self.by_run: FigureTable | None = None

    def compose(self) -> ComposeResult:
        """Runs, tables, map, provenance."""
        yield TitleLine(id="title")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield PaneHead("Runs", id="runs-head")
                yield RunTable(id="runs", cursor_type="row")
                yield PaneHead("Alignment", id="map-head")
                yield SimilarityMap(note="not evaluated", id="map")
                yield Static("", id="provenance", classes="pane-note", markup=False)
            with Vertical(id="main"):
                yield PaneHead("", id="table-head")
                yield RunTable(id="figures", cursor_type="row", zebra_stripes=True)
                yield Static("", id="note", classes="pane-note", markup=False)
        yield Static("please enlarge the window to 60×18", id="too-small", markup=False)
        yield KeyFooter("runs")

    def on_mount(self) -> None:
        """Follow the store."""
        self.query_one("#title", TitleLine).place = "Runs"
        self.watch(self.app, "summary", self._show_summary)
        self.watch(self.app, "patient", self._show_patient, init=False)
        self.query_one("#runs").focus()

    def _show_summary(self, summary: CohortSummary | None) -> None:
        if summary is not None:
            self.query_one("#title", TitleLine).detail = summary.name
            self.load_runs()

    def _show_patient(self) -> None:
        self.load_runs()

    @work(thread=True, exclusive=True, group="runs", exit_on_error=False)
    def load_runs(self) -> None:
        """Read them in a thread; `RunsLoaded` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            patient = self._app.patient
            by_run = None
            if patient is not None and patient.origin == "cohort":
                by_run = reader.load_predictions_by_run(patient.patient, patient.visit)
            runs = reader.load_runs()
            self.post_message(messages.RunsLoaded(runs, reader.find_run(), by_run))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("runs", safe(error, max_length=400)))

    def on_runs_loaded(self, message: messages.RunsLoaded) -> None:
        """List them, show the newest."""
        before = self.selected
        self.runs = message.runs
        self.by_run = message.by_run
        table = self.query_one("#runs", RunTable)
        table.clear(columns=True)
        table.add_column(Text("run"))
        table.add_column(Text("kind"))
        table.add_column(Text("made (UTC)"))
        for run in self.runs:
            mark = "● " if run.run == message.chosen else "  "
            table.add_row(Text(mark + run.run), Text(run.kind), Text(run.created))
        names = [run.run for run in self.runs]
        kept = message.chosen if before is None or before.run not in names else before.run
        if kept in names:
            table.move_cursor(row=names.index(kept), animate=False)
        self.show_run()

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """The reason stands where the tables would."""
        message.stop()
        self.query_one("#note", Static).update(message.text)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """The figures follow the cursor."""
        if event.data_table.id == "runs":
            self.show_run()

    @property
    def tables(self) -> tuple[FigureTable, ...]:
        """The tables of the run under the cursor, then the patient's by every run."""
        run = self.selected
        own = () if run is None else run.tables
        return own if self.by_run is None else (*own, self.by_run)

    @property
    def shown_table(self) -> FigureTable | None:
        """The one of them that is shown."""
        return self.tables[self.table_index % len(self.tables)] if self.tables else None

    @property
    def selected(self) -> RunView | None:
        """The run under the cursor."""
        row = self.query_one("#runs", RunTable).cursor_row
        return self.runs[row] if 0 <= row < len(self.runs) else None

    def show_run(self) -> None:
        """Figures, map and provenance of the run under the cursor."""
        run = self.selected
        figures = self.query_one("#figures", RunTable)
        figures.clear(columns=True)
        head = self.query_one("#table-head", PaneHead)
        note = self.query_one("#note", Static)
        map_widget = self.query_one("#map", SimilarityMap)
        if run is None:
            head.label = "no run yet"
            note.update("train one:  ptacl train COHORT --preset demo")
            map_widget.show(None)
            return
        map_widget.show(run.alignment_map)
        self.query_one("#map-head", PaneHead).detail = _describe_alignment(run)
        self.query_one("#provenance", Static).update(
            "\n".join(f"{label:<14}{value}" for label, value in run.provenance)
        )
        table = self.shown_table
        if table is None:
            head.label = run.run
            head.detail = ""
            note.update("not evaluated yet:  ptacl evaluate COHORT --run " + run.run)
            return
        head.label = f"{self.table_index % len(self.tables) + 1}/{len(self.tables)}"
        head.detail = table.title
        note.update(
            "simulated figures are evidence about the code, not about hearts"
            if self._is_simulated
            else ""
        )
        for index, heading in enumerate(table.headings):
            figures.add_column(Text(heading, justify="left" if index == 0 else "right"))
        for row in table.rows:
            figures.add_row(
                *(
                    Text(cell, justify="left" if index == 0 else "right")
                    for index, cell in enumerate(row)
                )
            )

    @property
    def _is_simulated(self) -> bool:
        summary = self._app.summary
        return summary is not None and summary.source == "simulated"

    def action_next_table(self) -> None:
        """Regression, then retrieval."""
        self.table_index += 1
        self.show_run()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter on a run uses it."""
        event.stop()
        if event.data_table.id == "runs":
            self.action_use_run()

    def action_use_run(self) -> None:
        """Predictions and neighbours come from the run under the cursor from now on."""
        if self.selected is not None:
            self._app.use_run(self.selected.run)

    def action_maximise_pane(self) -> None:
        """The tables alone."""
        self.remove_class("-side")
        self.toggle_class("-no-side")

    def action_side(self) -> None:
        """Runs, map and provenance on and off; in a small terminal instead of the tables."""
        toggle_side(self, side="#runs", main="#runs")

    def action_copy(self) -> None:
        """The table shown, tab-separated."""
        table = self.shown_table
        if table is not None:
            lines = [table.title, "\t".join(table.headings)]
            lines += ["\t".join(row) for row in table.rows]
            self._app.copy_text("\n".join(lines))

    def action_export(self) -> None:
        """The table shown as CSV into exports/."""
        from ptacl_app.output.export import export_run_table
        from ptacl_app.screens.dialogs.export import Written, export_in_thread

        run, table = self.selected, self.shown_table

        def write(reader: CohortReader) -> Written:
            assert run is not None
            assert table is not None
            return Written(export_run_table(reader, run, table))

        if run is not None and table is not None:
            export_in_thread(self._app, write)


def _describe_alignment(run: RunView) -> str:
    top1 = run.alignment.get("top1")
    if top1 is None:
        return "not evaluated"
    within = run.alignment.get("within1")
    text = f"top-1 {top1:.2f} (chance {CHANCE_TOP1:.2f})"
    return text if within is None else f"{text}, ±1 {within:.2f}"
