"""Who is predicted worse: the aligned ECG by sex, age, body mass, rate, rhythm and quality."""

from typing import Literal

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.documents.figures import finite
from ptacl_core.documents.uncertainty import Gap, Subgroup, SubgroupCell, Subgroups
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate import (
    REGRESSION_FIGURES,
    RegressionTerms,
    Resamples,
    name_age_bands,
    name_bmi_bands,
)
from ptacl_core.records import PHENOTYPE_NAMES

MIN_PATIENTS = 20
"""Groups smaller than this are shown, and take no part in the worst gap."""

Figure = Literal["r2", "mean_absolute_error", "bias"]
_SHOWN: tuple[Figure, ...] = ("r2", "mean_absolute_error", "bias")


def evaluate_subgroups(
    test: EvaluationSplit, predicted: Float64[Array, "row target"], resamples: Resamples
) -> Subgroups:
    """Section `subgroups`.

    R² is about the group's own mean and shrinks where a group varies little; mean absolute
    error and bias do not. `worst_gap` is, per figure, the largest difference between two groups
    of one grouping over all phenotypes, errors in SD of the phenotype over the test patients.
    """
    groupings = {
        grouping: {
            group: Subgroup(n=len(rows), phenotypes=_measure(test, predicted, rows, resamples))
            for group, rows in _members(keys).items()
        }
        for grouping, keys in name_groupings(test).items()
    }
    worst_gap = _find_worst(groupings, test)
    return Subgroups.model_validate({**groupings, "worst_gap": worst_gap})


def name_groupings(test: EvaluationSplit) -> dict[str, list[str]]:
    """A group per patient under each grouping."""
    return {
        "sex": [key or "unknown" for key in test.sex],
        "age": name_age_bands(test.covariates[:, 1]),
        "bmi": name_bmi_bands(test.covariates[:, 4]),
        "heart_rate": _name_tertiles(test.heart_rate_bpm),
        "rhythm": ["irregular" if flag else "regular" for flag in test.is_irregular.tolist()],
        "quality": ["warning" if flag else "good" for flag in test.has_warning.tolist()],
    }


def _name_tertiles(heart_rate_bpm: Float64[Array, " row"]) -> list[str]:
    known = heart_rate_bpm[np.isfinite(heart_rate_bpm)]
    if not known.size:
        return ["unknown"] * len(heart_rate_bpm)
    low, high = np.quantile(known, [1 / 3, 2 / 3])
    names = (f"<{low:.0f} bpm", f"{low:.0f}-{high:.0f} bpm", f">{high:.0f} bpm")
    return [
        "unknown" if not np.isfinite(rate) else names[int(rate >= low) + int(rate > high)]
        for rate in heart_rate_bpm.tolist()
    ]


def _members(keys: list[str]) -> dict[str, Int64[Array, " row"]]:
    array = np.asarray(keys)
    return {str(key): np.flatnonzero(array == key) for key in np.unique(array)}


def _measure(
    test: EvaluationSplit,
    predicted: Float64[Array, "row target"],
    rows: Int64[Array, " row"],
    resamples: Resamples,
) -> dict[str, SubgroupCell]:
    terms = RegressionTerms(test.phenotypes[rows], predicted[rows])
    interval = resamples.take(rows).interval(terms.terms, terms.figures)
    shape = (len(REGRESSION_FIGURES), len(PHENOTYPE_NAMES))
    estimate, low, high = (
        values.reshape(shape) for values in (interval.estimate, interval.low, interval.high)
    )
    cells: dict[str, SubgroupCell] = {}
    for column, name in enumerate(PHENOTYPE_NAMES):
        cell: dict[str, float | None] = {}
        for figure in _SHOWN:
            index = REGRESSION_FIGURES.index(figure)
            prefix = "" if figure == "r2" else f"{figure}_"
            cell[figure] = finite(estimate[index, column])
            cell[f"{prefix}low"] = finite(low[index, column])
            cell[f"{prefix}high"] = finite(high[index, column])
        cells[name] = SubgroupCell.model_validate({**cell, "n": int(estimate[-1, column])})
    return cells


def _find_worst(
    groupings: dict[str, dict[str, Subgroup]], test: EvaluationSplit
) -> dict[str, Gap | None]:
    """Per figure the largest gap; None where no grouping has two groups of 20 patients."""
    sd = {
        name: float(np.std(values[np.isfinite(values)])) if np.isfinite(values).any() else 0.0
        for name, values in zip(PHENOTYPE_NAMES, test.phenotypes.T, strict=True)
    }
    worst: dict[str, Gap | None] = {}
    for figure in _SHOWN:
        gaps = [
            gap
            for grouping, groups in groupings.items()
            for name in PHENOTYPE_NAMES
            if (gap := _gap(grouping, groups, name, figure, sd[name])) is not None
        ]
        key = "r2" if figure == "r2" else f"{figure}_sd"
        worst[key] = max(gaps, key=lambda gap: gap.gap) if gaps else None
    return worst


def _gap(
    grouping: str, groups: dict[str, Subgroup], name: str, figure: Figure, sd: float
) -> Gap | None:
    values: dict[str, float] = {}
    for group, entry in groups.items():
        cell = entry.phenotypes[name]
        value = getattr(cell, figure)
        if group != "unknown" and cell.n >= MIN_PATIENTS and value is not None:
            values[group] = value
    if len(values) < 2 or sd <= 0:
        return None
    lowest, highest = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    unit = 1.0 if figure == "r2" else sd
    return Gap(
        grouping=grouping,
        phenotype=name,
        lowest_group=lowest,
        lowest=values[lowest] / unit,
        highest_group=highest,
        highest=values[highest] / unit,
        gap=(values[highest] - values[lowest]) / unit,
    )
