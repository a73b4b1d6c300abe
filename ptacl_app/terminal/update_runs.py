"""What an update of the screen writes: runs of text, and runs of cells that stand for pictures.

Textual 8.2.8 (pinned) has no public way to see an update; `runs_of` reads its two kinds.
"""

from collections.abc import Callable, Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.control import Control
from rich.segment import Segment
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from ptacl_app.terminal.placeholders import PLACEHOLDER, PictureCells, split_runs


class PicturesOnly(CompositorUpdate):
    """An update without text: what has changed are pictures."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Nothing: an update is asked for its text only."""
        del console, options
        return ()

    def render_segments(self, console: Console) -> str:
        """No text."""
        del console
        return ""


class PicturedUpdate(PicturesOnly):
    """An update with its pictures, written by `render` when the app's driver asks for it."""

    def __init__(
        self, render: Callable[[CompositorUpdate, Console], str], update: CompositorUpdate
    ) -> None:
        self._render, self._update = render, update

    def render_segments(self, console: Console) -> str:
        """The text."""
        return self._render(self._update, console)


def runs_of(update: CompositorUpdate) -> Iterator[tuple[int, int, Strip]]:
    """What an update writes: column, row, strip."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield x, y, strip
                x += strip.cell_length
    elif isinstance(update, ChopsUpdate):
        for y, first, last in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                if strip is None or x > last or end <= first:
                    continue
                if last > x >= first and end <= last:
                    yield x, y, strip
                elif min(end, last) > x:
                    yield x, y, strip.crop(0, min(end, last) - x)


def pieces_of(strip: Strip) -> Iterator[tuple[Segment, PictureCells | None]]:
    """Segments of text, and of cells of one row of one picture."""
    for segment in strip:
        if PLACEHOLDER not in segment.text:
            yield segment, None
        else:
            for text, cells in split_runs(segment.text):
                yield Segment(text, segment.style), cells


def move_to(x: int, y: int) -> str:
    """The sequence that puts the text cursor there."""
    return Control.move_to(x, y).segment.text
