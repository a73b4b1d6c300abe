"""Table 2: how well each set of features, or each network, predicts the phenotypes of test."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.embedding.patients import EvaluationSplit, fill_demographics
from ptacl_core.evaluate import (
    REGRESSION_FIGURES,
    BootstrapInterval,
    RegressionTerms,
    Resamples,
    fit_linear_probe,
    summarise_draws,
)
from ptacl_core.records import PHENOTYPE_NAMES

DEMOGRAPHICS = "demographics"
LINEAR_PROBE = "LP"
_NUM_TARGETS = len(PHENOTYPE_NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class RowPredictions:
    """What one row of Table 2 predicts for the test patients, in the phenotypes' units."""

    key: str
    modality: str
    predicted: Float64[Array, "row target"]


class TableTwo:
    """One row after another, every figure on the same resampled patients.

    The first row is that of demographics only: ΔR² of the others is over it.
    """

    def __init__(self, train: EvaluationSplit, test: EvaluationSplit, resamples: Resamples) -> None:
        self.train, self.test = train, test
        self.rows: list[dict[str, Any]] = []
        self.predictions: list[RowPredictions] = []
        self._resamples = resamples
        sex = np.asarray(test.sex)
        self._sexes = {key: np.flatnonzero(sex == key) for key in ("F", "M")}
        self._reference: tuple[np.ndarray, np.ndarray] | None = None
        self.add_probe(
            DEMOGRAPHICS,
            "Demographics only",
            "covariates",
            fill_demographics(train, train),
            fill_demographics(test, train),
        )

    def add_probe(
        self, key: str, name: str, modality: str, train_features: Array, test_features: Array
    ) -> None:
        """Fit a linear probe on train and append the row of its predictions on test."""
        probe = fit_linear_probe(train_features, self.train.phenotypes)
        self.add_predictions(key, name, modality, LINEAR_PROBE, probe.predict(test_features))

    def add_predictions(
        self,
        key: str,
        name: str,
        modality: str,
        evaluation: str,
        predicted: Float64[Array, "row target"],
    ) -> None:
        """Append the row of given predictions; `evaluation` is how they were made (LP, FN …)."""
        terms = RegressionTerms(self.test.phenotypes, predicted)
        estimate = terms.figures(terms.terms.sum(axis=0))
        draws = terms.figures(self._resamples.sums(terms.terms))
        interval = summarise_draws(estimate, draws)
        r2 = (estimate[:_NUM_TARGETS], draws[:, :_NUM_TARGETS])
        if self._reference is None:
            self._reference = r2
        cells = _cells(interval)
        difference = summarise_draws(r2[0] - self._reference[0], r2[1] - self._reference[1])
        within = {
            sex: self._within(rows, predicted) for sex, rows in self._sexes.items() if len(rows)
        }
        for column, cell in enumerate(cells):
            cell["delta_r2"] = None if key == DEMOGRAPHICS else _bounds(difference, column)
            cell["within_sex_r2"] = {sex: figures[column] for sex, figures in within.items()}
        mean = summarise_draws(r2[0].mean(), r2[1].mean(axis=1))
        mean_difference = summarise_draws(
            (r2[0] - self._reference[0]).mean(), (r2[1] - self._reference[1]).mean(axis=1)
        )
        self.rows.append(
            {
                "key": key,
                "name": name,
                "modality": modality,
                "evaluation": evaluation,
                "phenotypes": dict(zip(PHENOTYPE_NAMES, cells, strict=True)),
                "mean": {
                    "r2": finite(mean.estimate),
                    "low": finite(mean.low),
                    "high": finite(mean.high),
                    "delta_r2": None if key == DEMOGRAPHICS else _bounds(mean_difference),
                },
            }
        )
        self.predictions.append(RowPredictions(key, modality, predicted))

    def figures(self, key: str) -> dict[str, dict[str, Any]]:
        """The cells of one row."""
        return next(row["phenotypes"] for row in self.rows if row["key"] == key)

    def predicted(self, key: str) -> Float64[Array, "row target"]:
        """The predictions of one row."""
        return next(each.predicted for each in self.predictions if each.key == key)

    def _within(
        self, rows: np.ndarray, predicted: Float64[Array, "row target"]
    ) -> list[dict[str, Any]]:
        """R² among some of the patients, about their own mean."""
        terms = RegressionTerms(self.test.phenotypes[rows], predicted[rows])
        interval = self._resamples.take(rows).interval(terms.terms, terms.r2)
        counts = np.isfinite(self.test.phenotypes[rows]).sum(axis=0)
        return [
            {**_bounds(interval, column), "n": int(counts[column])}
            for column in range(_NUM_TARGETS)
        ]


def finite(value: Any) -> float | None:
    """A number for JSON: None where it is not defined."""
    return float(value) if np.isfinite(value) else None


def _cells(interval: BootstrapInterval) -> list[dict[str, Any]]:
    """One dictionary per phenotype, R² with its bounds as `low` and `high`."""
    estimate, low, high = (
        values.reshape(len(REGRESSION_FIGURES), _NUM_TARGETS)
        for values in (interval.estimate, interval.low, interval.high)
    )
    cells = []
    for column in range(_NUM_TARGETS):
        cell: dict[str, Any] = {
            "r2": finite(estimate[0, column]),
            "low": finite(low[0, column]),
            "high": finite(high[0, column]),
        }
        for index, name in enumerate(REGRESSION_FIGURES[1:-1], start=1):
            cell[name] = finite(estimate[index, column])
            cell[f"{name}_low"] = finite(low[index, column])
            cell[f"{name}_high"] = finite(high[index, column])
        cell["n"] = int(estimate[-1, column])
        cells.append(cell)
    return cells


def _bounds(interval: BootstrapInterval, index: int | tuple[()] = ()) -> dict[str, Any]:
    return {
        "value": finite(interval.estimate[index]),
        "low": finite(interval.low[index]),
        "high": finite(interval.high[index]),
    }
