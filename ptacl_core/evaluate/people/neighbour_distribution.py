"""What the measured hearts of the nearest patients say of a phenotype, with its uncertainty."""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float64


class NeighbourDistribution(NamedTuple):
    """Of neighbours that have the label: median with its interval, and the middle share.

    `low` and `high` hold the middle `share` of the neighbours; `median_low` and `median_high`
    are order statistics that hold the median of such patients with 95 % probability whatever
    their distribution (NaN with fewer than six neighbours, of which none do).
    """

    num_neighbours: int
    median: float
    median_low: float
    median_high: float
    low: float
    high: float


def describe_neighbours(
    values: Float64[Array, " neighbour"], *, share: float = 0.9, level: float = 0.95
) -> NeighbourDistribution | None:
    """Distribution of one phenotype over neighbours, NaN where not measured; None without any."""
    measured = np.sort(np.asarray(values, dtype=np.float64))
    measured = measured[np.isfinite(measured)]
    if not measured.size:
        return None
    tail = 0.5 * (1.0 - share)
    low, high = np.quantile(measured, [tail, 1.0 - tail])
    rank = _median_rank(measured.size, level)
    bounds = (np.nan, np.nan) if rank is None else (measured[rank], measured[-1 - rank])
    return NeighbourDistribution(
        num_neighbours=int(measured.size),
        median=float(np.median(measured)),
        median_low=float(bounds[0]),
        median_high=float(bounds[1]),
        low=float(low),
        high=float(high),
    )


def _median_rank(count: int, level: float) -> int | None:
    """Largest i for which [x_(i), x_(n-1-i)] holds the median with probability `level`."""
    from scipy.special import bdtr

    # The interval misses when more than n - 1 - i, or fewer than i + 1, lie below the median.
    ranks = np.arange((count + 1) // 2)
    is_enough = 1.0 - 2.0 * bdtr(ranks.astype(np.float64), count, 0.5) >= level
    return int(ranks[is_enough][-1]) if is_enough.any() else None
