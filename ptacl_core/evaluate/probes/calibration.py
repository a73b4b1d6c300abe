"""Calibrated probability of an event with an interval: Platt's sigmoid and its uncertainty.

On people whom the probe has not seen, the log-odds of the event are fitted as a line of the
probe's score, with Platt's targets (Platt 1999), which keep the line finite where the score parts
the two sides. The interval of a probability is that of the line at that score, from the line's
covariance by people: it says how well the calibration set knows the share of people with that
score who have the event. Two numbers and a covariance tell nothing of one person, which the steps
of an isotonic or Venn-Abers calibration would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError

MIN_EACH_SIDE = 5
"""Fewest people with the event, and without it, that a calibration is fitted on."""

_MAX_STEPS = 100
_RIDGE = 1e-6


class Probability(NamedTuple):
    """A probability and its interval, 0 to 1."""

    value: Float64[Array, " row"]
    low: Float64[Array, " row"]
    high: Float64[Array, " row"]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Log-odds = intercept + slope · (score - centre) / scale, with the covariance of both.

    `num_events` and `num_others` are the people behind it.
    """

    line: Float64[Array, " 2"]
    covariance: Float64[Array, "2 2"]
    centre: float
    scale: float
    num_events: int
    num_others: int

    def probability(self, score: Float64[Array, " row"], *, level: float) -> Probability:
        """The event's probability at each score, with its interval at `level`."""
        from scipy.special import expit, ndtri

        design = np.column_stack([np.ones(len(score)), (score - self.centre) / self.scale])
        middle = design @ self.line
        variance = np.einsum("ri,ij,rj->r", design, self.covariance, design)
        half = ndtri(0.5 * (1.0 + level)) * np.sqrt(np.maximum(variance, 0.0))
        return Probability(expit(middle), expit(middle - half), expit(middle + half))


def fit_calibration(
    score: Float64[Array, " row"], events: Float64[Array, " row"], people: Sequence[str] | Array
) -> Calibration:
    """The line from score to log-odds, with its covariance over people.

    Raises EvaluationError where fewer than five people are on one side.
    """
    from scipy.special import expit

    has_event = np.asarray(events, np.float64) > 0.5
    names = np.asarray(people)
    num_events, num_others = len(set(names[has_event])), len(set(names[~has_event]))
    if min(num_events, num_others) < MIN_EACH_SIDE:
        raise EvaluationError(
            f"a calibration needs {MIN_EACH_SIDE} people with the event and {MIN_EACH_SIDE} "
            f"without, got {num_events} and {num_others}"
        )
    centre, scale = float(score.mean()), max(float(score.std()), 1e-12)
    design = np.column_stack([np.ones(len(score)), (score - centre) / scale])
    rows_with, rows_without = int(has_event.sum()), int((~has_event).sum())
    wanted = np.where(has_event, (rows_with + 1.0) / (rows_with + 2.0), 1.0 / (rows_without + 2.0))
    line = np.zeros(2)
    for _ in range(_MAX_STEPS):
        probability = expit(design @ line)
        hessian = _hessian(design, probability)
        step = np.linalg.solve(hessian, design.T @ (wanted - probability) - _RIDGE * line)
        line = line + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-30))
        if np.abs(step).max() < 1e-10:
            break
    probability = expit(design @ line)
    inverse = np.linalg.inv(_hessian(design, probability))
    owner = np.unique(names, return_inverse=True)[1]
    by_person = np.zeros((int(owner.max()) + 1, 2))
    np.add.at(by_person, owner, design * (has_event - probability)[:, None])
    num_people = len(by_person)
    robust = inverse @ (by_person.T @ by_person) @ inverse * num_people / (num_people - 2)
    # several recordings of a person inflate the sandwich; few people deflate it: the wider stays
    wider = robust if np.trace(robust) > np.trace(inverse) else inverse
    return Calibration(line, wider, centre, scale, num_events, num_others)


def _hessian(
    design: Float64[Array, "row 2"], probability: Float64[Array, " row"]
) -> Float64[Array, "2 2"]:
    weight = probability * (1.0 - probability)
    return (design * weight[:, None]).T @ design + _RIDGE * np.eye(2)
