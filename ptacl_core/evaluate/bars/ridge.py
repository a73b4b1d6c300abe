"""Ridge regression with inner folds, for any number of labels on one set of features."""

from functools import cached_property

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.evaluate.labels import EvaluationError, as_targets

PENALTIES = tuple(10.0**power for power in range(-4, 3))
"""Tried on the features scaled to mean square length 1 per patient."""

NUM_FOLDS = 5


class Ridge:
    """Ridge on features of train, predicting test; each target has its own penalty.

    Features are scaled to SD 1 over all training patients, labelled or not, and divided by
    the root of their number; absent ones (NaN) take the training mean. The penalty of a target
    has the best R² over five inner folds of its labelled patients. An intercept and the
    `covariates` are fitted without a penalty, which makes the model with covariates only a
    part of the one with features.

    Raises:
        EvaluationError: features or covariates whose shapes do not fit.
    """

    def __init__(
        self,
        train_features: Float[Array, "train dim"],
        test_features: Float[Array, "test dim"],
        *,
        train_covariates: Float[Array, "train covariate"] | None = None,
        test_covariates: Float[Array, "test covariate"] | None = None,
    ) -> None:
        train, test = np.asarray(train_features, np.float64), np.asarray(test_features, np.float64)
        if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
            raise EvaluationError(
                f"ridge: expected [patient, dim] of one width, got {train.shape} and {test.shape}"
            )
        self._train, self._test = _standardise(train, test)
        self._fixed = _with_intercept(train_covariates, len(train))
        self._fixed_test = _with_intercept(test_covariates, len(test))
        if self._fixed.shape[1] != self._fixed_test.shape[1]:
            raise EvaluationError(
                f"ridge: train has {self._fixed.shape[1] - 1} covariates, "
                f"test {self._fixed_test.shape[1] - 1}"
            )

    def predict(
        self,
        targets: Float[Array, "train target"],
        *,
        labelled: Int64[Array, " labelled"] | None = None,
    ) -> Float64[Array, "test target"]:
        """Predictions on test from the labels of `labelled` training patients (None: all).

        A target with fewer than two labels among them is NaN.
        """
        labels = as_targets(np.asarray(targets), name="targets", num_patients=len(self._train))
        chosen = np.arange(len(labels)) if labelled is None else np.asarray(labelled)
        predicted = np.full((len(self._test), labels.shape[1]), np.nan)
        is_present = np.isfinite(labels[chosen])
        patterns: dict[bytes, list[int]] = {}
        for column in range(labels.shape[1]):
            patterns.setdefault(is_present[:, column].tobytes(), []).append(column)
        for columns in patterns.values():
            rows = chosen[is_present[:, columns[0]]]
            if len(rows) >= 2:
                predicted[:, columns] = self._predict(rows, labels[rows][:, columns])
        return predicted

    def _predict(
        self, rows: Int64[Array, " labelled"], labels: Float64[Array, "labelled target"]
    ) -> Float64[Array, "test target"]:
        penalties = self._choose_penalties(rows, labels)
        solved = self._solve(rows, labels, None)
        predicted = np.empty((len(self._test), labels.shape[1]))
        for penalty in np.unique(penalties):
            columns = np.flatnonzero(penalties == penalty)
            predicted[:, columns] = solved(float(penalty))[:, columns]
        return predicted

    def _choose_penalties(
        self, rows: Int64[Array, " labelled"], labels: Float64[Array, "labelled target"]
    ) -> Float64[Array, " target"]:
        """The penalty of each target with the least squared error on patients left out."""
        folds = min(NUM_FOLDS, len(rows))
        fold = np.arange(len(rows)) % folds
        error = np.zeros((len(PENALTIES), labels.shape[1]))
        for index in range(folds):
            out = fold == index
            solved = self._solve(rows[~out], labels[~out], rows[out])
            for place, penalty in enumerate(PENALTIES):
                error[place] += np.square(labels[out] - solved(penalty)).sum(axis=0)
        return np.asarray(PENALTIES)[error.argmin(axis=0)]

    def _solve(
        self,
        rows: Int64[Array, " labelled"],
        labels: Float64[Array, "labelled target"],
        new: Int64[Array, " new"] | None,
    ) -> "_Solved":
        """Ready to predict the training patients `new`, or test (None), at any penalty."""
        fixed = self._fixed[rows]
        fixed_new = self._fixed_test if new is None else self._fixed[new]
        inverse = np.linalg.pinv(fixed)
        offset = fixed_new @ (inverse @ labels)
        left_over = labels - fixed @ (inverse @ labels)
        weights = fixed_new @ inverse
        if len(rows) > self._train.shape[1]:
            kept = self._train[rows] - fixed @ (inverse @ self._train[rows])
            others = self._test if new is None else self._train[new]
            others = others - weights @ self._train[rows]
            return _Solved(offset, kept.T @ kept, kept.T @ left_over, others)
        kernel = self._kernel(rows, rows)
        across = self._kernel(rows, new).T - weights @ kernel
        across -= (across @ fixed) @ inverse
        kernel = kernel - fixed @ (inverse @ kernel)
        kernel -= (kernel @ fixed) @ inverse
        return _Solved(offset, 0.5 * (kernel + kernel.T), left_over, across)

    def _kernel(
        self, rows: Int64[Array, " labelled"], new: Int64[Array, " new"] | None
    ) -> Float64[Array, "labelled new"]:
        """Inner products; those of all training patients are kept where they are the shorter."""
        if len(self._train) > 2 * self._train.shape[1]:
            others = self._test if new is None else self._train[new]
            return self._train[rows] @ others.T
        if new is None:
            return self._with_test[rows]
        return self._within_train[np.ix_(rows, new)]

    @cached_property
    def _within_train(self) -> Float64[Array, "train train"]:
        return self._train @ self._train.T

    @cached_property
    def _with_test(self) -> Float64[Array, "train test"]:
        return self._train @ self._test.T


