"""The cohort as pictures: maps of the embeddings, two columns against each other, histograms."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from ptacl_app.data.chart_data import ChartColumn, ChartWish, CohortChart
from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.patient_view import CohortSummary
from ptacl_app.drawing.chart import ChartKind
from ptacl_app.drawing.chart_picture import GROUP_COLOURS
from ptacl_app.screens.dialogs.pick_column import NO_COLOUR, PickColumnScreen
from ptacl_app.screens.worker_faults import WorkerFaults
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE, format_plural, safe
from ptacl_app.widgets.chart_plot import ChartPlot
from ptacl_app.widgets.key_footer import KeyFooter
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.title_line import TitleLine
from ptacl_core.errors import PtaclError

FIRST_X = ChartColumn("lvef_pct", unit="%")
FIRST_Y = ChartColumn("lvef_pct", is_predicted=True, unit="%")
HELP = (
    "k kind   x y columns   c colour\n"
    "lasso: drag with the mouse, or arrows, space for a corner, Enter to close it\n"
    "Enter or a click opens the nearest visit, ctrl+s keeps what the lasso holds"
)


class ChartsScreen(WorkerFaults, Screen[None]):
    """Asks the store again for every other wish; what a lasso holds can become a cohort."""

    BINDINGS: ClassVar = build_bindings("charts")
    AUTO_FOCUS = "#plot"
    scopes = ("charts",)

    def __init__(self) -> None:
        super().__init__()
        self.wish = ChartWish(ChartKind.ECG_MAP, FIRST_X, FIRST_Y, FIRST_X)
        self.columns: tuple[ChartColumn, ...] = ()
        self.shown: CohortChart | None = None

    def compose(self) -> ComposeResult:
        """The plot, beside it what it says."""
        yield TitleLine(id="title")
        with Horizontal(id="body"):
            with Vertical(id="main"):
                yield PaneHead("", id="plot-head")
                yield ChartPlot(id="plot")
            with Vertical(id="side"):
                yield PaneHead("What it says", id="side-head")
                yield Static("", id="remarks", markup=False)
                yield Static("", id="legend", markup=False)
                yield Static("", id="selection", markup=False)
                yield Static(HELP, id="help", markup=False)
                yield Static(RESEARCH_USE_SENTENCE, id="notice", markup=False)
        yield Static("please enlarge the window to 60×18", id="too-small", markup=False)
        yield KeyFooter("charts")

    def on_mount(self) -> None:
        """Follow the store."""
        self.query_one("#title", TitleLine).place = "Charts"
        self.watch(self.app, "summary", self._show_summary)

    def _show_summary(self, summary: CohortSummary | None) -> None:
        if summary is not None:
            run = "no model" if summary.run is None else f"run {summary.run}"
            self.query_one("#title", TitleLine).detail = f"{summary.name} · {run}"
            if summary.run is None and self.wish.kind in (ChartKind.ECG_MAP, ChartKind.CMR_MAP):
                age = ChartColumn("age_years", unit="y")
                self.wish = ChartWish(ChartKind.SCATTER, age, FIRST_X, None)
            self.load_chart(self.wish)

    # --- the store

    @work(thread=True, exclusive=True, group="chart", exit_on_error=False)
    def load_chart(self, wish: ChartWish) -> None:
        """Read it; `ChartLoaded` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            columns = reader.load_chart_columns()
            self.post_message(messages.ChartLoaded(columns, reader.load_chart(wish)))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("chart", safe(error, max_length=400)))

    def on_chart_loaded(self, message: messages.ChartLoaded) -> None:
        """Show it."""
        self.columns, self.shown = message.columns, message.chart
        chart = message.chart.chart
        self.query_one("#plot", ChartPlot).show(chart)
        self.query_one("#plot-head", PaneHead).label = chart.kind.value
        self.query_one("#plot-head", PaneHead).detail = (
            f"{chart.y_label}  by  {chart.x_label}" if self._is_of_columns else chart.x_label
        )
        self.query_one("#remarks", Static).update("\n".join(chart.remarks))
        self.query_one("#selection", Static).update("")
        self.query_one("#legend", Static).update(self._build_legend())

    @property
    def _is_of_columns(self) -> bool:
        return self.wish.kind not in (ChartKind.ECG_MAP, ChartKind.CMR_MAP)

    def _build_legend(self) -> Text:
        text = Text()
        if self.shown is None:
            return text
        chart, colour = self.shown.chart, self.shown.wish.colour
        if colour is not None and chart.heights is None:
            text.append(f"colour: {colour.label}\n")
            counts = np.bincount(chart.groups, minlength=len(chart.group_labels))
            for place, label in enumerate(chart.group_labels):
                red, green, blue = GROUP_COLOURS[place]
                text.append("● ", style=f"rgb({red},{green},{blue})")
                text.append(f"{safe(label, max_length=24)}  {counts[place]}\n")
        for level in chart.levels:
            text.append(f"╌ {level.label}\n")
        return text

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """The reason stands where the points would."""
        message.stop()
        if message.pane == "chart":
            self.shown = None
            self.query_one("#plot", ChartPlot).show(None, note=message.text)
            self.query_one("#plot-head", PaneHead).label = self.wish.kind.value
            self.query_one("#plot-head", PaneHead).detail = ""
            self.query_one("#remarks", Static).update(message.text)
            self.query_one("#legend", Static).update("")
        else:
            self.notify(message.text, severity="warning", markup=False)

    # --- what is drawn

    def _wish(self, **fields: object) -> None:
        self.wish = replace(self.wish, **fields)
        self.load_chart(self.wish)

    def action_kind(self) -> None:
        """The next kind of chart."""
        kinds = list(ChartKind)
        self._wish(kind=kinds[(kinds.index(self.wish.kind) + 1) % len(kinds)])

    def action_pick(self, axis: str) -> None:
        """Another column for an axis or the colour."""
        is_colour = axis == "colour"
        columns = tuple(column for column in self.columns if is_colour or column.is_number)
        titles = {"x": "first column (→)", "y": "second column (↑)", "colour": "colour by"}

        def take(answer: ChartColumn | str | None) -> None:
            if answer is None:
                return
            fields: dict[str, object] = {axis: None if answer == NO_COLOUR else answer}
            if not is_colour and not self._is_of_columns:
                fields["kind"] = ChartKind.SCATTER
            self._wish(**fields)

        self.app.push_screen(
            PickColumnScreen(
                columns,
                title=titles[axis],
                current=getattr(self.wish, axis),
                may_be_none=is_colour,
            ),
            take,
        )

    # --- lasso and points

    def action_arrow(self, right: int, down: int) -> None:
        """Move the cell that the keys are at."""
        self.query_one("#plot", ChartPlot).move_cursor(right, down)

    def action_corner(self) -> None:
        """A corner of the lasso."""
        self.query_one("#plot", ChartPlot).set_corner()

    def action_finish(self) -> None:
        """Close the lasso, or open the nearest visit."""
        self.query_one("#plot", ChartPlot).finish()

    def action_clear(self) -> None:
        """No lasso."""
        self.query_one("#plot", ChartPlot).clear_lasso()

    def on_chart_plot_selected(self, message: ChartPlot.Selected) -> None:
        """Say how many, and what of them."""
        note = self.query_one("#selection", Static)
        if message.selected is None or self.shown is None:
            note.update("")
            return
        people = self._selected_people()
        text = f"the lasso holds {format_plural(len(people), 'visit')}; ctrl+s keeps them"
        note.update(text if people else "the lasso holds no visit")

    def _selected_people(self) -> list[tuple[str, int]]:
        selected = self.query_one("#plot", ChartPlot).selected
        if selected is None or self.shown is None:
            return []
        return [self.shown.people[person] for person in np.flatnonzero(selected).tolist()]

    def on_chart_plot_point_picked(self, message: ChartPlot.PointPicked) -> None:
        """Open the visit."""
        if self.shown is not None:
            patient, visit = self.shown.people[message.index]
            people = self._selected_people() or list(self.shown.people)
            worklist = tuple(dict.fromkeys(person for person, _ in people))
            self._app.open_patient(patient, visit, worklist=worklist)

    def action_save_cohort(self) -> None:
        """Ask for a name and keep what the lasso holds under it."""
        from ptacl_app.screens.dialogs.save_cohort import SaveCohortScreen

        people = self._selected_people()
        if not people:
            self.notify("draw a lasso around some points first", markup=False)
            return
        kind = self.wish.kind.value
        detail = f" of {self.wish.x.label} and {self.wish.y.label}" if self._is_of_columns else ""
        self.app.push_screen(SaveCohortScreen((f"lasso on the {kind}{detail}",), people=people))

    # --- out of the app

    def action_copy(self) -> None:
        """What the chart says."""
        if self.shown is not None:
            chart = self.shown.chart
            head = f"{chart.kind.value}: {chart.y_label} by {chart.x_label}"
            self._app.copy_text("\n".join((head, *chart.remarks)))

    def action_export(self) -> None:
        """The points as CSV into exports/."""
        from ptacl_app.output.export import export_chart
        from ptacl_app.screens.dialogs.export import Written, export_in_thread

        shown, name_of = self.shown, self._app.names.name_of

        def write(reader: CohortReader) -> Written:
            assert shown is not None
            return Written(export_chart(reader, shown, name_of=name_of))

        if shown is not None:
            export_in_thread(self._app, write)

    def action_maximise_pane(self) -> None:
        """The plot alone."""
        self.toggle_class("-no-side")
