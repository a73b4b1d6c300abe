"""Table 2: how well each set of features, or each network, predicts the phenotypes of test.

Evaluations (one training) and reproductions (several) build their rows here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.documents.figures import Bounded, Difference, finite
from ptacl_core.documents.table_two import (
    GroupR2,
    LabelPoint,
    MeanCell,
    PhenotypeCell,
    TableTwoRow,
)
from ptacl_core.evaluate import REGRESSION_FIGURES, RegressionTerms, Resamples, summarise_draws
from ptacl_core.evaluate.row_comparison import RowDifference, RowScores, compare_rows, score_row
from ptacl_core.evaluate.trainings import average_trainings
from ptacl_core.records import PHENOTYPE_NAMES

DEMOGRAPHICS = "demographics"
RANDOM = "random"
LINEAR_PROBE = "LP"
RIDGE = "ridge"
BAR_OF = {"ecg": "ridge-mean-beat", "cmr": "ridge-pixels"}
"""The line of linear algebra that rows of each modality are held against."""
FIGURES = (*PHENOTYPE_NAMES, "mean")
_NUM_TARGETS = len(PHENOTYPE_NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class RowPredictions:
    """What one row of Table 2 predicts for the test patients, in the phenotypes' units."""

    key: str
    modality: str
    predicted: Float64[Array, "row target"]


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What stands in a row beside its figures."""

    published: Mapping[str, float | None] = field(default_factory=dict)
    published_note: str = ""
    ceilings: Mapping[str, float] | None = None
    failures: tuple[str, ...] = ()
    note: str = ""
    label_curve: tuple[LabelPoint, ...] = ()
    weights_sha256: tuple[str | None, ...] = ()


NO_FACTS = RowFacts()


class TableTwo:
    """One row after another, every figure on the same resampled patients.

    The first row is that of demographics only, which the others are compared with.
    """

    def __init__(
        self,
        observed: Float64[Array, "row target"],
        sex: Sequence[str],
        resamples: Resamples,
        demographics: Float64[Array, "row target"],
    ) -> None:
        self.observed, self.resamples = observed, resamples
        self.predictions: list[RowPredictions] = []
        self.scores: dict[str, RowScores] = {}
        self._rows: list[TableTwoRow] = []
        named = np.asarray(sex)
        self._sexes = {key: np.flatnonzero(named == key) for key in ("F", "M")}
        note = RowFacts(note="sex, age, height, BMI; not in the paper")
        self.add(
            DEMOGRAPHICS, "Demographics only", "covariates", LINEAR_PROBE, demographics[None],
            is_trained=False, facts=note,
        )  # fmt: skip

    def add(
        self,
        key: str,
        name: str,
        modality: str,
        evaluation: str,
        predicted: Float64[Array, "training row target"],
        *,
        is_trained: bool,
        facts: RowFacts = NO_FACTS,
    ) -> None:
        """Append the row of given predictions, one set per training; `evaluation` is how made."""
        scores = score_row(self.observed, predicted, self.resamples, is_trained=is_trained)
        self.scores[key] = scores
        delta = None
        if key != DEMOGRAPHICS:
            delta = compare_rows(scores, self.scores[DEMOGRAPHICS])
        agreement = self._measure_agreement(predicted)
        within = {
            sex: self._within(rows, predicted) for sex, rows in self._sexes.items() if len(rows)
        }
        cells = _describe_scores(name, scores, delta, facts)
        phenotypes = {
            phenotype: PhenotypeCell.model_validate(
                {
                    **cells[column],
                    **agreement[column],
                    "within_sex_r2": {sex: figures[column] for sex, figures in within.items()},
                }
            )
            for column, phenotype in enumerate(PHENOTYPE_NAMES)
        }
        self._rows.append(
            TableTwoRow(
                key=key,
                name=name,
                modality=modality,
                evaluation=evaluation,
                num_trainings=scores.num_trainings,
                phenotypes=phenotypes,
                mean=MeanCell.model_validate(cells[-1]),
                failures=facts.failures,
                label_curve=facts.label_curve,
                published_note=facts.published_note,
                note=facts.note,
                weights_sha256=facts.weights_sha256,
            )
        )
        self.predictions.append(RowPredictions(key, modality, predicted.mean(axis=0)))

    def rows(self) -> tuple[TableTwoRow, ...]:
        """All rows, each with what it does not reach."""
        return tuple(
            row.model_copy(update={"remarks": self._find_remarks(row)}) for row in self._rows
        )

    def predicted(self, key: str) -> Float64[Array, "row target"]:
        """The predictions of one row."""
        return next(
            prediction.predicted for prediction in self.predictions if prediction.key == key
        )

    def _find_remarks(self, row: TableTwoRow) -> tuple[str, ...]:
        """Whether the row's mean R² lies below the untrained encoder's, or a line's."""
        if row.num_trainings is None or row.mean.r2 is None:
            return ()
        remarks = []
        for other in self._rows:
            is_random = other.key == f"{RANDOM}-{row.modality}"
            is_bar = other.key == BAR_OF.get(row.modality)
            value = other.mean.r2
            if other.key == row.key or not (is_random or is_bar) or value is None:
                continue
            if row.mean.r2 < value:
                remarks.append(f"below {other.name} ({value:.3f})")
        return tuple(remarks)

    def _measure_agreement(
        self, predicted: Float64[Array, "training row target"]
    ) -> list[dict[str, float | int | None]]:
        """Figures in units by phenotype, means over trainings, with their intervals."""
        terms = [RegressionTerms(self.observed, values) for values in predicted]
        estimate = np.mean([term.figures(term.terms.sum(axis=0)) for term in terms], axis=0)
        draws = np.stack([term.figures(self.resamples.sums(term.terms)) for term in terms])
        interval = summarise_draws(estimate, average_trainings(draws))
        shape = (len(REGRESSION_FIGURES), _NUM_TARGETS)
        value, low, high = (
            bounds.reshape(shape) for bounds in (interval.estimate, interval.low, interval.high)
        )
        cells = []
        for column in range(_NUM_TARGETS):
            cell: dict[str, float | int | None] = {"n": int(value[-1, column])}
            for index, name in enumerate(REGRESSION_FIGURES[1:-1], start=1):
                cell[name] = finite(value[index, column])
                cell[f"{name}_low"] = finite(low[index, column])
                cell[f"{name}_high"] = finite(high[index, column])
            cells.append(cell)
        return cells

    def _within(
        self, rows: np.ndarray, predicted: Float64[Array, "training row target"]
    ) -> list[GroupR2]:
        """R² among some of the patients, about their own mean."""
        chosen = self.resamples.take(rows)
        scores = score_row(self.observed[rows], predicted[:, rows], chosen)
        counts = np.isfinite(self.observed[rows]).sum(axis=0)
        low, high = scores.bound(0.025), scores.bound(0.975)
        return [
            GroupR2(
                value=finite(scores.mean[column]),
                low=finite(low[column]),
                high=finite(high[column]),
                n=int(counts[column]),
            )
            for column in range(_NUM_TARGETS)
        ]


