"""A table that shows a column whole or not at all: half a number reads as another number."""

from itertools import pairwise

from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from textual.widgets import DataTable

MORE = "…"


class WholeColumnTable(DataTable[Text]):
    """Columns that an edge would cut are left blank, `…` in the heading; scrolling shows them."""

    def render_line(self, y: int) -> Strip:
        """The line, blank where the column is not wholly in sight."""
        strip = super().render_line(y)
        for start, end in self.find_cut_columns():
            mark = MORE if y < self.header_height and self.show_header else ""
            strip = _blank(strip, start, end, mark=mark)
        return strip

    def find_cut_columns(self) -> list[tuple[int, int]]:
        """(first, end) of the visible parts of columns that are cut at either edge."""
        widths = [column.get_render_width(self) for column in self.ordered_columns]
        fixed = sum(widths[: self.fixed_columns])
        room = self.size.width
        edges = [fixed - int(self.scroll_x)]
        for width in widths[self.fixed_columns :]:
            edges.append(edges[-1] + width)
        cut = []
        for start, end in pairwise(edges):
            first, last = max(start, fixed), min(end, room)
            is_alone = first == fixed and last == room
            if first < last and (start < first or last < end) and not is_alone:
                cut.append((first, last))
        return cut


def _blank(strip: Strip, start: int, end: int, *, mark: str) -> Strip:
    hidden = list(strip.crop(start, end))
    blanks = [Segment(" " * segment.cell_length, segment.style) for segment in hidden]
    if blanks and mark:
        first = blanks[0]
        blanks[0] = Segment(mark + first.text[1:], first.style)
    return Strip.join(
        [
            strip.crop(0, start),
            Strip(blanks, end - start),
            strip.crop(end, strip.cell_length),
        ]
    )
