"""Asks what a nameless array does not say of itself: rate, unit, order of the leads."""

from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.errors import ConfigError

FIELDS = {
    "sampling_rate_hz": "samples per second, e.g. 500",
    "unit": "what one step is worth: mV, uV or 4.88 uV",
    "lead_names": "leads in stored order, e.g. I, II, III, aVR, aVL, aVF, V1 … V6",
}


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
            yield SafeInput(placeholder=placeholder, id=f"hint-{name}")

    def ask(self) -> None:
        """Show the fields and stand in the first that is empty."""
        self.add_class("-shown")
        fields = [self.query_one(f"#hint-{name}", SafeInput) for name in FIELDS]
        empty = [field for field in fields if not field.value.strip()]
        (empty or fields)[0].focus()

    def read(self) -> dict[str, Any]:
        """The hints given. Raises ConfigError for a rate that is no number."""
        typed = {name: self.query_one(f"#hint-{name}", SafeInput).value.strip() for name in FIELDS}
        hints: dict[str, Any] = {name: value for name, value in typed.items() if value}
        if "sampling_rate_hz" in hints:
            try:
                hints["sampling_rate_hz"] = float(hints["sampling_rate_hz"])
            except ValueError:
                raise ConfigError(
                    f"expected samples per second as a number, got {typed['sampling_rate_hz']!r}"
                ) from None
        return hints

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Tell the screen."""
        event.stop()
        self.post_message(self.Submitted())
