"""The app: themes, screens, and which patient is shown. Screens do the rest."""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from rich.console import RenderableType
from rich.segment import Segments
from rich.text import Text
from textual import events, work
from textual._compositor import CompositorUpdate
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.theme import BUILTIN_THEMES
from textual.worker import Worker, WorkerState

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.file_reading import FileReader
from ptacl_app.data.inference import Predictor
from ptacl_app.drawing.playback import TimeSource
from ptacl_app.screens.charts import ChartsScreen
from ptacl_app.screens.cohort import CohortScreen
from ptacl_app.screens.dialogs.about import AboutScreen
from ptacl_app.screens.dialogs.help import HelpScreen
from ptacl_app.screens.load_ecg import LoadEcgScreen
from ptacl_app.screens.neighbours import NeighboursScreen
from ptacl_app.screens.patient import PatientScreen
from ptacl_app.screens.runs import RunsScreen
from ptacl_app.screens.sql import SqlScreen
from ptacl_app.shell import messages
from ptacl_app.shell.actions import build_bindings
from ptacl_app.shell.commands import AppCommands
from ptacl_app.shell.crash import describe_fault, write_crash_note
from ptacl_app.shell.kept_session import KeptSession
from ptacl_app.shell.session import SessionState, get_session_path, load_session
from ptacl_app.shell.settings import AppSettings, get_state_dir
from ptacl_app.shell.themes import DEFAULT_THEME, DEFAULT_VARIABLES, LIGHT_VARIABLES, build_themes
from ptacl_app.terminal.back_pressure import MAX_QUEUED_WRITES, count_queued_writes
from ptacl_app.terminal.graphics import Graphics, Protocol, read_cell_px
from ptacl_app.terminal.image_layer import ImageLayer
from ptacl_app.terminal.output_guard import OutputGuard
from ptacl_app.terminal.update_runs import PicturesOnly
from ptacl_app.terminal.watch import EXIT_STATUS, TerminalWatch
from ptacl_app.text.formatting import safe
from ptacl_app.text.pasted_path import read_pasted_path
from ptacl_app.text.privacy import PatientNames
from ptacl_core.errors import ConfigError, PtaclError

OUR_THEMES = tuple(theme.name for theme in build_themes())
STALE_CHECK_S = 5.0
MODE_NAMES = ("cohort", "patient", "neighbours", "sql", "runs", "charts")


