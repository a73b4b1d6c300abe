"""Versions, terminal and paths: what a report of a fault should name."""

import sys
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell.services import Services, services_of
from ptacl_app.shell.settings import get_config_path
from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE, safe
from ptacl_core import __version__


class AboutScreen(Dialog[None]):
    """Text only; a test pattern shows whether the font draws dots and blocks."""

    BINDINGS: ClassVar = [("escape,q,f12", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """One block of lines."""
        with VerticalScroll():
            yield Static("\n".join(self.build_lines()), markup=False)

    def build_lines(self) -> list[str]:
        """What the screen says."""
        import duckdb
        import textual

        app = services_of(self)
        summary = app.summary
        terminal = app.describe_terminal()
        return [
            f"PTACL {__version__}    {RESEARCH_USE_SENTENCE}",
            "",
            f"Python {sys.version.split()[0]}   Textual {textual.__version__}   "
            f"DuckDB {duckdb.__version__}   {sys.platform}",
            f"terminal {terminal['name']}  {terminal['cells']} cells  "
            f"colours {terminal['colours']}   output queue {_describe_queue(app)}",
            f"pictures {terminal['graphics']}",
            "aspect: large boxes are squares when a cell is twice as high as wide",
            "",
            f"cohort   {safe(app.cohort_path)}"
            + ("" if summary is None else f"   version {summary.version} of the store"),
            f"config   {safe(get_config_path())}",
            f"state    {safe(app.state_dir)}",
            "",
            "test pattern: both rows must be free of gaps and boxes",
            "⡇⢸⣀⣤⣶⣿⠉⠛⠿⡀⢀⠁⠈⡏⢹   ▀▄█▌▐░▒▓   ● ◆ ━ ▲ ▼ ▶",
            "▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀   ~148 mL  121–175  −0.4",
            "",
            "over SSH: ssh -C (the picture compresses about 17 times)",
            "tmux: set -ga terminal-features ',*:RGB'",
        ]


def _describe_queue(app: Services) -> str:
    return "slow" if app.is_output_backed_up() else "keeps up"
