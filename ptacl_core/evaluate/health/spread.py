"""How many directions embeddings use, and how alike different patients look in them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array
from ptacl_core.evaluate.labels import EvaluationError, as_features


@dataclass(frozen=True, slots=True)
class SpreadFigures:
    """The spread of one set of embeddings over patients.

    `effective_rank` is between 1 and the width, `first_share` the share of the variance in the
    first direction, `mean_cosine` the mean cosine of different patients (1: all alike).
    """

    effective_rank: float
    first_share: float
    mean_cosine: float
    num_patients: int


def effective_rank(features: Float[Array, "patient dim"]) -> float:
    """Effective rank of the features about their mean (Roy and Vetterli 2007, of the variances).

    exp(-sum p_i ln p_i), p_i the eigenvalues of the covariance divided by their sum: `dim` for
    equal variances, 1 where all patients lie on one line; 1 as well where they are all equal.
    """
    return _effective_rank(_variance_shares(as_features(features, name="features")))


def measure_spread(features: Float[Array, "patient dim"]) -> SpreadFigures:
    """Effective rank, share of the first direction and mean cosine between patients.

    Raises EvaluationError for fewer than two patients, or features that are not finite.
    """
    matrix = as_features(features, name="features")
    if len(matrix) < 2:
        raise EvaluationError(f"features: a spread needs at least two patients, got {len(matrix)}")
    shares = _variance_shares(matrix)
    return SpreadFigures(
        effective_rank=_effective_rank(shares),
        first_share=float(shares[0]) if shares.size else 1.0,
        mean_cosine=_mean_cosine(matrix),
        num_patients=len(matrix),
    )


def _variance_shares(matrix: np.ndarray) -> np.ndarray:
    """Shares of the variance by principal direction, greatest first; empty without variance."""
    centred = matrix - matrix.mean(axis=0)
    power = np.linalg.svd(centred, compute_uv=False) ** 2
    total = power.sum()
    rounding = np.square(np.finfo(np.float64).eps * np.abs(matrix).max(initial=0.0)) * matrix.size
    return power / total if total > rounding else np.empty(0)


def _effective_rank(shares: np.ndarray) -> float:
    present = shares[shares > 0]
    return float(np.exp(-(present * np.log(present)).sum()))


def _mean_cosine(matrix: np.ndarray) -> float:
    """Mean over pairs of different rows, from the length of the sum of the unit vectors."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    units = matrix / np.where(length > 0, length, 1.0)
    count = len(units)
    together = float(np.square(units.sum(axis=0)).sum() - np.square(units).sum())
    return together / (count * (count - 1))
