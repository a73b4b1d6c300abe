"""Ridge and logistic regression on standardised features, penalty chosen on people left out.

Both give coefficients for the features as they are, so that a stored probe is a vector and a
number. Folds hold whole people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.evaluate.labels import EvaluationError, apply_probe, as_features

RIDGE_PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Per person and squared SD of a feature, summed over features."""

INVERSE_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""C of the logistic regression, per person."""

NUM_FOLDS = 5
_FOLD_SEED = 20_26
_MAX_ITERATIONS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class SingleProbe:
    """A line in the features: a value, or the log-odds of an event."""

    coefficients: Float64[Array, " dim"]
    intercept: float

    def score(self, features: Float64[Array, "row dim"]) -> Float64[Array, " row"]:
        """The line at each row. Raises EvaluationError for another width."""
        return apply_probe(features, self.coefficients, self.intercept)


def fit_ridge_probe(
    features: Float64[Array, "row dim"],
    values: Float64[Array, " row"],
    people: Sequence[str] | Array,
) -> SingleProbe:
    """Ridge with the penalty of the least squared error on people left out.

    Raises EvaluationError for fewer than two people, or shapes that do not fit.
    """
    matrix, mean, scale = _standardise(features)
    labels = np.asarray(values, np.float64)
    fold = assign_folds(people)
    errors = np.zeros(len(RIDGE_PENALTIES))
    for index in range(fold.max() + 1):
        out = fold == index
        for place, penalty in enumerate(RIDGE_PENALTIES):
            slope, offset = _solve_ridge(matrix[~out], labels[~out], penalty)
            errors[place] += np.square(labels[out] - matrix[out] @ slope - offset).sum()
    slope, offset = _solve_ridge(matrix, labels, RIDGE_PENALTIES[int(errors.argmin())])
    return _unscale(slope, offset, mean, scale)


def fit_logistic_probe(
    features: Float64[Array, "row dim"],
    events: Float64[Array, " row"],
    people: Sequence[str] | Array,
) -> SingleProbe:
    """Log-odds by L2 logistic regression, its penalty chosen by log loss on people left out.

    Raises EvaluationError for fewer than two people, or events all on one side.
    """
    matrix, mean, scale = _standardise(features)
    has_event = np.asarray(events, np.float64) > 0.5
    if has_event.all() or not has_event.any():
        raise EvaluationError("a probe of an event needs people with and without it")
    fold = assign_folds(people)
    losses = np.zeros(len(INVERSE_PENALTIES))
    for index in range(fold.max() + 1):
        out = fold == index
        if has_event[~out].all() or not has_event[~out].any():
            continue
        for place, inverse in enumerate(INVERSE_PENALTIES):
            slope, offset = _solve_logistic(matrix[~out], has_event[~out], inverse)
            sign = np.where(has_event[out], 1.0, -1.0)
            losses[place] += np.logaddexp(0.0, -sign * (matrix[out] @ slope + offset)).sum()
    best = INVERSE_PENALTIES[int(losses.argmin())]
    return _unscale(*_solve_logistic(matrix, has_event, best), mean, scale)


def assign_folds(people: Sequence[str] | Array) -> Int64[Array, " row"]:
    """The fold of each row, people whole, in an order that does not follow their names.

    Raises EvaluationError for fewer than two people.
    """
    names, owner = np.unique(np.asarray(people), return_inverse=True)
    if len(names) < 2:
        raise EvaluationError(f"a probe needs at least two people, got {len(names)}")
    order = np.random.default_rng(_FOLD_SEED).permutation(len(names))
    return (order % min(NUM_FOLDS, len(names)))[owner]


def _standardise(
    features: Float64[Array, "row dim"],
) -> tuple[Float64[Array, "row dim"], Float64[Array, " dim"], Float64[Array, " dim"]]:
    matrix = as_features(features, name="features").astype(np.float64)
    mean, sd = matrix.mean(axis=0), matrix.std(axis=0)
    # what is constant up to rounding carries nothing; scaled up it would be noise
    scale = np.where(sd > 1e-6 * np.maximum(np.abs(mean), 1e-30), sd, np.inf)
    return (matrix - mean) / scale, mean, scale


def _solve_ridge(
    matrix: Float64[Array, "row dim"], labels: Float64[Array, " row"], penalty: float
) -> tuple[Float64[Array, " dim"], float]:
    centre, offset = matrix.mean(axis=0), float(labels.mean())
    kept = matrix - centre
    gram = kept.T @ kept
    gram[np.diag_indices_from(gram)] += penalty * len(matrix)
    slope = np.linalg.solve(gram, kept.T @ (labels - offset))
    return slope, offset - float(centre @ slope)


def _solve_logistic(
    matrix: Float64[Array, "row dim"], has_event: Array, inverse: float
) -> tuple[Float64[Array, " dim"], float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=inverse, max_iter=_MAX_ITERATIONS)
    model.fit(matrix, has_event)
    coefficients = np.asarray(model.coef_, np.float64).ravel()
    return coefficients, float(np.asarray(model.intercept_).ravel()[0])


def _unscale(
    slope: Float64[Array, " dim"],
    offset: float,
    mean: Float64[Array, " dim"],
    scale: Float64[Array, " dim"],
) -> SingleProbe:
    coefficients = slope / scale
    return SingleProbe(coefficients, offset - float(mean @ coefficients))
