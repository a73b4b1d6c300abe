"""One row that names the panes of a small terminal and says which is shown."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class PaneTabs(Widget):
    """A click, or Tab from the screen, picks a pane; the rest of the row is its headline."""

    DEFAULT_CSS = """
    PaneTabs { height: 1; background: $surface; color: $quiet-ink; }
    """

    current: reactive[str] = reactive("")
    """Key of the pane shown."""
    headline: reactive[str] = reactive("")
    """What the pane says about itself."""

    class Picked(Message):
        """The reader wants another pane."""

        def __init__(self, pane: str) -> None:
            self.pane = pane
            super().__init__()

    def __init__(self, panes: dict[str, str], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.panes = panes
        self.set_reactive(PaneTabs.current, next(iter(panes)))

    def render(self) -> Content:
        """` ECG  Cine  Phenotypes …     headline`."""
        parts = []
        used = 0
        for pane, label in self.panes.items():
            text = f" {label} "
            used += len(text)
            style = "bold $background on $primary" if pane == self.current else "$foreground"
            parts.append(Content.styled(text, style))
        room = max(self.size.width - used - 2, 0)
        headline = self.headline
        if len(headline) > room:
            headline = headline[: max(room - 1, 0)] + "…"
        parts.append(Content(" " + headline.rjust(room) + " "))
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Pick the pane under the mouse."""
        offset = event.get_content_offset(self)
        used = 0
        for pane, label in self.panes.items():
            used += len(label) + 2
            if offset is not None and offset.x < used:
                self.post_message(self.Picked(pane))
                return
