"""A one-line input that keeps out what a terminal could obey, typed or pasted."""

from textual.widgets import Input

from ptacl_core.safety.text.printable import clean_text

MAX_LENGTH = 2000


class SafeInput(Input):
    """Control and direction characters in the value become visible pictures."""

    def validate_value(self, value: str) -> str:
        """The value, cleaned."""
        return clean_text(value, max_length=MAX_LENGTH)
