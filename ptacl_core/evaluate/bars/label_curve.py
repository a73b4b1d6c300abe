"""R² by number of labels: what features are worth where few patients have a CMR."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.bars.ridge import Ridge
from ptacl_core.evaluate.labels import EvaluationError

LABEL_COUNTS = (50, 100, 300, 1000)
"""Numbers of labelled training patients; beside them, all there are."""

NUM_DRAWS = 5
_DRAW_SEED = 20260


@dataclass(frozen=True, slots=True, eq=False)
class LabelPoint:
    """Predictions on test from `num_labels` labelled patients, one per draw of them."""

    num_labels: int
    is_all: bool
    predicted: Float64[Array, "draw test target"]


@dataclass(frozen=True, slots=True, eq=False)
class LabelCurve:
    """Points by rising number of labels; the last has all."""

    points: tuple[LabelPoint, ...]

    @property
    def with_all(self) -> Float64[Array, "test target"]:
        """Predictions from all labelled patients."""
        return self.points[-1].predicted[0]


def measure_label_curve(
    ridge: Ridge,
    targets: Float64[Array, "train target"],
    *,
    counts: Sequence[int] = LABEL_COUNTS,
    num_draws: int = NUM_DRAWS,
) -> LabelCurve:
    """Predictions of ridge by number of labels.

    A labelled patient has any target. Draw d takes the same patients for every set of features,
    and smaller counts lie within larger ones; all are fitted once. Counts at or above the
    number of labelled patients are left out.

    Raises:
        EvaluationError: no labelled patient, or a count below 2.
    """
    if any(count < 2 for count in counts):
        raise EvaluationError(f"counts: expected at least 2 labels each, got {tuple(counts)}")
    labelled = np.flatnonzero(np.isfinite(targets).any(axis=1))
    if not len(labelled):
        raise EvaluationError("targets: no patient of train has a label")
    orders = [
        labelled[np.random.default_rng([_DRAW_SEED, draw]).permutation(len(labelled))]
        for draw in range(num_draws)
    ]
    points = [
        LabelPoint(
            count,
            False,
            np.stack([ridge.predict(targets, labelled=order[:count]) for order in orders]),
        )
        for count in sorted(counts)
        if count < len(labelled)
    ]
    everyone = ridge.predict(targets, labelled=labelled)[None]
    return LabelCurve((*points, LabelPoint(len(labelled), True, everyone)))


def labels_needed(
    score: float, counts: Sequence[int], scores: Sequence[float]
) -> tuple[float, bool]:
    """How many labels a curve needs to reach `score`, and whether it ever does.

    Linear in R² over the logarithm of the number between the curve's points, of which the
    running maximum counts. A score above all of them needs more than the last number (returned
    with False); one below the first needs at most the first number.
    """
    best = np.maximum.accumulate(np.asarray(scores, np.float64))
    logs = np.log(np.asarray(counts, np.float64))
    if not score <= best[-1]:
        return float(counts[-1]), False
    place = int(np.argmax(best >= score))
    if place == 0:
        return float(counts[0]), True
    low, high = best[place - 1], best[place]
    share = (score - low) / (high - low)
    return float(np.exp(logs[place - 1] + share * (logs[place] - logs[place - 1]))), True