def describe_difference(
    difference: RowDifference, *, untrained: Sequence[str] = ()
) -> dict[str, Difference]:
    """A paired difference by phenotype and on average, with Holm's p-values and verdicts.

    `untrained` are names of rows that have not learned: nothing is judged then.
    """
    why = f"not comparable: {' and '.join(untrained)} did not train" if untrained else None
    return {
        name: Difference(
            difference=finite(difference.difference[index]),
            low=finite(difference.low[index]),
            high=finite(difference.high[index]),
            p=finite(difference.p_value[index]),
            p_holm=finite(difference.adjusted_p[index]),
            verdict="not comparable" if untrained else difference.verdicts[index],
            why=why,
        )
        for index, name in enumerate(FIGURES)
    }


def bounded(scores: RowScores, index: int = -1) -> Bounded:
    """One figure of a row with its interval; the last is the mean."""
    return Bounded(
        value=finite(scores.mean[index]),
        low=finite(scores.bound(0.025)[index]),
        high=finite(scores.bound(0.975)[index]),
    )


def _describe_scores(
    name_of_row: str, scores: RowScores, delta: RowDifference | None, facts: RowFacts
) -> list[dict[str, object]]:
    """R² of each phenotype and of their mean, with spread, ceiling and the paper's figure."""
    columns = (scores.mean, scores.bound(0.025), scores.bound(0.975), scores.bootstrap_sd)
    untrained = [name_of_row] if facts.failures else []
    deltas = describe_difference(delta, untrained=untrained) if delta is not None else {}
    ceilings = dict(facts.ceilings or {})
    if ceilings:
        ceilings["mean"] = sum(ceilings.values()) / len(ceilings)
    cells: list[dict[str, object]] = []
    for index, name in enumerate(FIGURES):
        value, low, high, bootstrap_sd = (finite(column[index]) for column in columns)
        ceiling = ceilings.get(name)
        reached = value / ceiling if ceiling and value is not None and value >= 0 else None
        cells.append(
            {
                "r2": value,
                "low": low,
                "high": high,
                "seed_sd": finite(scores.seed_sd[index]),
                "bootstrap_sd": bootstrap_sd,
                "per_seed": tuple(finite(score) for score in scores.per_seed[:, index]),
                "delta_over_demographics": deltas.get(name),
                "published": facts.published.get(name),
                "ceiling": ceiling,
                "share_of_ceiling": reached,
            }
        )
    return cells
