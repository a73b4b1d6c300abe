"""Square maps of similarity side by side, each on its own scale of one hue."""

from collections.abc import Sequence
from dataclasses import dataclass

from ptacl_core.report.svg.canvas import GREY, Canvas, label_tick

_CELL_PX = 17.0
_LEFT_PX, _TOP_PX, _BOTTOM_PX, _GAP_PX = 52.0, 64.0, 92.0, 56.0
_SCALE = (
    (0xF7, 0xFB, 0xFF),
    (0xC6, 0xDB, 0xEF),
    (0x6B, 0xAE, 0xD6),
    (0x21, 0x71, 0xB5),
    (8, 48, 107),
)


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A square of values, row by row, with a title and a line below it."""

    title: str
    subtitle: str
    values: Sequence[Sequence[float]]


def draw_heat_maps(
    maps: Sequence[HeatMap], *, title: str, description: str, row_label: str, column_label: str
) -> str:
    """SVG of the maps from left to right; rows from the top, columns from the left."""
    side = _CELL_PX * max(len(heat_map.values) for heat_map in maps)
    step = side + _GAP_PX
    width = _LEFT_PX + step * len(maps) - _GAP_PX + 16
    canvas = Canvas(width, _TOP_PX + side + _BOTTOM_PX, title, description)
    for index, heat_map in enumerate(maps):
        _draw_map(canvas, heat_map, _LEFT_PX + index * step, side, row_label, column_label)
    return canvas.render()


def colour_of(share: float) -> str:
    """From almost white at 0 to dark blue at 1."""
    position = min(max(share, 0.0), 1.0) * (len(_SCALE) - 1)
    index = min(int(position), len(_SCALE) - 2)
    part = position - index
    mixed = (
        round(low + part * (high - low))
        for low, high in zip(_SCALE[index], _SCALE[index + 1], strict=True)
    )
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _draw_map(
    canvas: Canvas, heat_map: HeatMap, left: float, side: float, row_label: str, column_label: str
) -> None:
    flat = [value for row in heat_map.values for value in row]
    low, high = min(flat), max(flat)
    span = (high - low) or 1.0
    canvas.text((left, _TOP_PX - 34), heat_map.title, size=13, is_bold=True)
    canvas.text((left, _TOP_PX - 17), heat_map.subtitle, size=11, colour=GREY)
    for row, values in enumerate(heat_map.values):
        for column, value in enumerate(values):
            canvas.rectangle(
                (left + column * _CELL_PX, _TOP_PX + row * _CELL_PX),
                (_CELL_PX + 0.2, _CELL_PX + 0.2),
                fill=colour_of((value - low) / span),
                tip=f"{row_label} {row + 1}, {column_label} {column + 1}: {value:.3f}",
            )
    count = len(heat_map.values)
    for step in range(0, count, max(1, (count - 1) // 3)):
        centre = (step + 0.5) * _CELL_PX
        canvas.text((left - 6, _TOP_PX + centre + 4), str(step + 1), anchor="end", size=11)
        canvas.text((left + centre, _TOP_PX + side + 15), str(step + 1), anchor="middle", size=11)
    middle = side / 2
    canvas.text((left - 30, _TOP_PX + middle), row_label, anchor="middle", is_turned=True)
    canvas.text((left + middle, _TOP_PX + side + 32), column_label, anchor="middle")
    _draw_scale(canvas, left, _TOP_PX + side + 46, side, low, high)


def _draw_scale(
    canvas: Canvas, left: float, top: float, width: float, low: float, high: float
) -> None:
    num_parts = 40
    for part in range(num_parts):
        canvas.rectangle(
            (left + part * width / num_parts, top),
            (width / num_parts + 0.3, 10),
            fill=colour_of(part / (num_parts - 1)),
        )
    canvas.text((left, top + 25), label_tick(round(low, 3)), size=11)
    canvas.text((left + width, top + 25), label_tick(round(high, 3)), anchor="end", size=11)
    canvas.text((left + width / 2, top + 25), "cosine", anchor="middle", size=11, colour=GREY)
