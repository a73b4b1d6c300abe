"""Asks what a nameless array does not say of itself: rate, unit, order of the leads, which."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.errors import ConfigError
from ptacl_core.io.hints import ReaderHints
from ptacl_core.records import LEAD_NAMES

FIELDS = {
    "sampling_rate_hz": "samples per second, e.g. 500",
    "unit": "what one step is worth: mV, uV or 4.88 uV",
    "lead_names": "leads in stored order, with commas",
    "record_index": "which recording, when the array holds several, from 0",
}
_NUMBERS = {"sampling_rate_hz": float, "record_index": int}


class HintForm(Vertical):
    """Hidden until a file asks for it; Enter in any field reads the file again."""

    DEFAULT_CSS = """
    HintForm { height: auto; display: none; }
    HintForm.-shown { display: block; }
    HintForm SafeInput { border: none; height: 1; background: $panel; padding: 0 1; }
    """

    class Submitted(Message):
        """Enter was pressed in a field."""

    def compose(self) -> ComposeResult:
        """A heading and the three fields."""
        yield Static("the file does not say these itself (empty: not given)", markup=False)
        for name, placeholder in FIELDS.items():
            usual = ", ".join(LEAD_NAMES) if name == "lead_names" else ""
            yield SafeInput(usual, placeholder=placeholder, id=f"hint-{name}")

    def ask(self) -> None:
        """Show the fields and stand in the first that is empty."""
        self.add_class("-shown")
        fields = [self.query_one(f"#hint-{name}", SafeInput) for name in FIELDS]
        empty = [field for field in fields if not field.value.strip()]
        (empty or fields)[0].focus()

    def read(self) -> ReaderHints:
        """The hints given, none while nothing was asked. Raises ConfigError for no number."""
        hints: ReaderHints = {}
        for name in FIELDS if self.has_class("-shown") else ():
            typed = self.query_one(f"#hint-{name}", SafeInput).value.strip()
            if not typed:
                continue
            try:
                hints[name] = _NUMBERS.get(name, str)(typed)
            except ValueError:
                raise ConfigError(
                    f"{FIELDS[name]}: expected it as a number, got {typed!r}"
                ) from None
        return hints

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Tell the screen."""
        event.stop()
        self.post_message(self.Submitted())
