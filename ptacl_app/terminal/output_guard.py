"""The last guard before the terminal: no control or direction character leaves in any text.

Everything from a file or store is cleaned where it comes in (`cohort_reader`, `inference`,
the input widgets). This filter sees every line of every widget, toasts and tooltips too,
and holds even if one of them is forgotten. The cells of the app's own pictures pass: runs of
placeholders (a private character), which cleaned text cannot hold.
"""

import unicodedata

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from ptacl_app.terminal.placeholders import holds_only_cells
from ptacl_core.safety.text.printable import clean_text


class OutputGuard(LineFilter):
    """Replaces what a terminal could obey by a picture of it, one cell for one cell."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments, unchanged when every character is printable."""
        del background
        if all(segment.text.isprintable() for segment in segments if not segment.control):
            return segments
        return [
            segment
            if segment.control or segment.text.isprintable() or holds_only_cells(segment.text)
            else Segment(guard_text(segment.text), segment.style)
            for segment in segments
        ]


def guard_text(text: str) -> str:
    """`text` without characters of no width, controls shown as one-cell pictures."""
    return "".join(
        clean_text(character)
        for character in text
        if unicodedata.category(character) not in {"Cf", "Zl", "Zp"}
    )
