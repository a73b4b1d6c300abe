"""How fast the leads change together: the signals on which onsets and offsets are found."""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.preprocess.medians import median_along

SAMPLE_MS = 2.0


class Slopes(NamedTuple):
    """Change of each direction in µV/ms; root mean square over them less noise; that noise."""

    vectors: Float64[Array, "direction sample"]
    values: Float64[Array, " sample"]
    noise: float

    def beyond(self, at: int) -> "Slopes":
        """The slopes with that at one sample taken off: a wave that rides on another's flank."""
        vectors = self.vectors - self.vectors[:, at : at + 1]
        power = np.einsum("ds,ds->s", vectors, vectors) - self.noise**2
        return Slopes(vectors, np.sqrt(np.maximum(power, 0.0)), self.noise)


def compute_slopes(
    signal_mv: Float32[Array, "lead sample"],
    noise_mv: Float32[Array, "lead sample"] | None,
    *,
    half_span: int,
    directions: Float64[Array, "direction lead"] | None = None,
) -> Slopes:
    """Slopes over `half_span` samples either side, of the leads or of some directions over them.

    Both are scaled by the number of leads, so that limits mean the same for any number of them.
    """
    vectors = _slope_vectors(signal_mv, half_span, directions)
    power = np.einsum("ds,ds->s", vectors, vectors)
    noise_power = 0.0
    if noise_mv is not None:
        noise_vectors = _slope_vectors(noise_mv, half_span, directions)[:, half_span:-half_span]
        # The median: near QRS complexes, what is left over is misalignment rather than noise.
        noise_power = float(median_along(np.einsum("ds,ds->s", noise_vectors, noise_vectors)))
    return Slopes(vectors, np.sqrt(np.maximum(power - noise_power, 0.0)), noise_power**0.5)


def _slope_vectors(
    signal_mv: Float32[Array, "lead sample"],
    half_span: int,
    directions: Float64[Array, "direction lead"] | None,
) -> Float64[Array, "direction sample"]:
    path = signal_mv if directions is None else directions @ signal_mv
    scale = 1000.0 / (2 * half_span * SAMPLE_MS) / np.sqrt(len(signal_mv))
    vectors = np.zeros(path.shape)
    vectors[:, half_span:-half_span] = (
        path[:, 2 * half_span :] - path[:, : -2 * half_span]
    ) * scale
    return vectors


def smooth(
    signal_mv: Float32[Array, "lead sample"], half_width: int
) -> Float32[Array, "lead sample"]:
    """The mean of `2 * half_width + 1` samples, the ends as they are."""
    width = 2 * half_width + 1
    total = np.cumsum(signal_mv, axis=1, dtype=np.float64)
    smoothed = signal_mv.astype(np.float32, copy=True)
    inner = total[:, width - 1 :].copy()
    inner[:, 1:] -= total[:, :-width]
    smoothed[:, half_width : signal_mv.shape[1] - half_width] = inner / width
    return smoothed


def main_directions(
    segment_mv: Float32[Array, "lead sample"], num_directions: int
) -> Float64[Array, "direction lead"]:
    """The directions over the leads in which a segment varies most, each of length 1."""
    centred = segment_mv - segment_mv.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    return vectors[:, ::-1][:, :num_directions].T


def walk_until_quiet(
    values: Float64[Array, " sample"],
    start: int,
    stop: int,
    *,
    below: float,
    for_samples: int,
) -> int | None:
    """The first sample from `start` towards `stop` after which `values` stay below a limit.

    They must do so for `for_samples` in that direction (or up to `stop`, when at least half of
    them are left); None when they never do.
    """
    step = 1 if stop >= start else -1
    places = np.arange(start, stop + step, step)
    quiet = 0
    for offset, is_loud in enumerate((values[places] >= below).tolist()):
        quiet = 0 if is_loud else quiet + 1
        if quiet >= for_samples:
            return start + step * (offset - quiet + 1)
    return start + step * (len(places) - quiet) if quiet >= max(1, for_samples // 2) else None


class EdgeLimits(NamedTuple):
    """When a slow wave's flank has died away."""

    share: float
    """Of the flank's steepest slope."""
    noise_factor: float
    """Times the slope of the noise."""
    least: float
    """In µV/ms, whatever the wave."""
    quiet: int
    """Samples for which the slope stays below the limit."""
    max_valley_share: float
    """Largest slope, of the steepest, at the flattest point of a flank that does not die away."""


def find_edge(slopes: Slopes, steepest_at: int, stop: int, limits: EdgeLimits) -> int | None:
    """Where the flank of a slow wave dies away on the way from its steepest point to `stop`.

    Should it not die away, the wave rides on the flank of another: the slope at the flattest
    point is taken off, and the search made again up to that point. None when even that fails.
    """
    if steepest_at == stop:
        return None
    steepest = float(slopes.values[steepest_at])
    limit = max(limits.share * steepest, limits.noise_factor * slopes.noise, limits.least)
    if steepest < 1.5 * limit:
        return None
    found = walk_until_quiet(
        slopes.values, steepest_at, stop, below=limit, for_samples=limits.quiet
    )
    if found is not None:
        return found
    step = 1 if stop > steepest_at else -1
    rest = slopes.values[np.arange(steepest_at, stop + step, step)]
    valley = steepest_at + step * int(np.argmin(rest))
    if valley == steepest_at or float(rest.min()) > limits.max_valley_share * steepest:
        return None
    relative = slopes.beyond(valley)
    limit = max(
        limits.share * float(relative.values[steepest_at]), limits.noise_factor * slopes.noise
    )
    found = walk_until_quiet(relative.values, steepest_at, valley, below=limit, for_samples=2)
    return valley if found is None else found
