"""The last line: at most seven keys, those of the pane in use first."""

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from ptacl_app.shell.actions import Action, list_actions, show_key

MAX_ENTRIES = 7


class KeyFooter(Widget):
    """A click presses the key. The rest is in the help and the palette."""

    DEFAULT_CSS = """
    KeyFooter { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    scopes: reactive[tuple[str, ...]] = reactive(("app",))
    """Whose keys are shown, the first ones first; `app` comes last by itself."""

    def __init__(self, *scopes: str) -> None:
        super().__init__()
        self.set_reactive(KeyFooter.scopes, scopes)

    @property
    def entries(self) -> list[Action]:
        """The actions shown: those of the scopes, but always help, palette and quit."""
        always = [action for action in list_actions(("app",)) if action.in_footer]
        own = [action for action in list_actions(self.scopes) if action.in_footer]
        return [*own[: MAX_ENTRIES - len(always)], *always]

    def _lay_out(self) -> list[tuple[Action, str, str]]:
        room = self.size.width
        shown: list[tuple[Action, str, str]] = []
        entries = self.entries
        # what does not fit goes from the middle: a pane's first keys and help stay
        while entries:
            shown = [(each, f" {show_key(each.keys[0])}", f" {each.label} ") for each in entries]
            if sum(len(key) + len(label) for _, key, label in shown) <= room:
                break
            entries.pop(max(len(entries) - 4, 0))
        return shown if entries else []

    def render(self) -> Content:
        """` space Play  m Calipers … `."""
        parts = []
        for _, key, label in self._lay_out():
            parts.append(Content.styled(key, "bold $accent"))
            parts.append(Content(label))
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        """Press the key under the mouse."""
        offset = event.get_content_offset(self)
        used = 0
        for action, key, label in self._lay_out():
            used += len(key) + len(label)
            if offset is not None and offset.x < used:
                self.app.simulate_key(action.keys[0])
                return
