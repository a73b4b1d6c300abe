"""Are two sets of patients alike: one variable at a time, and all of an embedding at once."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError, as_features


class Stability(NamedTuple):
    """Population stability index (PSI) of a variable, and the chance of one as large without drift.

    Under 0.1 is little, over 0.25 much, whatever the size of the sets; the p-value says whether
    the sets are large enough to tell.
    """

    psi: float
    p_value: float
    num_bins: int


class Discrepancy(NamedTuple):
    """Squared maximum mean discrepancy (unbiased, so it may be negative) and its p-value."""

    squared: float
    p_value: float
    bandwidth: float
    num_permutations: int


def stability_of_numbers(
    reference: Float[Array, " patient"], other: Float[Array, " other"], *, num_bins: int = 10
) -> Stability:
    """PSI over bins that each hold (nearly) the same share of the reference.

    Absent values (NaN) are left out. Raises EvaluationError where either set has none.
    """
    first, second = _present(reference), _present(other)
    edges = np.unique(np.quantile(first, np.linspace(0, 1, num_bins + 1)[1:-1]))
    count = len(edges) + 1
    return _stability(
        np.bincount(np.searchsorted(edges, first, side="right"), minlength=count),
        np.bincount(np.searchsorted(edges, second, side="right"), minlength=count),
    )


def stability_of_categories(reference: list[str], other: list[str]) -> Stability:
    """PSI over the categories that either set has."""
    if not reference or not other:
        raise EvaluationError("a stability index needs patients on both sides")
    names = sorted({*reference, *other})
    return _stability(
        np.array([reference.count(name) for name in names]),
        np.array([other.count(name) for name in names]),
    )


def standardised_difference(
    reference: Float[Array, " patient"], other: Float[Array, " other"]
) -> tuple[float, float, float]:
    """Mean of `other` minus mean of `reference` in pooled SD, with its 95 % interval.

    NaN where both are constant. Large-sample variance of Cohen's d.
    """
    first, second = _present(reference), _present(other)
    pooled = np.sqrt(0.5 * (first.var() + second.var()))
    if pooled == 0:
        return float("nan"), float("nan"), float("nan")
    difference = float((second.mean() - first.mean()) / pooled)
    total = first.size + second.size
    error = np.sqrt(total / (first.size * second.size) + difference**2 / (2.0 * total))
    return difference, difference - 1.96 * float(error), difference + 1.96 * float(error)


def maximum_mean_discrepancy(
    reference: Float[Array, "patient dim"],
    other: Float[Array, "other dim"],
    *,
    generator: np.random.Generator,
    num_permutations: int = 500,
) -> Discrepancy:
    """Unbiased MMD² with a Gaussian kernel, its width the median distance; permutation p-value.

    p = (1 + permutations with a value as large) / (1 + permutations). Raises EvaluationError
    for fewer than two patients on a side.
    """
    first = as_features(reference, name="reference")
    second = as_features(other, name="other")
    if len(first) < 2 or len(second) < 2 or first.shape[1] != second.shape[1]:
        raise EvaluationError(
            f"a discrepancy needs two or more patients on both sides and equal widths, got "
            f"{first.shape} and {second.shape}"
        )
    together = np.concatenate([first, second])
    power = np.square(together).sum(axis=1)
    squared = np.maximum(power[:, None] + power - 2.0 * together @ together.T, 0.0)
    middle = float(np.median(squared[np.triu_indices(len(together), 1)]))
    width = middle if middle > 0 else 1.0
    kernel = np.exp(-squared / width)
    np.fill_diagonal(kernel, 0.0)
    is_first = np.zeros((len(together), num_permutations + 1))
    is_first[: len(first), 0] = 1.0
    for column in range(1, num_permutations + 1):
        is_first[generator.permutation(len(together))[: len(first)], column] = 1.0
    values = _discrepancies(kernel, is_first)
    # Relabellings of equal value differ in their last bits.
    num_as_large = int((values[1:] >= values[0] - 1e-12).sum())
    return Discrepancy(
        float(values[0]),
        (1 + num_as_large) / (1 + num_permutations),
        float(np.sqrt(width)),
        num_permutations,
    )


def _discrepancies(
    kernel: Float64[Array, "all all"], is_first: Float64[Array, "all labelling"]
) -> Float64[Array, " labelling"]:
    count = is_first.sum(axis=0)
    others = len(kernel) - count
    product = kernel @ is_first
    within_first = (is_first * product).sum(axis=0)
    across = product.sum(axis=0) - within_first
    within_second = kernel.sum() - within_first - 2.0 * across
    return (
        within_first / (count * (count - 1))
        + within_second / (others * (others - 1))
        - 2.0 * across / (count * others)
    )


def _present(values: np.ndarray) -> Float64[Array, " present"]:
    numbers = np.asarray(values, dtype=np.float64)
    present = numbers[np.isfinite(numbers)]
    if not present.size:
        raise EvaluationError("no value present on one side: they cannot be compared")
    return present


def _stability(reference: np.ndarray, other: np.ndarray) -> Stability:
    """Half a patient is added to every bin, so that an empty one gives no infinity."""
    from scipy.special import chdtrc

    num_bins = len(reference)
    total, other_total = int(reference.sum()), int(other.sum())
    share = (reference + 0.5) / (total + 0.5 * num_bins)
    other_share = (other + 0.5) / (other_total + 0.5 * num_bins)
    index = float(((other_share - share) * np.log(other_share / share)).sum())
    if num_bins == 1:
        return Stability(0.0, 1.0, 1)
    # Without a shift the index over (1/n + 1/m) is chi-squared with one degree per bin but one.
    statistic = index / (1.0 / total + 1.0 / other_total)
    return Stability(index, float(chdtrc(num_bins - 1, statistic)), num_bins)
