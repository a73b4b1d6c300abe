"""A chart's points, bars and lines in pixels or in braille: the rectangle between the axes."""

from dataclasses import dataclass

import numpy as np

from ptacl_app.drawing.chart import Chart
from ptacl_app.drawing.picture import Picture
from ptacl_app.drawing.raster import pack_braille
from ptacl_core.arrays import Array, Bool, Float64, Int64, UInt8

GROUP_COLOURS = ((86, 180, 233), (230, 159, 0), (0, 170, 125), (204, 121, 167), (140, 140, 140))
"""Of Okabe and Ito's set, which colour-blind people tell apart; the last for what is unknown."""
SELECTED = (255, 90, 70)
_GROUND, _LINE, _LASSO, _CHOSEN, _FIRST_GROUP = range(5)
RADIUS_PX = 2


@dataclass(frozen=True, slots=True)
class ChartFrame:
    """Where data lie in a rectangle of `width` by `height` dots, row 0 at the top."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    width: int
    height: int

    def columns_of(self, x: Float64[Array, " point"]) -> Float64[Array, " point"]:
        """Dots from the left."""
        low, high = self.x_range
        return (x - low) / (high - low) * self.width

    def rows_of(self, y: Float64[Array, " point"]) -> Float64[Array, " point"]:
        """Dots from the top."""
        low, high = self.y_range
        return (high - y) / (high - low) * self.height

    def data_of(self, column: float, row: float) -> tuple[float, float]:
        """The values under a place."""
        x_low, x_high = self.x_range
        y_low, y_high = self.y_range
        return (
            x_low + column / self.width * (x_high - x_low),
            y_high - row / self.height * (y_high - y_low),
        )


def frame_chart(chart: Chart, *, width: int, height: int) -> ChartFrame:
    """The frame that holds the whole chart."""
    return ChartFrame(chart.x_range, chart.y_range, max(width, 1), max(height, 1))


@dataclass(frozen=True, slots=True, eq=False)
class ChartDots:
    """What each dot is: an index of the palette, 0 where there is nothing."""

    codes: UInt8[Array, "row column"]


def draw_chart(
    chart: Chart,
    frame: ChartFrame,
    *,
    selected: Bool[Array, " point"] | None,
    lasso: Float64[Array, "corner 2"] | None,
    radius: int,
) -> ChartDots:
    """Lines first, then points or bars, then the lasso over them."""
    codes = np.zeros((frame.height, frame.width), np.uint8)
    for level in chart.levels:
        row = int(frame.rows_of(np.array([level.value]))[0])
        if 0 <= row < frame.height:
            codes[row, ::2] = _LINE
    if chart.heights is not None and chart.edges is not None:
        _draw_bars(codes, chart, frame, selected)
    else:
        _draw_points(codes, chart, frame, selected, radius)
    if lasso is not None and len(lasso) > 1:
        _draw_lasso(codes, frame, lasso)
    return ChartDots(codes)


def _draw_points(
    codes: UInt8[Array, "row column"],
    chart: Chart,
    frame: ChartFrame,
    selected: Bool[Array, " point"] | None,
    radius: int,
) -> None:
    columns = np.floor(frame.columns_of(chart.x)).astype(np.int64)
    rows = np.floor(frame.rows_of(chart.y)).astype(np.int64)
    inks = _FIRST_GROUP + chart.groups.astype(np.int64)
    if selected is not None:
        inks = np.where(selected, _CHOSEN, inks)
        order = np.argsort(selected, kind="stable")
        columns, rows, inks = columns[order], rows[order], inks[order]
    offsets = np.arange(-radius + 1, radius)
    for down in offsets:
        for right in offsets:
            if down * down + right * right > radius * radius:
                continue
            row, column = rows + down, columns + right
            is_there = (row >= 0) & (row < frame.height) & (column >= 0) & (column < frame.width)
            codes[row[is_there], column[is_there]] = inks[is_there]


def _draw_bars(
    codes: UInt8[Array, "row column"],
    chart: Chart,
    frame: ChartFrame,
    selected: Bool[Array, " point"] | None,
) -> None:
    assert chart.edges is not None
    assert chart.heights is not None
    edges = np.floor(frame.columns_of(chart.edges)).astype(np.int64)
    for heights, ink in _stack(chart.heights, chart, selected):
        tops = np.floor(frame.rows_of(heights.astype(np.float64))).astype(np.int64)
        for first, last, top in zip(edges[:-1], edges[1:], tops, strict=True):
            left = max(int(first), 0)
            codes[max(int(top), 0) :, left : max(int(last) - 1, left + 1)] = ink


def _stack(
    heights: Int64[Array, " bar"], chart: Chart, selected: Bool[Array, " point"] | None
) -> list[tuple[Int64[Array, " bar"], int]]:
    """The bars, and over them the part of each that is selected."""
    layers = [(heights, _FIRST_GROUP)]
    if selected is not None and chart.edges is not None:
        chosen, _ = np.histogram(chart.x[selected], bins=chart.edges)
        layers.append((chosen.astype(np.int64), _CHOSEN))
    return layers


def _draw_lasso(
    codes: UInt8[Array, "row column"], frame: ChartFrame, lasso: Float64[Array, "corner 2"]
) -> None:
    columns, rows = frame.columns_of(lasso[:, 0]), frame.rows_of(lasso[:, 1])
    for one in range(len(lasso)):
        two = (one + 1) % len(lasso)
        count = int(max(abs(columns[two] - columns[one]), abs(rows[two] - rows[one]))) + 2
        along = np.floor(np.linspace(columns[one], columns[two], count)).astype(np.int64)
        down = np.floor(np.linspace(rows[one], rows[two], count)).astype(np.int64)
        is_there = (along >= 0) & (along < frame.width) & (down >= 0) & (down < frame.height)
        codes[down[is_there], along[is_there]] = _LASSO


def build_chart_picture(
    dots: ChartDots, *, ground: tuple[int, int, int], ink: tuple[int, int, int]
) -> Picture:
    """The dots as a picture."""
    return Picture(dots.codes, build_palette(ground=ground, ink=ink))


def build_palette(
    *, ground: tuple[int, int, int], ink: tuple[int, int, int]
) -> UInt8[Array, "entry rgb"]:
    """Ground, line, lasso, selected, then the groups."""
    quiet = tuple((one + other) // 2 for one, other in zip(ground, ink, strict=True))
    return np.array([ground, quiet, ink, SELECTED, *GROUP_COLOURS], np.uint8)


def pack_chart(dots: ChartDots) -> tuple[Array, UInt8[Array, "row column"]]:
    """Braille codes, and for each cell the index of its highest dot: one ink a cell."""
    height, width = dots.codes.shape
    cells = dots.codes.reshape(height // 4, 4, width // 2, 2)
    order = np.where(cells == _LASSO, 200, cells)
    order = np.where(cells == _CHOSEN, 150, order)
    best = order.max(axis=(1, 3))
    inks = np.where(best == 200, _LASSO, np.where(best == 150, _CHOSEN, best)).astype(np.uint8)
    return pack_braille(dots.codes > 0), inks
