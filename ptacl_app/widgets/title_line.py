"""The first line of every screen: where one is, whose heart it is, RESEARCH USE ONLY."""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ptacl_app.text.formatting import RESEARCH_USE_ONLY


class TitleLine(Widget):
    """The notice at the right end never gives way to the text before it."""

    DEFAULT_CSS = """
    TitleLine { dock: top; height: 1; background: $panel; color: $foreground; }
    """

    place: reactive[str] = reactive("")
    """The screen's name."""
    detail: reactive[str] = reactive("")
    """What it shows; safe text."""

    def render(self) -> Content:
        """`PTACL  place  detail            RESEARCH USE ONLY`."""
        width = self.size.width
        notice = f" {RESEARCH_USE_ONLY} "
        room = max(width - len(notice) - 1, 0)
        left = f" PTACL  {self.place}  {self.detail}"
        if len(left) > room:
            left = left[: max(room - 1, 0)] + "…"
        parts = Content(left.ljust(room + 1))
        parts = parts.stylize("bold $primary", 0, min(7, room)).stylize(
            "bold", 8, 8 + len(self.place)
        )
        return parts + Content.styled(notice, "bold $research-ink on $research-ground")
