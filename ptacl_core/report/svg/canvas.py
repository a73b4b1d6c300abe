"""An SVG drawing element by element, and the scales and ticks of its axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

INK = "#1b1b1b"
GREY = "#767676"
FAINT = "#d9d9d9"
SERIES_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8a4f7d", "#5b5b5b", "#a07400")
"""Told apart by people with colour-blindness too; markers and dashes differ as well."""
FONT = "system-ui, sans-serif"


@dataclass(slots=True)
class Canvas:
    """A drawing of `width` × `height` px. Positions are px from the upper left."""

    width: float
    height: float
    title: str
    description: str
    _elements: list[str] = field(default_factory=list)

    def line(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        *,
        colour: str = INK,
        width: float = 1.0,
        dash: str = "",
    ) -> None:
        """A straight line; `dash` as in SVG, such as "4 3"."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._elements.append(
            f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
            f'stroke="{colour}" stroke-width="{width:g}"{dashed}/>'
        )

    def path(
        self, points: Sequence[tuple[float, float]], *, colour: str, width: float = 2.0, dash: str
    ) -> None:
        """Lines from point to point."""
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._elements.append(
            f'<polyline points="{corners}" fill="none" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashed}/>'
        )

    def rectangle(
        self, corner: tuple[float, float], size: tuple[float, float], *, fill: str, tip: str = ""
    ) -> None:
        """A filled rectangle; `tip` is shown by browsers over it."""
        shown = f"<title>{escape(tip)}</title>" if tip else ""
        self._elements.append(
            f'<rect x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{size[0]:.1f}" '
            f'height="{size[1]:.1f}" fill="{fill}">{shown}</rect>'
        )

    def marker(
        self, centre: tuple[float, float], *, shape: str, colour: str, is_filled: bool = True
    ) -> None:
        """A mark of 9 px: circle, square, diamond or triangle."""
        x, y = centre
        fill = colour if is_filled else "#fff"
        look = f'fill="{fill}" stroke="{colour}" stroke-width="1.6"'
        if shape == "circle":
            self._elements.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.2" {look}/>')
            return
        offsets = {
            "square": ((-3.8, -3.8), (3.8, -3.8), (3.8, 3.8), (-3.8, 3.8)),
            "diamond": ((0, -5.2), (5.2, 0), (0, 5.2), (-5.2, 0)),
            "triangle": ((0, -5), (4.8, 3.8), (-4.8, 3.8)),
        }[shape]
        corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in offsets)
        self._elements.append(f'<polygon points="{corners}" {look}/>')

    def text(
        self,
        place: tuple[float, float],
        text: str,
        *,
        anchor: str = "start",
        size: float = 12,
        colour: str = INK,
        is_bold: bool = False,
        is_turned: bool = False,
    ) -> None:
        """Text on its baseline; `anchor` is start, middle or end; turned reads upwards."""
        x, y = place
        weight = ' font-weight="600"' if is_bold else ""
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if is_turned else ""
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{colour}" '
            f'text-anchor="{anchor}"{weight}{turn}>{escape(text)}</text>'
        )

    def render(self) -> str:
        """The drawing as one SVG element with its title and description."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{self.width:g}" '
            f'height="{self.height:g}" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'font-family="{FONT}"><title>{escape(self.title)}</title>'
            f"<desc>{escape(self.description)}</desc>"
            f'<rect width="100%" height="100%" fill="#fff"/>{"".join(self._elements)}</svg>'
        )


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear or logarithmic map from values to px."""

    low: float
    high: float
    start_px: float
    end_px: float
    is_logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value lies, in px; values outside lie on the end."""
        inside = min(max(value, self.low), self.high)
        if self.is_logarithmic:
            share = math.log(inside / self.low) / math.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return self.start_px + share * (self.end_px - self.start_px)


def choose_bounds(values: Sequence[float], *, include: Sequence[float] = ()) -> tuple[float, float]:
    """Least and greatest value with a margin of 5 %, never equal."""
    known = [value for value in (*values, *include) if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(known), max(known)
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def choose_ticks(low: float, high: float, *, count: int = 6) -> list[float]:
    """About `count` round values between low and high."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def label_tick(value: float) -> str:
    """A tick's value without needless digits, with a true minus."""
    shown = f"{value:.10g}" if abs(value) < 1e-9 else f"{value:.4g}"
    return "0" if float(shown) == 0 else shown.replace("-", "−")