class PtaclApp(KeptSession):
    """Opens one cohort read-only. `time_source` is the only clock that playback knows."""

    TITLE = "PTACL"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        "cohort": CohortScreen,
        "patient": PatientScreen,
        "neighbours": NeighboursScreen,
        "sql": SqlScreen,
        "runs": RunsScreen,
        "charts": ChartsScreen,
    }
    DEFAULT_MODE = "cohort"
    COMMANDS: ClassVar = {AppCommands}
    BINDINGS: ClassVar = build_bindings("app")
    COMMAND_PALETTE_BINDING = "ctrl+p"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - declared so by Textual
        (0, "-w0"),
        (60, "-w60"),
        (120, "-w120"),
        (146, "-w146"),
        (290, "-w290"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - declared so by Textual
        (0, "-h0"),
        (18, "-h18"),
        (34, "-h34"),
        (40, "-h40"),
        (56, "-h56"),
    ]
    CSS_PATH: ClassVar = [
        "app.tcss",
        *(f"screens/{name}.tcss" for name in MODE_NAMES),
    ]
    """All at once: a stylesheet that a screen brings along has every other one parsed again."""

    def __init__(
        self,
        cohort: Path,
        *,
        first_patient: str | None = None,
        settings: AppSettings | None = None,
        time_source: TimeSource = time.monotonic,
        state_dir: Path | None = None,
        graphics: Graphics | None = None,
        cell_px: tuple[int, int] | None = None,
        originals: tuple[Path, ...] = (),
    ) -> None:
        self.settings = settings or AppSettings()
        self.graphics = graphics or Graphics(Protocol.CELLS, "nobody chose")
        self.images: ImageLayer | None = None
        if self.graphics.has_pixels:
            size_px = cell_px or read_cell_px(self.graphics.protocol)
            self.images = ImageLayer(self.graphics, cell_px=size_px)
            self.images.on_due = lambda: self.call_later(self._write_pictures)
        self.time_source = time_source
        self.state_dir = state_dir or get_state_dir()
        self.cohort_path = cohort
        self.reader: CohortReader | None = None
        self.predictor = Predictor()
        self.files = FileReader()
        self.originals = originals
        self.names = PatientNames(secrets.token_bytes(16) if self.settings.use_privacy else None)
        self.worklist: tuple[str, ...] = ()
        self._first_patient = first_patient
        self._trouble = ""
        self._asked: tuple[str, int | None] | None = None
        self._watch: TerminalWatch | None = None
        self._session_path = get_session_path(self.state_dir, cohort)
        self.session = load_session(self._session_path) if self.remembers else SessionState()
        super().__init__()
        self._filters.append(OutputGuard())
        for theme in build_themes():
            self.register_theme(theme)
        if self.settings.theme not in self.available_themes:
            known = ", ".join([*OUR_THEMES, *sorted(BUILTIN_THEMES)])
            raise ConfigError(f"theme: expected one of {known}, got {self.settings.theme!r}")
        remembered = self.session.theme if self.settings.theme == DEFAULT_THEME else None
        self.theme = remembered if remembered in self.available_themes else self.settings.theme
        if not self.settings.use_animation:
            self.animation_level = "none"

    # --- life

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our drawing colours for themes that are not ours."""
        return dict(DEFAULT_VARIABLES if self.current_theme.dark else LIGHT_VARIABLES)

    def on_mount(self) -> None:
        """Open the store in a thread, and end well when told to by the system."""
        self.set_keymap(self.settings.keys)
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self.exit, 130)
            if not self.is_headless and sys.__stdin__ is not None and sys.__stdin__.isatty():
                self._watch = TerminalWatch(
                    sys.__stdin__.fileno(),
                    lambda: loop.call_soon_threadsafe(self.exit, EXIT_STATUS),
                )
                self._watch.start()
        self.open_cohort()
        self._keep_originals()
        self.set_interval(STALE_CHECK_S, self.check_publication)

    def _keep_originals(self) -> None:
        if self.originals and self.remembers:
            try:
                self.remember_originals()
            except OSError:
                self.notify(f"{safe(self.state_dir)} cannot be written to", markup=False)

    def on_unmount(self) -> None:
        """End the children, close the store, however the app ends."""
        self.predictor.close()
        self.files.close()
        reader, self.reader = self.reader, None
        if reader is not None:
            reader.close()

    @property
    def watch_of_terminal(self) -> TerminalWatch | None:
        """What notices that the terminal is gone; None where there is none."""
        return self._watch

    @work(thread=True, exclusive=True, group="store", exit_on_error=False)
    def open_cohort(self) -> None:
        """Open the store; `CohortOpened` or `CohortFailed` follows."""
        try:
            reader = self.reader or CohortReader.open(self.cohort_path)
            self.reader = reader
            self.post_message(messages.CohortOpened(reader.summarise()))
        except PtaclError as error:
            self.post_message(messages.CohortFailed(safe(error, max_length=400)))

    @work(thread=True, exclusive=True, group="store", exit_on_error=False)
    def check_publication(self) -> None:
        """Change to a newer publication of the store, as soon as there is one."""
        try:
            if self.reader is None:
                self.open_cohort()
            elif self.reader.refresh():
                self.post_message(messages.CohortOpened(self.reader.summarise()))
            self._trouble = ""
        except PtaclError as error:
            trouble, self._trouble = self._trouble, safe(error, max_length=400)
            if trouble != self._trouble:  # said once, though it is looked at every few seconds
                self.post_message(messages.PaneFailed("cohort", self._trouble))

    def on_cohort_opened(self, message: messages.CohortOpened) -> None:
        """Tell the screens, then show the patient asked for on the command line."""
        is_first = self.summary is None
        self.summary = message.summary
        if is_first and self._first_patient is not None:
            self.open_patient(self._first_patient)
        elif is_first and self.session.patient is not None:
            self._asked = (self.session.patient, self.session.visit)
            self.load_patient(*self._asked)
            if self.session.mode in self.MODES:
                self.switch_mode(self.session.mode)
        elif self._asked is not None:
            self.load_patient(*self._asked)

    def on_cohort_failed(self, message: messages.CohortFailed) -> None:
        """Stay on screen and say why; the store is tried again every few seconds."""
        self.failure = message.text

    # --- the patient shown: see PatientFlow

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """A failure that no screen owns is shown as a toast, in words."""
        self.is_loading = False
        if message.pane == "patient":
            self.failure = message.text
        self.notify(message.text, severity="warning", markup=False)

    @work(thread=True, exclusive=True, group="run", exit_on_error=False)
    def use_run(self, run: str) -> None:
        """Predictions and neighbours come from `run` on every screen from now on."""
        if self.reader is None:
            return
        try:
            self.reader.choose_run(run)
            self.post_message(messages.CohortOpened(self.reader.summarise()))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("runs", safe(error, max_length=400)))

    # --- actions

    def action_show(self, mode: str) -> None:
        """Change to another screen; each keeps its state."""
        if len(self.screen_stack) > 1 and self.screen.is_modal:
            self.pop_screen()
        self.switch_mode(mode)

    def action_help(self) -> None:
        """Keys of the pane in use."""
        scopes = getattr(self.screen, "scopes", ())
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(tuple(scopes)))

    def action_about(self) -> None:
        """Versions, terminal and paths."""
        self.push_screen(AboutScreen())

    def action_next_theme(self) -> None:
        """The next of our three themes."""
        place = OUR_THEMES.index(self.theme) if self.theme in OUR_THEMES else -1
        self.theme = OUR_THEMES[(place + 1) % len(OUR_THEMES)]

    def action_load_ecg(self) -> None:
        """Ask for a file, read it and predict from it."""
        if not self.screen.is_modal:
            self.push_screen(LoadEcgScreen())

    def on_paste(self, event: events.Paste) -> None:
        """A file dropped on the terminal is loaded, unless text is being typed."""
        path = read_pasted_path(event.text)
        if path is not None and path.is_file() and not self.screen.is_modal:
            self.push_screen(LoadEcgScreen(path))

    # --- services for the screens

    def hand_over(self, path: Path) -> None:
        """In a browser a file that was written is downloaded as well."""
        if self.is_web:
            self.deliver_binary(path, save_filename=path.name)

    def describe_terminal(self) -> dict[str, str]:
        """What is known of the terminal: name, cells, colours, how pictures are shown."""
        colours = {"truecolor": "24 bit", "256": "256", "standard": "16"}
        return {
            "name": "a browser" if self.is_web else safe(os.environ.get("TERM", "?")),
            "cells": f"{self.size.width}×{self.size.height}",
            "colours": colours.get(self.console.color_system or "", "none"),
            "graphics": self.graphics.describe(self.images and self.images.cell_px),
        }

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if self.images is not None and isinstance(renderable, CompositorUpdate):
            renderable = self.images.over(renderable)
        super()._display(screen, renderable)

    async def _process_messages_loop(self) -> None:
        """Free the terminal's pictures before it is given back, however the app ends."""
        try:
            await super()._process_messages_loop()
        finally:
            if self.images is not None and self._driver is not None and not self.is_headless:
                self._driver.write(self.images.close())

    def _write_pictures(self) -> None:
        """Another frame in the cells of the one before: no widget is rendered."""
        if self.is_running and self._screen_stack:
            self._display(self.screen, PicturesOnly())

    def on_resize(self, event: events.Resize) -> None:
        """A resized terminal may have moved or lost its pictures; a page may be another one."""
        if self.images is not None:
            columns, rows = event.size
            if event.pixel_size is not None:
                self.images.learn_size(columns=columns, rows=rows, size_px=event.pixel_size)
            self.images.forget_screen(columns=columns, rows=rows)
        if self.is_web and event.size == self.size and self._screen_stack:
            self.screen.refresh()

    def is_output_backed_up(self) -> bool:
        """True while the terminal has not taken the frames before."""
        return count_queued_writes(self) > MAX_QUEUED_WRITES

    def copy_text(self, text: str) -> None:
        """Copy by OSC 52, and into a file for terminals that do not take it."""
        self.copy_to_clipboard(text)
        from ptacl_core.cohort.erasure.app_state import CLIPBOARD_FILE
        from ptacl_core.safety.files.atomic import write_text

        try:
            self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_text(self.state_dir / CLIPBOARD_FILE, text)
            place = f"; also in {safe(self.state_dir / CLIPBOARD_FILE)}"
        except OSError:
            place = ""
        self.notify(f"copied{place}", markup=False)

    # --- faults of ours

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed in a way nobody expected: say so, keep a note, go on."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.is_loading = False
            self.stop_awaiting()
            self.report_fault(event.worker.error)

    def report_fault(self, error: BaseException) -> None:
        """One sentence on screen, the stack without values in a file."""
        note = write_crash_note(error, self.state_dir)
        where = "" if note is None else f"; details in {safe(note)}"
        self.notify(
            f"a fault in PTACL: {describe_fault(error)}{where}", severity="error", markup=False
        )

    def _handle_exception(self, error: Exception) -> None:
        if isinstance(error, NoMatches) and (self._exit or not self.is_running):
            return  # the app is leaving: a screen still being made finds its widgets taken down
        # Textual would print a traceback with local variables, patients' values among them
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        note = write_crash_note(error, self.state_dir)
        text = f"ptacl-app stopped by a fault of its own: {describe_fault(error)}."
        if note is not None:
            text += f" A note without patient data is in {note}."
        line = Text(safe(text, max_length=500))
        self._exit_renderables.append(
            Segments(list(self.console.render(line, self.console.options)))
        )
        self._close_messages_no_wait()
