"""Curves and points with intervals over a common axis: label efficiency, reliability."""

from collections.abc import Sequence
from dataclasses import dataclass

from ptacl_core.report.svg.canvas import (
    FAINT,
    GREY,
    SERIES_COLOURS,
    Axis,
    Canvas,
    choose_bounds,
    choose_ticks,
    label_tick,
)

_SHAPES = ("circle", "square", "triangle", "diamond")
_DASHES = ("", "7 3", "2 3", "9 3 2 3")
_ASIDE_PX = 4.0
"""Shift of each further curve, so that intervals at the same place stay apart."""
_LEFT_PX, _RIGHT_PX, _TOP_PX, _BOTTOM_PX = 64.0, 196.0, 22.0, 50.0


@dataclass(frozen=True, slots=True)
class Point:
    """A place on a curve, with its interval where there is one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """A named curve."""

    name: str
    points: Sequence[Point]


def draw_line_plot(
    series: Sequence[Series],
    *,
    title: str,
    description: str,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[tuple[float, str]] | None = None,
    y_bounds: tuple[float, float] | None = None,
    x_bounds: tuple[float, float] | None = None,
    is_x_logarithmic: bool = False,
    has_diagonal: bool = False,
    has_lines: bool = True,
    size: tuple[float, float] = (760.0, 360.0),
) -> str:
    """SVG of the series with a legend.

    `has_diagonal` draws where x equals y;
    without `has_lines` the points are not joined.
    """
    width, height = size
    canvas = Canvas(width, height, title, description)
    points = [point for line in series for point in line.points]
    heights = [
        value for point in points for value in (point.y, point.low, point.high) if value is not None
    ]
    across = [point.x for point in points]
    if x_bounds is None:
        x_bounds = (
            (min(across) * 0.8, max(across) * 1.25) if is_x_logarithmic else choose_bounds(across)
        )
    x_axis = Axis(*x_bounds, _LEFT_PX, width - _RIGHT_PX, is_x_logarithmic)
    y_axis = Axis(*(y_bounds or choose_bounds(heights)), height - _BOTTOM_PX, _TOP_PX)
    _draw_axes(canvas, x_axis, y_axis, x_ticks, (x_label, y_label))
    if has_diagonal:
        low, high = max(x_axis.low, y_axis.low), min(x_axis.high, y_axis.high)
        start, end = (
            (x_axis.place(low), y_axis.place(low)),
            (x_axis.place(high), y_axis.place(high)),
        )
        canvas.line(start, end, colour=GREY, dash="4 3")
    for index, line in enumerate(series):
        _draw_series(canvas, (x_axis, y_axis), line, index, has_lines=has_lines)
        key = (width - _RIGHT_PX + 18, _TOP_PX + 14 + 20 * index)
        _draw_key(canvas, key, line.name, index, has_lines=has_lines)
    return canvas.render()


def _draw_axes(
    canvas: Canvas,
    x_axis: Axis,
    y_axis: Axis,
    x_ticks: Sequence[tuple[float, str]] | None,
    labels: tuple[str, str],
) -> None:
    bottom, left = y_axis.start_px, x_axis.start_px
    for value in choose_ticks(y_axis.low, y_axis.high):
        y = y_axis.place(value)
        canvas.line((left, y), (x_axis.end_px, y), colour=FAINT)
        canvas.text((left - 7, y + 4), label_tick(value), anchor="end", size=11)
    ticks = x_ticks or [
        (value, label_tick(value)) for value in choose_ticks(x_axis.low, x_axis.high)
    ]
    for value, shown in ticks:
        x = x_axis.place(value)
        canvas.line((x, bottom), (x, bottom + 5))
        canvas.text((x, bottom + 18), shown, anchor="middle", size=11)
    canvas.line((left, bottom), (x_axis.end_px, bottom))
    canvas.line((left, bottom), (left, y_axis.end_px))
    canvas.text(((left + x_axis.end_px) / 2, bottom + 38), labels[0], anchor="middle")
    canvas.text((16, (bottom + y_axis.end_px) / 2), labels[1], anchor="middle", is_turned=True)


def _draw_series(
    canvas: Canvas, axes: tuple[Axis, Axis], line: Series, index: int, *, has_lines: bool
) -> None:
    x_axis, y_axis = axes
    colour = SERIES_COLOURS[index % len(SERIES_COLOURS)]
    aside = _ASIDE_PX * index if has_lines else 0.0
    places = [(x_axis.place(point.x) + aside, y_axis.place(point.y)) for point in line.points]
    if has_lines:
        canvas.path(places, colour=colour, dash=_DASHES[index % len(_DASHES)])
    for point, (x, y) in zip(line.points, places, strict=True):
        if point.low is not None and point.high is not None:
            ends = (x, y_axis.place(point.low)), (x, y_axis.place(point.high))
            canvas.line(*ends, colour=colour, width=1.3)
        canvas.marker((x, y), shape=_SHAPES[index % len(_SHAPES)], colour=colour)


def _draw_key(
    canvas: Canvas, place: tuple[float, float], name: str, index: int, *, has_lines: bool
) -> None:
    colour = SERIES_COLOURS[index % len(SERIES_COLOURS)]
    x, y = place
    if has_lines:
        canvas.path([(x, y), (x + 28, y)], colour=colour, dash=_DASHES[index % len(_DASHES)])
    canvas.marker((x + 14, y), shape=_SHAPES[index % len(_SHAPES)], colour=colour)
    canvas.text((x + 36, y + 4), name, size=11)
