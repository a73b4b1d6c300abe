"""How many labels a probe needs: R² on test when only a share of train is labelled."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError
from ptacl_core.evaluate.linear_probe import linear_probe_r2

SHARES = (0.01, 0.03, 0.1, 0.3, 1.0)
NUM_DRAWS = 5
_DRAW_SEED = 20260


@dataclass(frozen=True, slots=True, eq=False)
class LabelShare:
    """R² of probes fitted on one share of the training patients, over several draws.

    `r2` is [draw, target]; it is empty where the share has too few patients to determine a
    probe, and then `why_skipped` says so.
    """

    share: float
    num_patients: int
    r2: Float64[Array, "draw target"]
    why_skipped: str | None = None


def label_efficiency(
    train_features: Float64[Array, "train dim"],
    train_targets: Float64[Array, "train target"],
    test_features: Float64[Array, "test dim"],
    test_targets: Float64[Array, "test target"],
    *,
    shares: tuple[float, ...] = SHARES,
    num_draws: int = NUM_DRAWS,
) -> list[LabelShare]:
    """Held-out R² of the linear probe by share of train that is labelled.

    Draw d takes the same patients for every encoder, and smaller shares lie within larger
    ones; the whole of train is fitted once. A share must have more patients than the probe
    has coefficients.

    Raises:
        EvaluationError: a share outside (0, 1].
    """
    if not all(0 < share <= 1 for share in shares):
        raise EvaluationError(f"shares: expected values in (0, 1], got {shares}")
    num_train, dim = train_features.shape
    orders = [
        np.random.default_rng([_DRAW_SEED, draw]).permutation(num_train)
        for draw in range(num_draws)
    ]
    curve = []
    for share in shares:
        count = round(share * num_train)
        if count <= dim + 1:
            reason = f"{count} patients for the {dim + 1} coefficients of the probe"
            empty = np.empty((0, train_targets.shape[1]))
            curve.append(LabelShare(share, count, empty, reason))
            continue
        chosen = [order[:count] for order in (orders if share < 1 else orders[:1])]
        scores = [
            linear_probe_r2(train_features[rows], train_targets[rows], test_features, test_targets)
            for rows in chosen
        ]
        curve.append(LabelShare(share, count, np.stack(scores)))
    return curve
