"""Forest plot: a figure and its interval a line, with what it is compared to."""

from collections.abc import Sequence
from dataclasses import dataclass

from ptacl_core.report.svg.canvas import (
    FAINT,
    GREY,
    INK,
    SERIES_COLOURS,
    Axis,
    Canvas,
    choose_bounds,
    choose_ticks,
    label_tick,
)

_WIDTH = 860.0
_LABEL_PX, _TEXT_PX = 250.0, 200.0
_ROW_PX = 23.0
_TOP_PX, _BOTTOM_PX = 34.0, 46.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """One line of the plot. `compared` is another's figure, drawn hollow; None: no such."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    compared: float | None = None
    text: str = ""
    is_heading: bool = False
    series: int = 0


def draw_forest_plot(
    estimates: Sequence[Estimate],
    *,
    title: str,
    description: str,
    axis_label: str,
    text_label: str = "",
    compared_label: str = "",
    reference: float | None = None,
) -> str:
    """SVG of the estimates from top to bottom; `reference` is a vertical line, such as 0."""
    known = [
        value
        for estimate in estimates
        for value in (estimate.value, estimate.low, estimate.high, estimate.compared)
        if value is not None
    ]
    low, high = choose_bounds(known, include=[] if reference is None else [reference])
    height = _TOP_PX + _ROW_PX * len(estimates) + _BOTTOM_PX
    canvas = Canvas(_WIDTH, height, title, description)
    axis = Axis(low, high, _LABEL_PX, _WIDTH - _TEXT_PX)
    bottom = height - _BOTTOM_PX
    _draw_axis(canvas, axis, bottom, axis_label)
    if reference is not None and low <= reference <= high:
        x = axis.place(reference)
        canvas.line((x, _TOP_PX - 6), (x, bottom), colour=INK, width=1.2, dash="5 3")
    canvas.text((_WIDTH - _TEXT_PX + 14, _TOP_PX - 14), text_label, size=11, colour=GREY)
    if compared_label:
        canvas.marker((_LABEL_PX + 6, _TOP_PX - 18), shape="diamond", colour=GREY, is_filled=False)
        canvas.text((_LABEL_PX + 16, _TOP_PX - 14), compared_label, size=11, colour=GREY)
    for index, estimate in enumerate(estimates):
        _draw_estimate(canvas, axis, _TOP_PX + (index + 0.5) * _ROW_PX, estimate)
    return canvas.render()


def _draw_axis(canvas: Canvas, axis: Axis, bottom: float, label: str) -> None:
    for tick in choose_ticks(axis.low, axis.high):
        x = axis.place(tick)
        canvas.line((x, _TOP_PX - 6), (x, bottom), colour=FAINT)
        canvas.text((x, bottom + 16), label_tick(tick), anchor="middle", size=11)
    canvas.line((axis.start_px, bottom), (axis.end_px, bottom))
    centre = (axis.start_px + axis.end_px) / 2
    canvas.text((centre, bottom + 36), label, anchor="middle")


def _draw_estimate(canvas: Canvas, axis: Axis, y: float, estimate: Estimate) -> None:
    canvas.text(
        (6 if estimate.is_heading else 14, y + 4), estimate.label, is_bold=estimate.is_heading
    )
    if estimate.compared is not None:
        place = (axis.place(estimate.compared), y)
        canvas.marker(place, shape="diamond", colour=GREY, is_filled=False)
    if estimate.value is not None:
        colour = SERIES_COLOURS[estimate.series % len(SERIES_COLOURS)]
        if estimate.low is not None and estimate.high is not None:
            ends = axis.place(estimate.low), axis.place(estimate.high)
            canvas.line((ends[0], y), (ends[1], y), colour=colour, width=2)
            for end in ends:
                canvas.line((end, y - 4), (end, y + 4), colour=colour, width=2)
        shape = ("circle", "square", "triangle", "diamond")[estimate.series % 4]
        canvas.marker((axis.place(estimate.value), y), shape=shape, colour=colour)
    canvas.text((_WIDTH - _TEXT_PX + 14, y + 4), estimate.text, size=11)
