"""A compositor that renders what has changed, and nothing that only lies between the changes.

Textual's own takes the rectangle around all changes and renders every widget in it: while a
heart plays, cursor, cine and map change in three corners, and the whole screen is rendered
twenty-five times a second. Here a widget is rendered where a changed cell is still to be
filled, and a row is written from the first changed column of it, not from the widget's edge.

Textual 8.2.8 (pinned) has no public place for this; the screens that play put it in.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from textual._compositor import ChopsUpdate, Compositor
from textual.geometry import Region
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

Span = tuple[int, int, int]
"""Row, first column, column after the last."""


class FrugalCompositor(Compositor):
    """Differs from its base in partial updates only; what the terminal shows is the same."""

    def render_partial_update(self) -> ChopsUpdate | None:
        """The changed cells, or None where there are none."""
        screen = self.size.region
        regions = {screen.intersection(dirty_region) for dirty_region in self._dirty_regions}
        self._dirty_regions.clear()
        spans = list(self._regions_to_spans(dirty for dirty in regions if dirty))
        if not spans:
            return None
        cuts = _add_cuts(self.cuts, spans)
        open_cuts = _find_open_cuts(cuts, spans)
        chops: list[dict[int, Strip | None]] = [
            dict.fromkeys(cuts[y][:-1]) if y in cuts else {} for y in range(screen.height)
        ]
        for widget, (region, clip) in self.visible_widgets.items():
            if not open_cuts:
                break
            shown = region.intersection(clip)
            if any(shown.overlaps(dirty) for dirty in regions):
                _fill(widget, region, shown, cuts=cuts, open_cuts=open_cuts, chops=chops)
        ends = [cuts[y][1:] if y in cuts else [] for y in range(screen.height)]
        return ChopsUpdate(chops, spans, ends)


def use_frugal_compositor(screen: Screen[Any]) -> None:
    """Give it to a screen that has not been shown yet."""
    screen._compositor = FrugalCompositor()  # pyright: ignore[reportPrivateUsage] - no public way


def _add_cuts(cuts: Sequence[Sequence[int]], spans: Iterable[Span]) -> dict[int, list[int]]:
    """Where widgets begin and end in each changed row, and where changes do."""
    cuts_by_line: dict[int, set[int]] = {}
    for y, first, last in spans:
        cuts_by_line.setdefault(y, set(cuts[y])).update((first, last))
    return {y: sorted(row) for y, row in cuts_by_line.items()}


def _find_open_cuts(cuts: dict[int, list[int]], spans: Iterable[Span]) -> dict[int, set[int]]:
    """The pieces of each row that are to be filled, by the column at which they begin."""
    open_cuts: dict[int, set[int]] = {}
    for y, first, last in spans:
        pieces = {cut for cut in cuts[y] if first <= cut < last}
        open_cuts.setdefault(y, set()).update(pieces)
    return open_cuts


def _fill(
    widget: Widget,
    region: Region,
    shown: Region,
    *,
    cuts: dict[int, list[int]],
    open_cuts: dict[int, set[int]],
    chops: list[dict[int, Strip | None]],
) -> None:
    """Put the widget's strips into the pieces that nothing before it has filled."""
    rows = {}
    for y in shown.line_range:
        ours = [cut for cut in open_cuts.get(y, ()) if shown.x <= cut < shown.right]
        if ours:
            rows[y] = ours
    if not rows:
        return
    first, last = min(rows), max(rows)
    crop = Region(shown.x - region.x, first - region.y, shown.width, last - first + 1)
    strips = widget.render_lines(crop)
    for y, ours in rows.items():
        strip, line = strips[y - first], cuts[y]
        for cut in ours:
            end = line[line.index(cut) + 1]
            is_whole = cut == shown.x and end == shown.right
            chops[y][cut] = strip if is_whole else strip.crop(cut - shown.x, end - shown.x)
        open_cuts[y].difference_update(ours)
        if not open_cuts[y]:
            del open_cuts[y]
