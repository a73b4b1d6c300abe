"""The keys of the pane in use, then those that work everywhere."""

from textwrap import wrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell.actions import SCOPES, list_actions, show_key
from ptacl_app.text.formatting import RESEARCH_USE_SENTENCE

_KEY_WIDTH = 12
_LABEL_WIDTH = 17
_MAX_WIDTH, _FRAME_WIDTH = 96, 6
"""Columns of the page at most, and those that its edge and scroll bar take."""


class HelpScreen(Dialog[None]):
    """Made from the list of actions, so that it cannot be out of date."""

    BINDINGS: ClassVar = [
        ("escape,q,question_mark,f1", "dismiss", "Close"),
    ]

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__()
        self.described_scopes = (*scopes, "app")

    def compose(self) -> ComposeResult:
        """A table of keys by scope, and how to read the screen."""
        with VerticalScroll():
            yield Static(self.build_text(), id="text", markup=False)

    def on_resize(self) -> None:
        """The explanations are wrapped within their own column."""
        width = min(self.app.size.width * 9 // 10, _MAX_WIDTH) - _FRAME_WIDTH
        self.query_one("#text", Static).update(self.build_text(width))

    def build_text(self, width: int = 400) -> Content:
        """The whole help as text, `width` columns across."""
        before = 2 + _KEY_WIDTH + _LABEL_WIDTH + 1
        lines: list[Content] = []
        for scope in self.described_scopes:
            lines.append(Content.styled(f"Keys: {SCOPES[scope]}", "bold $primary"))
            for action in list_actions((scope,)):
                keys = "  ".join(show_key(key) for key in action.keys)
                first, *rest = wrap(action.help, max(width - before, 16)) or [""]
                lines.append(
                    Content.styled(f"  {keys:<{_KEY_WIDTH}}", "bold $accent")
                    + Content(f"{action.label:<{_LABEL_WIDTH}} {first}")
                )
                lines += [Content(" " * before + line) for line in rest]
            lines.append(Content(""))
        lines.append(Content.styled("How to read it", "bold $primary"))
        lines += [
            Content(line)
            for sentence in (
                "~148 mL is predicted from the ECG; the line is its interval; 152 is measured.",
                "● predicted, ! predicted outside the usual range, ◆ measured by CMR.",
                "▲ ▼ the trace leaves its band there. The pulse at the left is 1 mV for 0.2 s.",
                "One large box is 0.2 s × 0.5 mV at 25 mm/s and 10 mm/mV.",
                RESEARCH_USE_SENTENCE,
                "Esc closes this page.",
            )
            for line in wrap(
                sentence, max(width, 30), initial_indent="  ", subsequent_indent="    "
            )
        ]
        return Content("\n").join(lines)
