"""The SQL editor: a stock text area that keeps control characters out."""

from textual.widgets import TextArea
from textual.widgets.text_area import EditResult, Location

from ptacl_core.safety.text import clean_text

MAX_LENGTH = 100_000


class SqlEditor(TextArea):
    """Highlights when the optional grammar is installed, stays plain otherwise."""

    def __init__(self, text: str, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(
            clean_lines(text),
            language="sql" if _has_grammar() else None,
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


def _has_grammar() -> bool:
    from importlib.util import find_spec

    return find_spec("tree_sitter") is not None and find_spec("tree_sitter_sql") is not None
