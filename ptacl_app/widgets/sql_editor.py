"""The SQL editor: a stock text area that keeps control characters out and colours the words."""

from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual.widgets import TextArea
from textual.widgets.text_area import EditResult, Location

from ptacl_app.text.sql_words import find_words
from ptacl_core.safety.text.printable import clean_text

MAX_LENGTH = 100_000


class SqlEditor(TextArea):
    """Colours keywords, functions, text, numbers and comments, without any grammar installed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "sql--keyword",
        "sql--function",
        "sql--string",
        "sql--number",
        "sql--comment",
    }
    DEFAULT_CSS = """
    SqlEditor {
        & .sql--keyword { color: $primary; text-style: bold; }
        & .sql--function { color: $secondary-lighten-2; }
        & .sql--string { color: $success; }
        & .sql--number { color: $accent; }
        & .sql--comment { color: $quiet-ink; text-style: italic; }
    }
    """

    def __init__(self, text: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(
            clean_lines(text),
            theme="css",
            id=id,
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
        )
        self.cursor_blink = False

    @property
    def cursor_offset(self) -> int:
        """Characters of the text before the cursor."""
        row, column = self.cursor_location
        return sum(len(line) + 1 for line in self.text.split("\n")[:row]) + column

    def get_line(self, line_index: int) -> Text:
        """A line with its words coloured."""
        text = super().get_line(line_index)
        for start, end, kind in find_words(text.plain):
            style = self.get_component_rich_style(f"sql--{kind}")
            ink = Style(color=style.color, bold=style.bold, italic=style.italic)
            text.stylize(ink, start, end)
        return text

    def replace(
        self,
        insert: str,
        start: Location,
        end: Location,
        *,
        maintain_selection_offset: bool = True,
    ) -> EditResult:
        """Every edit, typed or pasted, is cleaned first."""
        return super().replace(
            clean_lines(insert), start, end, maintain_selection_offset=maintain_selection_offset
        )


def clean_lines(text: str) -> str:
    """Text of several lines with nothing in it that a terminal would obey."""
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join(clean_text(line, max_length=MAX_LENGTH) for line in lines)
