"""The nearest real patients, and any of them beside the one shown, on one clock."""

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import DataTable, Static

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.patient_view import Neighbour, PatientView
from ptacl_app.drawing.playback import PlaybackClock
from ptacl_app.screens.side_panel import toggle_side
from ptacl_app.screens.worker_faults import WorkerFaults
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.text.formatting import format_plural, format_sex_age, safe
from ptacl_app.widgets.distribution_panel import DistributionPanel
from ptacl_app.widgets.heart_column import HeartColumn
from ptacl_app.widgets.key_footer import KeyFooter
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_app.widgets.tables.neighbours import NeighbourList
from ptacl_app.widgets.title_line import TitleLine
from ptacl_core.errors import PtaclError
from ptacl_core.records import PHENOTYPE_NAMES

DIRECTIONS = {
    "ecg-cmr": "this ECG → CMRs",
    "ecg-ecg": "this ECG → ECGs",
    "cmr-ecg": "this CMR → ECGs",
    "cmr-cmr": "this CMR → CMRs",
}
COUNTS = (10, 25, 50, 100)


class NeighboursScreen(WorkerFaults, Screen[None]):
    """Asks the store anew when patient, direction, number or filter change."""

    BINDINGS: ClassVar = build_bindings("neighbours")
    AUTO_FOCUS = "#table"
    scopes = ("neighbours",)

    direction: reactive[str] = reactive("ecg-cmr")
    """From which modality to which."""
    count: reactive[int] = reactive(COUNTS[1])
    """How many."""
    where: reactive[str] = reactive("")
    """The predicate that candidates must meet."""
    is_pair_shown: reactive[bool] = reactive(False)
    """Both hearts instead of the list."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = PlaybackClock()
        self._shown: PatientView | None = None

    def compose(self) -> ComposeResult:
        """List and distributions, or two hearts."""
        yield TitleLine(id="title")
        with Vertical(id="list"):
            yield PaneHead("Nearest patients", id="head")
            yield SafeInput(placeholder="/  only patients for whom, e.g. sex = 'F'", id="filter")
            yield Static("", id="failure", classes="pane-failure", markup=False)
            with Horizontal(id="columns"):
                yield NeighbourList(id="table", shown=PHENOTYPE_NAMES)
                yield DistributionPanel(id="distributions")
        with Horizontal(id="pair"):
            yield HeartColumn(id="here")
            yield HeartColumn(id="there")
        yield Static("please enlarge the window to 60×18", id="too-small", markup=False)
        yield KeyFooter("neighbours")

    def on_mount(self) -> None:
        """Follow the app's patient."""
        self.query_one("#title", TitleLine).place = "Neighbours"
        self.watch(self.app, "patient", self._show_patient)
        self.set_interval(1 / self._app.settings.fps, self.tick)
        self.query_one("#table").focus()

    # --- the list

    def _show_patient(self, patient: PatientView | None) -> None:
        before, self._shown = self._shown, patient
        if before is None or patient is None or not patient.shows_same_recordings(before):
            self.is_pair_shown = False
        title = self.query_one("#title", TitleLine)
        if patient is None:
            title.detail = ""
            self._show_failure("no patient is open: pick one on screen 1")
            return
        name = self._app.names.name_of(patient.patient)
        title.detail = f"of {name} · {format_sex_age(patient.sex, patient.age_years)}"
        self.load()

    def load(self) -> None:
        """Ask for the list, or take the one that came with a loaded file."""
        patient = self._app.patient
        if patient is None:
            return
        if self._is_file:
            self._show_list(patient.neighbours)
            self._show_failure("" if patient.neighbours else "no neighbours came with this file")
        else:
            self.load_neighbours(patient)

    @work(thread=True, exclusive=True, group="neighbours", exit_on_error=False)
    def load_neighbours(self, patient: PatientView) -> None:
        """Search in a thread; `NeighboursLoaded` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            direction = reader.settle_direction(self.direction)
            neighbours = reader.load_neighbours(
                patient.patient,
                visit=patient.visit,
                k=self.count,
                direction=direction,  # type: ignore[arg-type]
                where=self.where or None,
            )
        except PtaclError as error:
            self.post_message(messages.PaneFailed("neighbours", safe(error, max_length=400)))
            return
        self.post_message(messages.NeighboursLoaded(direction, neighbours))

    def on_neighbours_loaded(self, message: messages.NeighboursLoaded) -> None:
        """Show the list."""
        self.direction = message.direction
        self._show_failure("" if message.neighbours else "no patient meets the filter")
        self._show_list(message.neighbours)

    def _show_list(self, neighbours: tuple[Neighbour, ...]) -> None:
        patient = self._app.patient
        self.query_one("#table", NeighbourList).show(
            neighbours, patient=patient, name_of=self._app.names.name_of
        )
        self.query_one("#distributions", DistributionPanel).show(patient, neighbours)
        head = self.query_one("#head", PaneHead)
        direction = DIRECTIONS["ecg-cmr" if self._is_file else self.direction]
        head.detail = f"{direction}   {format_plural(len(neighbours), 'patient')}"
        self.query_one("#filter").display = not self._is_file
        head.aside = "measured by CMR, difference to this patient's prediction"

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """The reason stands above the list."""
        message.stop()
        self._show_failure(message.text)
        self._show_list(())

    def _show_failure(self, text: str) -> None:
        failure = self.query_one("#failure", Static)
        failure.update(text)
        failure.set_class(bool(text), "-shown")

    @property
    def _is_file(self) -> bool:
        """True while a loaded file is shown: its list came with it and is not asked for anew."""
        patient = self._app.patient
        return patient is not None and patient.origin == "file"

    def _refuse_for_file(self) -> bool:
        if self._is_file:
            self.notify("of a file only its nearest CMRs are known: keep it (ctrl+k) for more")
        return self._is_file

    def action_direction(self) -> None:
        """The next direction."""
        if self._refuse_for_file():
            return
        names = list(DIRECTIONS)
        self.direction = names[(names.index(self.direction) + 1) % len(names)]
        self.load()

    def action_more(self) -> None:
        """The next number."""
        if self._refuse_for_file():
            return
        self.count = COUNTS[(COUNTS.index(self.count) + 1) % len(COUNTS)]
        self.load()

    def action_filter(self) -> None:
        """Into the filter bar."""
        if self._refuse_for_file():
            return
        self.query_one("#filter", SafeInput).focus()

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Enter in the bar applies it."""
        event.stop()
        self.where = event.value.strip()
        self.query_one("#table").focus()
        self.load()

    def action_open(self) -> None:
        """Make the neighbour the patient shown."""
        table = self.query_one("#table", NeighbourList)
        if table.selected is not None:
            ids = tuple(neighbour.patient for neighbour in table.neighbours)
            self._app.open_patient(table.selected.patient, worklist=ids)

    # --- two hearts

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter shows both hearts."""
        event.stop()
        self.action_side_by_side()

    def action_side_by_side(self) -> None:
        """Read the neighbour, then show both."""
        table = self.query_one("#table", NeighbourList)
        if table.selected is not None and not self.is_pair_shown:
            self.load_other(table.selected.patient)

    @work(thread=True, exclusive=True, group="other", exit_on_error=False)
    def load_other(self, patient: str) -> None:
        """Read the other patient; `PreviewLoaded` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            view = reader.load_patient(patient, num_neighbours=0)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("neighbours", safe(error, max_length=400)))
            return
        self.post_message(messages.PreviewLoaded(view))

    def on_preview_loaded(self, message: messages.PreviewLoaded) -> None:
        """Both columns, one clock, at the cycle length of the patient shown."""
        here = self._app.patient
        if here is None:
            return
        name_of = self._app.names.name_of
        self.query_one("#here", HeartColumn).show(here, name=name_of(here.patient))
        self.query_one("#there", HeartColumn).show(
            message.patient, name=name_of(message.patient.patient)
        )
        cine = here.cine or message.patient.cine
        ecg = here.ecg or message.patient.ecg
        self.clock = PlaybackClock(
            r_peak_times_s=() if ecg is None else ecg.r_peak_times_s,
            num_frames=None if cine is None else len(cine.frames),
            cine_cycle_s=None if cine is None else cine.cycle_s,
        )
        self.is_pair_shown = True
        if self._app.settings.use_autoplay and self._app.settings.use_animation:
            self.clock.play(self._app.time_source())
        self._follow()

    def watch_is_pair_shown(self, is_pair_shown: bool) -> None:
        """List or hearts."""
        self.set_class(is_pair_shown, "-pair")
        if not is_pair_shown:
            self.clock.pause()

    def tick(self) -> None:
        """Let time pass; draw it unless the terminal is behind."""
        if self.is_current and self.is_pair_shown and self.clock.is_playing:
            self.clock.tick(self._app.time_source())
            if not self._app.is_output_backed_up():
                self._follow()

    def _follow(self) -> None:
        position = self.clock.position
        for column in self.query(HeartColumn):
            column.follow(position)

    def action_toggle_play(self) -> None:
        """Run and stop both."""
        if self.clock.is_playing:
            self.clock.pause()
        else:
            self.clock.play(self._app.time_source())

    def action_leave(self) -> None:
        """Back to the list; out of the filter bar."""
        self.is_pair_shown = False
        self.query_one("#table").focus()

    def action_maximise_pane(self) -> None:
        """The list alone."""
        self.remove_class("-side")
        self.toggle_class("-no-side")

    def action_side(self) -> None:
        """Distributions on and off; in a small terminal instead of the list."""
        toggle_side(self, side="#table", main="#table")

    def action_copy(self) -> None:
        """The row under the cursor, tab-separated."""
        table = self.query_one("#table", NeighbourList)
        if table.selected is not None:
            cells = table.get_row_at(table.cursor_row)
            self._app.copy_text("\t".join(cell.plain for cell in cells))

    def action_export(self) -> None:
        """The list as CSV into exports/."""
        from ptacl_app.output.export import export_neighbours
        from ptacl_app.screens.dialogs.export import Written, export_in_thread

        neighbours = self.query_one("#table", NeighbourList).neighbours
        name_of = self._app.names.name_of

        def write(reader: CohortReader) -> Written:
            path = export_neighbours(reader, neighbours, name_of=name_of)
            return Written(path, format_plural(len(neighbours), "row"))

        if neighbours:
            export_in_thread(self._app, write)
