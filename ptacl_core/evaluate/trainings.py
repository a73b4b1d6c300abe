"""Several trainings of one method: their seeds are resampled together with the patients.

A difference between two methods has two sources of chance: which patients were tested, and
which training was drawn. A hierarchical bootstrap draws both (Davison and Hinkley 1997, §3.8).
"""

from typing import Literal, get_args

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.intervals import judge_difference
from ptacl_core.evaluate.labels import EvaluationError

FULL_NUM_TRAININGS = 5
"""Trainings from which on a difference may be called separated without a reservation."""

MIN_NUM_TRAININGS = 3
"""Trainings from which on a difference may be called separated on these trainings."""

TrainingVerdict = Literal[
    "separated",
    "separated on these trainings",
    "not separated",
    "reversed on these trainings",
    "reversed",
    "too few trainings",
    "not comparable",
]
VERDICTS: tuple[TrainingVerdict, ...] = get_args(TrainingVerdict)

_SEED = 20251


def draw_trainings(num_resamples: int, num_trainings: int) -> Float64[Array, "resample training"]:
    """How often each training is drawn in each resample, divided by their number.

    The same for every method with as many trainings, so that trainings with equal seeds stay
    paired. One training is always drawn.
    """
    if num_resamples < 1 or num_trainings < 1:
        raise EvaluationError(
            f"expected at least one resample and one training, got {num_resamples} and "
            f"{num_trainings}"
        )
    if num_trainings == 1:
        return np.ones((num_resamples, 1))
    generator = np.random.default_rng([_SEED, num_trainings])
    counts = generator.multinomial(
        num_trainings, np.full(num_trainings, 1.0 / num_trainings), size=num_resamples
    )
    return counts / num_trainings


def average_trainings(
    draws: Float64[Array, "training resample figure"],
) -> Float64[Array, "resample figure"]:
    """Mean over the trainings that each resample drew, of draws over resampled patients."""
    weights = draw_trainings(draws.shape[1], draws.shape[0])
    # A figure that is undefined in a resample for any training that was not drawn stays defined.
    weighted = np.where(weights.T[:, :, None] > 0, draws * weights.T[:, :, None], 0.0)
    return weighted.sum(axis=0)


def judge_trainings(
    low: float,
    high: float,
    *,
    num_trainings: int | None,
    p_value: float | None = None,
    alpha: float = 0.05,
) -> TrainingVerdict:
    """The verdict on a difference of methods, limited by how often they were trained.

    `num_trainings` is the smaller of the two methods' numbers; None where nothing was trained
    (two lines of linear algebra), which needs no seeds. Under five trainings the verdict says
    that it is about these trainings; under three there is none but "not separated".
    """
    verdict = judge_difference(low, high, p_value=p_value, alpha=alpha)
    if verdict == "not separated" or num_trainings is None or num_trainings >= FULL_NUM_TRAININGS:
        return verdict
    if num_trainings < MIN_NUM_TRAININGS:
        return "too few trainings"
    return (
        "separated on these trainings"
        if verdict == "separated"
        else ("reversed on these trainings")
    )
