"""The neighbours' measured phenotypes as small histograms, the prediction marked on them."""

from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from ptacl_app.data.patient_view import Neighbour, PatientView
from ptacl_app.text.formatting import (
    PHENOTYPE_LABELS,
    format_interval,
    format_number,
    format_quantity,
)
from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

_LEVELS = " ▁▂▃▄▅▆▇█"
_LABEL, _ENDS = 6, 7
BIN_COLUMNS = 2
MIN_NEIGHBOURS = 5
"""Fewer make no distribution."""


class DistributionPanel(Widget):
    """One row of bars per phenotype, median and prediction in words."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "distribution--head",
        "distribution--label",
        "distribution--bars",
        "distribution--mark",
        "distribution--quiet",
    }
    DEFAULT_CSS = """
    DistributionPanel {
        background: $background;
        & .distribution--head { color: $primary; background: $background; text-style: bold; }
        & .distribution--label { color: $foreground; background: $background; }
        & .distribution--bars { color: $primary; background: $interval-ground; }
        & .distribution--mark { color: $accent; background: $interval-reference; text-style: bold; }
        & .distribution--quiet { color: $quiet-ink; background: $background; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.patient: PatientView | None = None
        self.neighbours: tuple[Neighbour, ...] = ()

    def show(self, patient: PatientView | None, neighbours: tuple[Neighbour, ...]) -> None:
        """Show another list's distributions."""
        self.patient, self.neighbours = patient, neighbours
        self.refresh()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Head, two rows per phenotype, a legend."""
        del container, viewport, width
        return 2 + 2 * len(PHENOTYPE_NAMES)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"distribution--{name}")

    def render_line(self, y: int) -> Strip:
        """Head, legend, then a row of bars and a row of words for each phenotype."""
        width = self.size.width
        lines: list[list[Segment]] = [
            [Segment(" among these neighbours (CMR)", self._style("head"))],
            [Segment(" bars: patients   amber: predicted here", self._style("quiet"))],
        ]
        if len(self.neighbours) < MIN_NEIGHBOURS:
            lines = [[Segment(" too few neighbours for a distribution", self._style("quiet"))]]
        elif y >= len(lines):
            index, is_second = divmod(y - len(lines), 2)
            if index < len(PHENOTYPE_NAMES):
                build = self._build_words if is_second else self._build_bars
                return Strip(build(PHENOTYPE_NAMES[index], width)).adjust_cell_length(
                    width, self._style("label")
                )
        segments = lines[y] if y < len(lines) else []
        return Strip(segments).adjust_cell_length(width, self._style("label"))

    def _measured(self, name: str) -> Float64[Array, " value"]:
        return np.array(
            [
                neighbour.measured[name]
                for neighbour in self.neighbours
                if name in neighbour.measured
            ],
            np.float64,
        )

    def _build_words(self, name: str, width: int) -> list[Segment]:
        """Median and middle half, under the bars."""
        del width
        unit, values = PHENOTYPE_UNITS[name], self._measured(name)
        if values.size < MIN_NEIGHBOURS:
            return []
        low, middle, high = np.percentile(values, (25, 50, 75)).tolist()
        words = (
            f"median {format_quantity(middle, unit)}, half in {format_interval(low, high, unit)}"
        )
        return [Segment(" " * (_LABEL + 1) + words, self._style("quiet"))]

    def _build_bars(self, name: str, width: int) -> list[Segment]:
        unit, values = PHENOTYPE_UNITS[name], self._measured(name)
        label = Segment(" " + PHENOTYPE_LABELS[name].ljust(_LABEL), self._style("label"))
        if values.size < MIN_NEIGHBOURS:
            return [label, Segment("not measured", self._style("quiet"))]
        predicted = self._predicted(name)
        marks = values if predicted is None else np.append(values, predicted)
        low, high = float(marks.min()), float(marks.max())
        num_bins = max((width - _LABEL - 2 - 2 * _ENDS) // BIN_COLUMNS, 4)
        counts = count_bins(values, low=low, high=high, num_bins=num_bins)
        levels = np.ceil(8 * counts / max(int(counts.max()), 1)).astype(int)
        mark = None if predicted is None else _place(predicted, low, high, num_bins)
        segments = [
            label,
            Segment(format_number(low, unit=unit).rjust(_ENDS - 1) + " ", self._style("quiet")),
        ]
        for index, level in enumerate(levels):
            style = self._style("mark" if index == mark else "bars")
            is_bare_mark = index == mark and level == 0
            bar = "◆ " if is_bare_mark else _LEVELS[level] * BIN_COLUMNS
            segments.append(Segment(bar, style))
        segments.append(
            Segment(" " + format_number(high, unit=unit).ljust(_ENDS), self._style("quiet"))
        )
        return segments

    def _predicted(self, name: str) -> float | None:
        if self.patient is None:
            return None
        return next(
            (
                value.predicted.value
                for value in self.patient.phenotypes
                if value.name == name and value.predicted is not None
            ),
            None,
        )


def count_bins(values: Array, *, low: float, high: float, num_bins: int) -> Int64[Array, "bin"]:
    """How many values fall into each of `num_bins` equal parts of [low, high]."""
    places = [_place(value, low, high, num_bins) for value in values.tolist()]
    return np.bincount(places, minlength=num_bins).astype(np.int64)


def _place(value: float, low: float, high: float, num_bins: int) -> int:
    if high <= low:
        return num_bins // 2
    return min(int((value - low) / (high - low) * num_bins), num_bins - 1)
