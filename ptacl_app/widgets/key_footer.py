"""The last line: at most seven keys, those of the pane in use first."""

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, TextArea

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

    is_typing: reactive[bool] = reactive(False)
    """Text has the focus: letters are text, and only keys that work there are shown."""

    def on_mount(self) -> None:
        """Follow the focus."""
        self.watch(self.screen, "focused", self._follow_focus)

    def _follow_focus(self, focused: Widget | None) -> None:
        self.is_typing = isinstance(focused, Input | TextArea)

    def key_of(self, action: Action) -> str | None:
        """The key to be shown: the first, or the first that is no text while text is typed."""
        if not self.is_typing:
            return action.keys[0]
        return next((key for key in action.keys if works_in_text(key)), None)

    @property
    def entries(self) -> list[Action]:
        """The actions shown: those of the scopes, but always help, palette and quit."""
        shown = [action for action in list_actions(("app", *self.scopes)) if action.in_footer]
        shown = [action for action in shown if self.key_of(action) is not None]
        always = [action for action in shown if action.scope == "app"]
        own = [action for action in shown if action.scope != "app"]
        return [*own[: MAX_ENTRIES - len(always)], *always]

    def _lay_out(self) -> list[tuple[Action, str, str]]:
        room = self.size.width
        shown: list[tuple[Action, str, str]] = []
        entries = self.entries
        # what does not fit goes from the middle: a pane's first keys and help stay
        while entries:
            shown = [
                (action, f" {show_key(self.key_of(action) or '')}", f" {action.label} ")
                for action in entries
            ]
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
                self.app.simulate_key(self.key_of(action) or action.keys[0])
                return


def works_in_text(key: str) -> bool:
    """True for keys that a text field does not take as text: ctrl+…, F1 … F24."""
    return key.startswith("ctrl+") or (key[0] == "f" and key[1:].isdigit())
