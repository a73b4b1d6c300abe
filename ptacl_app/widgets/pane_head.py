"""One row above a pane: its name, what it shows, and whether keys go to it."""

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget


class PaneHead(Widget):
    """Bright when its pane has the focus."""

    DEFAULT_CSS = """
    PaneHead {
        height: 1; background: $surface; color: $quiet-ink;
        &.-focused { background: $secondary 60%; color: $foreground; }
    }
    """

    label: reactive[str] = reactive("")
    """The pane's name."""
    detail: reactive[str] = reactive("")
    """What it shows now; safe text."""
    aside: reactive[str] = reactive("")
    """What stands at the right end."""

    def __init__(
        self,
        label: str,
        *,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.set_reactive(PaneHead.label, label)

    def render(self) -> Content:
        """` label  detail              aside `."""
        width = self.size.width
        left = f" {self.label}  {self.detail}"
        aside = f"{self.aside} " if self.aside and len(left) + len(self.aside) + 2 <= width else ""
        room = max(width - len(aside), 0)
        if len(left) > room:
            left = left[: max(room - 1, 0)] + "…"
        return Content(left.ljust(room) + aside).stylize("bold", 1, 1 + len(self.label))
