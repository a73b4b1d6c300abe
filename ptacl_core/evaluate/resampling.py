"""Resampled patients as counts, so that any figure made of sums is one matrix product.

A figure that follows from sums over patients (a mean, R², a correlation) need not be computed
from copied rows: the sums of a resample are the counts of its rows times the terms. All
figures of an evaluation take the same `Resamples`, so that their differences are paired.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.evaluate.intervals import BootstrapInterval, summarise_draws
from ptacl_core.evaluate.labels import EvaluationError

_RESAMPLES_PER_CHUNK = 250

BOOTSTRAP_SEED = 2025
"""Seed of the resamples that all tables share, so that differences are paired."""


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """How often each row is drawn in each resample of patients."""

    counts: np.ndarray
    """uint16 [resample, row]"""

    @property
    def num_resamples(self) -> int:
        """B."""
        return len(self.counts)

    def take(self, rows: Int64[Array, " chosen"]) -> "Resamples":
        """The same resamples, seen on some of the rows only."""
        return Resamples(np.ascontiguousarray(self.counts[:, rows]))

    def sums(self, terms: Float64[Array, "row term"]) -> Float64[Array, "resample term"]:
        """Sum of each term over the rows of each resample."""
        draws = np.empty((self.num_resamples, terms.shape[1]))
        for first in range(0, self.num_resamples, _RESAMPLES_PER_CHUNK):
            chunk = slice(first, first + _RESAMPLES_PER_CHUNK)
            draws[chunk] = self.counts[chunk].astype(np.float64) @ terms
        return draws

    def interval(
        self,
        terms: Float64[Array, "row term"],
        figures: Callable[[np.ndarray], np.ndarray],
        *,
        level: float = 0.95,
    ) -> BootstrapInterval:
        """Percentile interval of `figures`, a function of sums [..., term] → [..., figure]."""
        estimate, draws = figures(terms.sum(axis=0)), figures(self.sums(terms))
        return summarise_draws(estimate, draws, level=level)

    def mean_interval(
        self, values: Float64[Array, "row figure"], *, level: float = 0.95
    ) -> BootstrapInterval:
        """Interval of the mean of each column over rows."""
        terms = np.column_stack([values, np.ones(len(values))])
        return self.interval(terms, _means, level=level)

    def median_interval(
        self, values: Int64[Array, " row"] | Float64[Array, " row"], *, level: float = 0.95
    ) -> BootstrapInterval:
        """Interval of the median of `values` over rows."""
        order = np.argsort(values, kind="stable")
        ordered = np.asarray(values, dtype=np.float64)[order]
        draws = np.empty(self.num_resamples)
        for first in range(0, self.num_resamples, _RESAMPLES_PER_CHUNK):
            chunk = slice(first, first + _RESAMPLES_PER_CHUNK)
            reached = np.cumsum(self.counts[chunk][:, order], axis=1, dtype=np.int64)
            total = reached[:, -1]
            lower = (reached > ((total - 1) // 2)[:, None]).argmax(axis=1)
            upper = (reached > (total // 2)[:, None]).argmax(axis=1)
            middle = 0.5 * (ordered[lower] + ordered[upper])
            draws[chunk] = np.where(total > 0, middle, np.nan)
        return summarise_draws(np.asarray(np.median(ordered)), draws, level=level)


def draw_resamples(
    num_rows: int,
    *,
    generator: np.random.Generator,
    num_resamples: int = 2000,
    patients: Sequence[object] | np.ndarray | None = None,
) -> Resamples:
    """Draw patients with replacement, as many as there are; their rows come together.

    `patients` is a key per row; None: every row is a patient. Raises EvaluationError for fewer
    than two patients, of which no interval can be had.
    """
    owner = np.arange(num_rows)
    if patients is not None:
        keys = np.asarray(patients)
        if keys.shape != (num_rows,):
            raise EvaluationError(f"patients: expected {num_rows} keys, got shape {keys.shape}")
        owner = np.unique(keys, return_inverse=True)[1]
    num_patients = int(owner.max()) + 1 if num_rows else 0
    if num_patients < 2:
        raise EvaluationError(f"an interval over patients needs at least 2, got {num_patients}")
    if num_resamples < 1:
        raise EvaluationError(f"num_resamples must be positive, got {num_resamples}")
    counts = np.empty((num_resamples, num_rows), np.uint16)
    for index in range(num_resamples):
        chosen = generator.integers(0, num_patients, size=num_patients)
        counts[index] = np.bincount(chosen, minlength=num_patients)[owner]
    return Resamples(counts)


def _means(sums: np.ndarray) -> np.ndarray:
    total = sums[..., -1:]
    return np.where(total > 0, sums[..., :-1] / np.where(total > 0, total, 1.0), np.nan)
