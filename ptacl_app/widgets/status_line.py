"""One line of text that changes often: it is repainted, nothing is laid out anew."""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class StatusLine(Widget):
    """Cut at the right end."""

    DEFAULT_CSS = """
    StatusLine { height: 1; background: $surface; color: $foreground; }
    """

    text: reactive[str] = reactive("")
    """What it says; safe text."""

    def render(self) -> Content:
        """The text."""
        width = self.size.width
        return Content(self.text if len(self.text) <= width else self.text[: width - 1] + "…")
