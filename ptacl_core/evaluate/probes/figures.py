"""Figures of probabilities over weighted rows: area under the curve, Brier score, calibration.

Weights are how often each row was drawn, so that a thousand resamples of people cost little more
than one sample.
"""

from collections.abc import Callable

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.intervals import BootstrapInterval, summarise_draws
from ptacl_core.evaluate.resampling import Resamples

_CHUNK = 100
_NEWTON_STEPS = 25
_SETTLED = 1e-4
"""Last step of a line that has settled; where both sides are parted it never does."""

Weighted = Callable[[Float64[Array, "resample row"]], Float64[Array, "resample figure"]]
"""Figures of weighted rows, NaN where they are not defined."""


def bound_weighted(figures: Weighted, resamples: Resamples) -> BootstrapInterval:
    """Figures of all rows with percentile intervals over resampled people."""
    counts = resamples.counts
    estimate = figures(np.ones((1, counts.shape[1])))[0]
    draws = [
        figures(counts[first : first + _CHUNK].astype(np.float64))
        for first in range(0, len(counts), _CHUNK)
    ]
    return summarise_draws(estimate, np.concatenate(draws))


def weigh_area(score: Float64[Array, " row"], events: Float64[Array, " row"]) -> Weighted:
    """Area under the ROC curve, ties counting half (Mann-Whitney)."""
    order = np.argsort(score, kind="stable")
    ordered, has_event = score[order], events[order] > 0.5
    starts = np.flatnonzero(np.r_[True, np.diff(ordered) != 0])

    def area(weights: Float64[Array, "resample row"]) -> Float64[Array, "resample 1"]:
        sorted_weights = weights[:, order]
        with_event = np.add.reduceat(sorted_weights * has_event, starts, axis=1)
        without = np.add.reduceat(sorted_weights * ~has_event, starts, axis=1)
        below = np.cumsum(without, axis=1) - without
        wins = (with_event * (below + 0.5 * without)).sum(axis=1)
        pairs = with_event.sum(axis=1) * without.sum(axis=1)
        return np.where(pairs > 0, wins / np.where(pairs > 0, pairs, 1.0), np.nan)[:, None]

    return area


def weigh_brier(probability: Float64[Array, " row"], events: Float64[Array, " row"]) -> Weighted:
    """Mean squared distance of the probability from what came."""
    squared = np.square(probability - events)

    def brier(weights: Float64[Array, "resample row"]) -> Float64[Array, "resample 1"]:
        return (weights @ squared / weights.sum(axis=1))[:, None]

    return brier


def weigh_calibration(
    probability: Float64[Array, " row"], events: Float64[Array, " row"]
) -> Weighted:
    """Slope and intercept of the events' log-odds on those of the probability; 1 and 0 are ideal.

    NaN where the probability parts the two sides, so that no line fits.
    """
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    log_odds = np.log(clipped) - np.log1p(-clipped)

    def line(weights: Float64[Array, "resample row"]) -> Float64[Array, "resample 2"]:
        from scipy.special import expit

        slope, intercept = np.zeros(len(weights)), np.zeros(len(weights))
        size = np.full(len(weights), np.inf)
        for _ in range(_NEWTON_STEPS):
            fitted = expit(intercept[:, None] + slope[:, None] * log_odds)
            left = weights * (events - fitted)
            spread = weights * fitted * (1.0 - fitted)
            first, second = left.sum(axis=1), left @ log_odds
            h00, h01, h11 = spread.sum(axis=1), spread @ log_odds, spread @ np.square(log_odds)
            determinant = h00 * h11 - h01 * h01
            is_solved = determinant > 1e-12 * np.maximum(h00 * h11, 1e-300)
            scale = np.where(is_solved, 1.0 / np.where(is_solved, determinant, 1.0), 0.0)
            step = np.stack([(h11 * first - h01 * second), (h00 * second - h01 * first)]) * scale
            step *= np.minimum(1.0, 2.0 / np.maximum(np.abs(step).max(axis=0), 1e-30))
            intercept, slope = intercept + step[0], slope + step[1]
            size = np.where(is_solved, np.abs(step).max(axis=0), np.inf)
            if size.max() < 1e-9:
                break
        is_settled = (size < _SETTLED)[:, None]
        return np.where(is_settled, np.stack([slope, intercept], axis=1), np.nan)

    return line
