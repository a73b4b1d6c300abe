"""Points of a cohort on two axes: ranges, ticks, statistics, and who lies inside a lasso. Pure."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ptacl_core.arrays import Array, Bool, Float64, Int64

PAD = 0.04
"""Room beyond the outermost points, as a share of their range."""
LIMITS_SD = 1.96
"""Limits of agreement: 95 % of normal differences (Bland and Altman, Lancet 1986;1:307)."""
MIN_POINTS = 3


class ChartKind(Enum):
    """What is drawn; the value is what the screen says."""

    ECG_MAP = "map of ECG"
    CMR_MAP = "map of CMR"
    SCATTER = "scatter"
    AGREEMENT = "Bland–Altman"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line and what it stands for."""

    value: float
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Points with their group (an index of `group_labels`), or bars, ready to be drawn.

    A histogram has `edges` and the heights of its bars beside the values `x`; its `y` is empty.
    """

    kind: ChartKind
    x: Float64[Array, " point"]
    y: Float64[Array, " point"]
    x_label: str
    y_label: str
    groups: Int64[Array, " point"]
    group_labels: tuple[str, ...] = ("",)
    levels: tuple[Level, ...] = ()
    edges: Float64[Array, " edge"] | None = None
    heights: Int64[Array, " bar"] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def x_range(self) -> tuple[float, float]:
        """Left and right end of the axis."""
        return find_range(self.x if self.edges is None else self.edges)

    @property
    def y_range(self) -> tuple[float, float]:
        """Lower and upper end of the axis."""
        if self.heights is not None:
            return 0.0, max(float(self.heights.max(initial=0)), 1.0) * (1 + PAD)
        return find_range(np.append(self.y, [level.value for level in self.levels]))

    def find_inside(self, lasso: Float64[Array, "corner 2"]) -> Bool[Array, " point"]:
        """Which points the lasso holds; of a histogram those between its ends."""
        if self.heights is not None:
            return (self.x >= lasso[:, 0].min()) & (self.x <= lasso[:, 0].max())
        return is_inside(self.x, self.y, lasso)


def find_range(values: Array) -> tuple[float, float]:
    """Lowest and highest value with some room beyond; never of no width."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    room = (high - low) * PAD or max(abs(high) * PAD, 0.5)
    return low - room, high + room


def choose_ticks(low: float, high: float, *, most: int) -> tuple[float, ...]:
    """At most `most` round numbers (1, 2 or 5 times a power of ten apart) in a range."""
    step = 10.0 ** np.floor(np.log10((high - low) / max(most, 1)))
    for factor in (1, 2, 5, 10):
        first, last = np.ceil(low / (step * factor)), np.floor(high / (step * factor))
        if last - first + 1 <= most:
            numbers = np.arange(first, last + 1) * step * factor
            return tuple(float(np.round(number, 10)) for number in numbers)
    return ()


def is_inside(
    x: Float64[Array, " point"], y: Float64[Array, " point"], corners: Float64[Array, "corner 2"]
) -> Bool[Array, " point"]:
    """Which points a closed polygon holds, by the even-odd rule; edges count once."""
    inside = np.zeros(x.shape, bool)
    for (x_one, y_one), (x_two, y_two) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        is_crossed = (y_one > y) != (y_two > y)
        if y_one != y_two:
            crossing = x_one + (y - y_one) * (x_two - x_one) / (y_two - y_one)
            inside ^= is_crossed & (x < crossing)
    return inside


def compute_principal_axes(
    vectors: Array, *, num_axes: int = 2
) -> tuple[Float64[Array, "point axis"], Float64[Array, " axis"]]:
    """Places on the axes of largest variance, and each axis's share of the variance (0 … 1).

    Signs are set so that the largest loading is positive: the same data give the same map.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred / max(len(centred) - 1, 1)
    variances, axes = np.linalg.eigh(covariance)
    order = np.argsort(-variances)[:num_axes]
    axes = axes[:, order]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    shares = variances[order] / max(float(variances.sum()), 1e-30)
    return centred @ axes, np.clip(shares, 0.0, 1.0)


def describe_correlation(x: Array, y: Array) -> tuple[str, ...]:
    """Number of points, Pearson's r with its 95 % interval (Fisher), and the fitted line."""
    count = x.size
    if count <= MIN_POINTS or x.std() == 0 or y.std() == 0:
        return (f"n {count}: too few different values for a correlation",)
    r = float(np.corrcoef(x, y)[0, 1])
    z, half = np.arctanh(np.clip(r, -0.999999, 0.999999)), LIMITS_SD / np.sqrt(count - 3)
    low, high = np.tanh(z - half), np.tanh(z + half)
    slope = r * y.std() / x.std()
    return (
        f"n {count}",
        f"r {r:.2f}, 95 % interval {low:.2f} … {high:.2f}".replace("-", "−"),
        f"y = {slope:.3g} x + {y.mean() - slope * x.mean():.3g}".replace("-", "−"),
    )


def compute_agreement(first: Array, second: Array) -> tuple[tuple[Level, ...], tuple[str, ...]]:
    """Bias and limits of agreement of `first − second`, as lines and in words."""
    difference = first - second
    if difference.size < MIN_POINTS:
        return (), (f"n {difference.size}: too few for limits of agreement",)
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    low, high = bias - LIMITS_SD * sd, bias + LIMITS_SD * sd
    half = LIMITS_SD * sd / np.sqrt(difference.size)
    levels = (
        Level(high, f"+1.96 SD {high:.3g}"), Level(bias, f"bias {bias:.3g}"),
        Level(low, f"−1.96 SD {low:.3g}"),
    )  # fmt: skip
    words = (
        f"n {difference.size}",
        f"bias {bias:.3g}, 95 % interval {bias - half:.3g} … {bias + half:.3g}",
        f"limits of agreement {low:.3g} … {high:.3g}",
    )
    return (
        tuple(Level(level.value, level.label.replace("-", "−")) for level in levels),
        tuple(word.replace("-", "−") for word in words),
    )


def count_bars(values: Array) -> tuple[Float64[Array, " edge"], Int64[Array, " bar"]]:
    """Edges and heights; widths by Freedman and Diaconis (1981), 5 to 60 bars."""
    if values.size == 0:
        return np.array([0.0, 1.0]), np.array([0])
    low, high = float(values.min()), float(values.max())
    quarters = np.percentile(values, (25, 75))
    width = 2 * float(quarters[1] - quarters[0]) / np.cbrt(values.size)
    num_bars = int(np.clip((high - low) / width if width > 0 else 10, 5, 60))
    if high <= low:
        low, high = low - 0.5, high + 0.5
    heights, edges = np.histogram(values, bins=num_bars, range=(low, high))
    return edges, heights.astype(np.int64)


def describe_distribution(values: Array) -> tuple[str, ...]:
    """Number, mean and spread, median and middle half."""
    if values.size == 0:
        return ("n 0",)
    low, middle, high = np.percentile(values, (25, 50, 75))
    spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
    lines = (
        f"n {values.size}",
        f"mean {values.mean():.4g}, SD {spread:.3g}",
        f"median {middle:.4g}, half in {low:.4g} … {high:.4g}",
    )
    return tuple(line.replace("-", "−") for line in lines)
