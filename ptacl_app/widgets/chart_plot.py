"""A chart with its axes in cells, its points in pixels or braille, and a lasso by mouse or keys."""

from typing import ClassVar

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from ptacl_app.drawing.chart import Chart, choose_ticks
from ptacl_app.drawing.chart_picture import (
    RADIUS_PX,
    ChartFrame,
    build_chart_picture,
    build_palette,
    draw_chart,
    frame_chart,
    pack_chart,
)
from ptacl_app.drawing.raster import decode_characters
from ptacl_app.drawing.strips import build_strip
from ptacl_app.terminal.image_layer import ImageLayer
from ptacl_app.widgets.picture_widget import PictureWidget
from ptacl_app.widgets.pointer import place_of
from ptacl_core.arrays import Array, Bool, Float64

MARGIN = 9
"""Columns of the numbers at the left."""
FOOT = 2
"""Rows of the numbers below, and of the axis's name."""
MIN_CORNERS = 3


class ChartPlot(PictureWidget, can_focus=True):
    """Emits which points a lasso holds, and which one was pointed at."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"chart--text", "chart--axis", "chart--cursor"}
    DEFAULT_CSS = """
    ChartPlot {
        height: 1fr; width: 1fr; background: $background;
        & .chart--text { color: $quiet-ink; background: $background; }
        & .chart--axis { color: $foreground; background: $background; }
        & .chart--cursor { background: $accent; color: $background; }
    }
    """

    class Selected(Message):
        """A lasso was closed, or taken away (then nothing is selected)."""

        def __init__(self, selected: Bool[Array, " point"] | None) -> None:
            self.selected = selected
            super().__init__()

    class PointPicked(Message):
        """The reader pointed at the place of this point."""

        def __init__(self, index: int) -> None:
            self.index = index
            super().__init__()

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.chart: Chart | None = None
        self.note = ""
        self.selected: Bool[Array, " point"] | None = None
        self.cursor: tuple[int, int] | None = None
        """Column and row of the cell that the keys are at."""
        self._corners: list[tuple[float, float]] = []
        self._is_closed = False
        self._is_dragging = False
        self._serial = 0
        self._cells: tuple[int, list[Strip]] | None = None

    def show(self, chart: Chart | None, *, note: str = "") -> None:
        """Show another chart, or `note` in its place."""
        self.chart, self.note = chart, note
        self.selected, self._corners, self._is_closed = None, [], False
        self._redraw()

    def _redraw(self) -> None:
        self._serial += 1
        self._cells = None
        self.refresh()

    def on_resize(self) -> None:
        """The axes take the cells that there are."""
        self.cursor = None
        self._redraw()

    def notify_style_update(self) -> None:
        """Another theme, other colours."""
        super().notify_style_update()
        self._redraw()

    # --- places

    @property
    def plot_size(self) -> tuple[int, int]:
        """Columns and rows of cells between the axes."""
        return max(self.size.width - MARGIN - 1, 1), max(self.size.height - FOOT, 1)

    @property
    def frame(self) -> ChartFrame | None:
        """Data to cells."""
        if self.chart is None:
            return None
        columns, rows = self.plot_size
        return frame_chart(self.chart, width=columns, height=rows)

    # --- the lasso

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A lasso begins."""
        offset = event.get_content_offset(self)
        if event.button == 1 and offset is not None and self.frame is not None:
            self._corners, self._is_closed, self._is_dragging = [], False, True
            self.capture_mouse()
            self._add_corner(*self._place_of(event))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """It grows."""
        if self._is_dragging:
            self._add_corner(*self._place_of(event))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """It is closed; without an area, the point under the mouse is meant."""
        if not self._is_dragging:
            return
        self._is_dragging = False
        self.release_mouse()
        if len(self._corners) >= MIN_CORNERS:
            self.close_lasso()
        else:
            self.clear_lasso()
            self._pick(*self._place_of(event))

    def _place_of(self, event: events.MouseEvent) -> tuple[float, float]:
        x, y = place_of(event, self._images)
        return x - MARGIN, y

    def _add_corner(self, column: float, row: float) -> None:
        frame = self.frame
        if frame is None:
            return
        place = frame.data_of(
            min(max(column, 0.0), float(frame.width)), min(max(row, 0.0), float(frame.height))
        )
        if not self._corners or self._corners[-1] != place:
            self._corners.append(place)
            self._redraw()

    @property
    def lasso(self) -> Float64[Array, "corner 2"] | None:
        """Its corners in the data."""
        return np.array(self._corners, np.float64) if self._corners else None

    @property
    def has_open_lasso(self) -> bool:
        """True while corners are being set."""
        return bool(self._corners) and not self._is_closed

    def close_lasso(self) -> None:
        """Select what it holds."""
        if self.chart is not None and self.lasso is not None:
            self._is_closed = True
            self.selected = self.chart.find_inside(self.lasso)
            self._redraw()
            self.post_message(self.Selected(self.selected))

    def clear_lasso(self) -> None:
        """Nothing is selected."""
        self.selected, self._corners, self._is_closed = None, [], False
        self._redraw()
        self.post_message(self.Selected(None))

    # --- keys

    def move_cursor(self, right: int, down: int) -> None:
        """Move the cell that the keys are at; the first time it appears in the middle."""
        columns, rows = self.plot_size
        if self.cursor is None:
            self.cursor = columns // 2, rows // 2
        else:
            self.cursor = (
                min(max(self.cursor[0] + right, 0), columns - 1),
                min(max(self.cursor[1] + down, 0), rows - 1),
            )
        self._redraw()

    def set_corner(self) -> None:
        """A corner of the lasso at the cursor."""
        if self._is_closed:
            self._corners, self._is_closed, self.selected = [], False, None
        if self.cursor is None:
            self.move_cursor(0, 0)
        if self.cursor is not None:
            self._add_corner(self.cursor[0] + 0.5, self.cursor[1] + 0.5)

    def finish(self) -> None:
        """Close an open lasso; without one, the point nearest to the cursor is meant."""
        if self.has_open_lasso and len(self._corners) >= MIN_CORNERS:
            self.close_lasso()
        elif self.cursor is not None:
            self._pick(self.cursor[0] + 0.5, self.cursor[1] + 0.5)

    def _pick(self, column: float, row: float) -> None:
        chart, frame = self.chart, self.frame
        if chart is None or frame is None or chart.heights is not None or chart.x.size == 0:
            return
        distance = (frame.columns_of(chart.x) - column) ** 2
        distance += 4 * (frame.rows_of(chart.y) - row) ** 2  # a cell is about twice as high
        self.post_message(self.PointPicked(int(distance.argmin())))

    # --- drawing

    def render_line(self, y: int) -> Strip:
        """Numbers of the axis, then the plot; below it the other axis and the axes' names."""
        width = self.size.width
        text = self.get_component_rich_style("chart--text")
        chart = self.chart
        if chart is None:
            words = self.note if y == self.size.height // 2 else ""
            return Strip([Segment(words[:width].center(width), text)], width)
        columns, rows = self.plot_size
        if y < rows:
            left = self._left_numbers(chart, rows).get(y, "")
            axis = Segment(f"{left:>{MARGIN - 1}}│", text)
            return Strip.join(
                [Strip([axis], MARGIN), self._draw_row(y, chart), Strip([Segment(" ", text)], 1)]
            )
        line = self._bottom_numbers(chart, columns) if y == rows else self._names(chart)
        style = text if y == rows else self.get_component_rich_style("chart--axis")
        return Strip([Segment(line[:width].ljust(width), style)], width)

    def _left_numbers(self, chart: Chart, rows: int) -> dict[int, str]:
        frame = frame_chart(chart, width=1, height=rows)
        ticks = choose_ticks(*chart.y_range, most=max(rows // 3, 2))
        places = frame.rows_of(np.array(ticks))
        return {int(row): _number(tick) for row, tick in zip(places, ticks, strict=True)}

    def _bottom_numbers(self, chart: Chart, columns: int) -> str:
        frame = frame_chart(chart, width=columns, height=1)
        line = [" "] * (MARGIN + columns + 1)
        line[MARGIN - 1] = "└"
        ticks = choose_ticks(*chart.x_range, most=max(columns // 12, 2))
        for place, tick in zip(frame.columns_of(np.array(ticks)), ticks, strict=True):
            word = _number(tick)
            start = min(max(MARGIN + int(place) - len(word) // 2, MARGIN), len(line) - len(word))
            line[start : start + len(word)] = word
        return "".join(line)

    def _names(self, chart: Chart) -> str:
        return f" ↑ {chart.y_label}    → {chart.x_label}"

    def _draw_row(self, y: int, chart: Chart) -> Strip:
        columns, rows = self.plot_size
        ground = self.get_component_rich_style("chart--text")
        if self._images is not None:
            strip = self._draw_pixels(y, chart, self._images, columns, rows, ground)
        else:
            if self._cells is None or self._cells[0] != self._serial:
                self._cells = self._serial, self._draw_cells(chart, columns, rows)
            strip = self._cells[1][y]
        if self.cursor is not None and self.cursor[1] == y and self.cursor[0] < columns:
            cursor = Strip([Segment("┼", self.get_component_rich_style("chart--cursor"))], 1)
            place = self.cursor[0]
            parts = [strip.crop(0, place), cursor, strip.crop(place + 1, columns)]
            strip = Strip.join([part for part in parts if part.cell_length])
        return strip

    def _colours(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        ground = self.get_component_rich_style("chart--text").bgcolor or Color.parse("black")
        ink = self.get_component_rich_style("chart--axis").color or Color.parse("white")
        return tuple(ground.get_truecolor()), tuple(ink.get_truecolor())  # pyright: ignore[reportReturnType]

    def _draw_pixels(
        self, y: int, chart: Chart, images: ImageLayer, columns: int, rows: int, ground: Style
    ) -> Strip:
        width_px, height_px = images.cell_px
        back, ink = self._colours()

        def draw() -> object:
            frame = frame_chart(chart, width=columns * width_px, height=rows * height_px)
            dots = draw_chart(
                chart, frame, selected=self.selected, lasso=self.lasso, radius=RADIUS_PX
            )
            return build_chart_picture(dots, ground=back, ink=ink)

        if y == 0:
            key = (self._serial, columns, rows)
            label = (
                f"{chart.kind.value}: {chart.y_label} over {chart.x_label}, {chart.x.size} points"
            )
            images.describe(self._slot, label)
            images.show(self._slot, key, draw, columns=columns, rows=rows)  # pyright: ignore[reportArgumentType]
        return images.build_strip(self._slot, y, first_column=0, count=columns, ground=ground)

    def _draw_cells(self, chart: Chart, columns: int, rows: int) -> list[Strip]:
        back, ink = self._colours()
        frame = frame_chart(chart, width=columns * 2, height=rows * 4)
        dots = draw_chart(chart, frame, selected=self.selected, lasso=self.lasso, radius=1)
        codes, inks = pack_chart(dots)
        palette = build_palette(ground=back, ink=ink)
        styles = [
            Style(color=Color.from_rgb(*entry.tolist()), bgcolor=Color.from_rgb(*back))
            for entry in palette
        ]
        return [
            build_strip(decode_characters(line), keys, styles)
            for line, keys in zip(codes, inks, strict=True)
        ]


def _number(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
