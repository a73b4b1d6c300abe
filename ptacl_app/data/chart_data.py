"""Columns and embeddings of a cohort → charts. The queries are in `reading.charts`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_app.drawing.chart import (
    Chart,
    ChartKind,
    compute_agreement,
    compute_principal_axes,
    count_bars,
    describe_correlation,
    describe_distribution,
)
from ptacl_core.arrays import Array, Float64, Int64

NUM_GROUPS = 4
MAX_NAMED_GROUPS = 4
"""A text column with more values than these is not a colour."""


@dataclass(frozen=True, slots=True)
class ChartColumn:
    """A column that can be an axis or a colour: of the overview, or predicted by the run in use."""

    name: str
    is_predicted: bool = False
    unit: str = ""
    is_number: bool = True

    @property
    def label(self) -> str:
        """`lvef_pct, predicted [%]`."""
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.name}{', predicted' if self.is_predicted else ''}{unit}"


@dataclass(frozen=True, slots=True)
class ChartWish:
    """What is to be drawn."""

    kind: ChartKind
    x: ChartColumn
    y: ChartColumn
    colour: ChartColumn | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CohortChart:
    """A chart with whom each point is."""

    wish: ChartWish
    chart: Chart
    people: tuple[tuple[str, int], ...]
    """(patient, visit) of each point."""


def build_map(
    wish: ChartWish,
    vectors: Array,
    people: Sequence[tuple[str, int]],
    colours: Sequence[object],
    *,
    run: str,
) -> CohortChart:
    """The two axes of largest variance of the embeddings."""
    places, shares = compute_principal_axes(vectors)
    groups, labels = group_values(colours, wish.colour)
    modality = "ECG" if wish.kind is ChartKind.ECG_MAP else "CMR"
    chart = Chart(
        kind=wish.kind,
        x=places[:, 0],
        y=places[:, 1] if places.shape[1] > 1 else np.zeros(len(places)),
        x_label=f"first principal axis, {100 * shares[0]:.0f} % of the variance",
        y_label=f"second, {100 * shares[-1]:.0f} %",
        groups=groups,
        group_labels=labels,
        remarks=(
            f"n {len(people)} {modality} embeddings of {run}",
            f"PCA: a straight view that shows {100 * shares.sum():.0f} % of the variance; near "
            "points may lie apart in the rest",
        ),
    )
    return CohortChart(wish, chart, tuple(people))


def build_chart(
    wish: ChartWish,
    x: Float64[Array, " row"],
    y: Float64[Array, " row"],
    people: Sequence[tuple[str, int]],
    colours: Sequence[object],
) -> CohortChart:
    """Scatter, agreement or histogram of the rows that have every value."""
    has_all = np.isfinite(x)
    if wish.kind is not ChartKind.HISTOGRAM:
        has_all &= np.isfinite(y)
    kept = np.flatnonzero(has_all).tolist()
    x, y = x[kept], y[kept]
    groups, labels = group_values([colours[person] for person in kept], wish.colour)
    names = wish.x.label, wish.y.label
    people = tuple(people[person] for person in kept)
    if wish.kind is ChartKind.HISTOGRAM:
        edges, heights = count_bars(x)
        chart = Chart(
            wish.kind, x, np.zeros(0), names[0], "visits", groups, labels,
            edges=edges, heights=heights, remarks=describe_distribution(x),
        )  # fmt: skip
    elif wish.kind is ChartKind.AGREEMENT:
        levels, words = compute_agreement(x, y)
        if wish.x.unit != wish.y.unit:
            words = (*words, "the two have different units: their difference means nothing")
        chart = Chart(
            wish.kind, (x + y) / 2, x - y, f"mean of {names[0]} and {names[1]}",
            f"{names[0]} − {names[1]}", groups, labels, levels=levels, remarks=words,
        )  # fmt: skip
    else:
        chart = Chart(
            wish.kind, x, y, names[0], names[1], groups, labels, remarks=describe_correlation(x, y)
        )
    return CohortChart(wish, chart, people)


def group_values(
    values: Sequence[object], column: ChartColumn | None
) -> tuple[Int64[Array, " row"], tuple[str, ...]]:
    """A group for each row, and what the groups are called: quarters of numbers, texts as such.

    The last group is of those without a value, if there are any.
    """
    if column is None:
        return np.zeros(len(values), np.int64), ("",)
    if column.is_number:
        numbers = np.array([np.nan if value is None else float(str(value)) for value in values])
        known = numbers[np.isfinite(numbers)]
        cuts = np.percentile(known, (25, 50, 75)) if known.size else np.zeros(3)
        groups = np.searchsorted(cuts, numbers, side="right")
        one, two, three = (f"{cut:.4g}".replace("-", "−") for cut in cuts)
        labels = [f"below {one}", f"{one} … {two}", f"{two} … {three}", f"{three} and above"]
        is_missing = ~np.isfinite(numbers)
    else:
        texts = ["" if value is None else str(value) for value in values]
        names = sorted({text for text in texts if text})[:MAX_NAMED_GROUPS]
        places = {name: place for place, name in enumerate(names)}
        groups = np.array([places.get(text, -1) for text in texts], np.int64)
        labels, is_missing = names, groups < 0
    if is_missing.any():
        groups = np.where(is_missing, len(labels), groups)
        labels = [*labels, "others or none"]
    return groups.astype(np.int64), tuple(labels)