class _Solved:
    """Normal equations of one set of patients, solved for one penalty after another."""

    def __init__(
        self,
        offset: Float64[Array, "new target"],
        gram: Float64[Array, "size size"],
        moment: Float64[Array, "size target"],
        others: Float64[Array, "new size"],
    ) -> None:
        self._offset, self._gram, self._moment, self._others = offset, gram, moment, others

    def __call__(self, penalty: float) -> Float64[Array, "new target"]:
        """Predictions at `penalty`."""
        from scipy.linalg import cho_factor, cho_solve

        gram = self._gram.copy()
        gram[np.diag_indices_from(gram)] += penalty
        factor = cho_factor(gram, overwrite_a=True, check_finite=False)
        solution = cho_solve(factor, self._moment, check_finite=False)
        return self._offset + self._others @ solution


def _standardise(
    train: Float64[Array, "train dim"], test: Float64[Array, "test dim"]
) -> tuple[Float64[Array, "train dim"], Float64[Array, "test dim"]]:
    is_known = np.isfinite(train)
    count = np.maximum(is_known.sum(axis=0), 1)
    mean = np.where(is_known, train, 0.0).sum(axis=0) / count
    centred = np.where(is_known, train - mean, 0.0)
    sd = np.sqrt(np.square(centred).sum(axis=0) / count)
    # A feature that is constant up to rounding carries nothing; scaled up it would be noise.
    scale = np.where(sd > 1e-6 * np.maximum(np.abs(mean), 1e-30), sd, np.inf)
    scale = scale * np.sqrt(train.shape[1])
    return centred / scale, np.where(np.isfinite(test), test - mean, 0.0) / scale


def _with_intercept(covariates: np.ndarray | None, count: int) -> Float64[Array, "patient fixed"]:
    ones = np.ones((count, 1))
    if covariates is None:
        return ones
    values = np.asarray(covariates, np.float64)
    if values.ndim != 2 or len(values) != count or not np.isfinite(values).all():
        raise EvaluationError(
            f"ridge: expected finite covariates [{count} patients, covariate], got {values.shape}"
        )
    return np.hstack([ones, values])
