"""Tests for figures of the same patients: dependent correlations, an ordering of methods."""

import math
from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError


class TestOutcome(NamedTuple):
    """A test statistic and its p-value."""

    statistic: float
    p_value: float


def williams_test(
    r_first: float, r_second: float, r_between: float, num_patients: int
) -> TestOutcome:
    """Are two models' correlations with the same labels equal (Williams 1959, two-sided).

    `r_first` and `r_second` are each model's correlation with the labels, `r_between` that of
    the two predictions. Fisher's test for independent samples would be wrong here.
    """
    from scipy.special import stdtr

    if num_patients < 4:
        raise EvaluationError(f"Williams' test needs at least 4 patients, got {num_patients}")
    determinant = (
        1.0 - r_first**2 - r_second**2 - r_between**2 + 2.0 * r_first * r_second * r_between
    )
    mean = 0.5 * (r_first + r_second)
    degrees = num_patients - 3
    variance = 2.0 * (num_patients - 1) / degrees * determinant + mean**2 * (1.0 - r_between) ** 3
    if variance <= 0 or r_between >= 1.0:
        raise EvaluationError("the two predictions are the same: their correlations cannot differ")
    statistic = (r_first - r_second) * math.sqrt((num_patients - 1) * (1.0 + r_between) / variance)
    return TestOutcome(statistic, float(2.0 * stdtr(degrees, -abs(statistic))))


def page_trend(scores: Float64[Array, "block method"]) -> TestOutcome:
    """Do methods, given in the expected rising order, rise over all blocks (Page 1963).

    Blocks are phenotypes times seeds. One-sided, normal approximation of L with mid-ranks.
    """
    from scipy.special import ndtr
    from scipy.stats import rankdata

    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] < 3 or np.isnan(table).any():
        raise EvaluationError(
            f"expected at least 2 blocks x 3 methods without gaps, got shape {table.shape}"
        )
    num_blocks, num_methods = table.shape
    ranks = rankdata(table, axis=1)
    statistic = float((ranks.sum(axis=0) * np.arange(1, num_methods + 1)).sum())
    mean = num_blocks * num_methods * (num_methods + 1) ** 2 / 4.0
    variance = num_blocks * num_methods**2 * (num_methods + 1) * (num_methods**2 - 1) / 144.0
    return TestOutcome(statistic, float(ndtr(-(statistic - mean) / math.sqrt(variance))))
