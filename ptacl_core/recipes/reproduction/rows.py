"""Table 2: every row over seeds, differences between rows, the expected order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.reproduction import (
    DEMOGRAPHICS,
    Comparison,
    Method,
    ReproductionPlan,
    ReproductionSize,
    name_run,
)
from ptacl_core.config.training import Modality
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import (
    EvaluationError,
    concordance_correlation,
    mean_absolute_error,
    page_trend,
    pearson_r,
    why_undefined,
)
from ptacl_core.evaluate.references import TABLE_2
from ptacl_core.evaluate.resampling import draw_resamples
from ptacl_core.evaluate.row_comparison import (
    RowDifference,
    RowScores,
    compare_rows,
    score_row,
)
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.stages.measure_row import RowFigures, load_row, predict_from_demographics

FIGURES = (*PHENOTYPE_NAMES, "mean")
RESAMPLING_SEED = 2025


@dataclass(frozen=True, slots=True, eq=False)
class ReproducedRow:
    """One row of Table 2 over all seeds."""

    key: str
    title: str
    modality: Modality
    evaluation: str
    published: str
    predicted: Float64[Array, "seed patient target"]
    scores: RowScores
    documents: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class TableTwoRows:
    """All rows on the test patients that they share."""

    patients: tuple[tuple[str, int], ...]
    observed: Float64[Array, "patient target"]
    rows: dict[str, ReproducedRow]
    demographics: RowScores
    """Baseline of the same probe on sex, age, height and BMI."""


def collect_rows(
    cohort_dir: Path,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    *,
    num_resamples: int,
) -> TableTwoRows:
    """Read every row of every seed and score them on the same resampled patients.

    Raises CohortError when rows share fewer than two test patients.
    """
    read = {
        (method.key, modality): [
            load_row(cohort_dir, name_run(size.name, seed, method.run), method.row(modality))
            for seed in seeds
        ]
        for method in methods
        for modality in method.modalities
    }
    demographics = predict_from_demographics(cohort_dir)
    patients = _shared_patients([demographics, *(row for rows in read.values() for row in rows)])
    resamples = draw_resamples(
        len(patients),
        num_resamples=num_resamples,
        generator=np.random.default_rng(RESAMPLING_SEED),
        patients=[name for name, _ in patients],
    )
    observed, baseline = _restrict(demographics, patients)
    rows = {}
    for method in methods:
        for modality in method.modalities:
            found = read[method.key, modality]
            predicted = np.stack([_restrict(row, patients)[1] for row in found])
            rows[method.row(modality)] = ReproducedRow(
                method.row(modality),
                method.title,
                modality,
                method.evaluation,
                method.published,
                predicted,
                score_row(observed, predicted, resamples),
                tuple(row.document for row in found),
            )
    return TableTwoRows(patients, observed, rows, score_row(observed, baseline[None], resamples))


def describe_rows(table: TableTwoRows, ceilings: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Rows of the document: R² with intervals, seed SD, agreement, the paper's figures."""
    described = [
        {
            "key": DEMOGRAPHICS,
            "title": "Demographics only",
            "modality": "none",
            "evaluation": "LP",
            "note": "sex, age, height, BMI; not in the paper",
            "figures": _describe_figures(table.demographics, {}, None),
        }
    ]
    for row in table.rows.values():
        published, note = _find_published(row)
        described.append(
            {
                "key": row.key,
                "title": row.title,
                "modality": row.modality,
                "evaluation": row.evaluation,
                "published_note": note,
                "figures": _describe_figures(
                    row.scores, published, _choose_ceiling(ceilings, row.modality)
                ),
                "agreement": _describe_agreement(table.observed, row.predicted),
                "delta_over_demographics": describe_difference(
                    compare_rows(row.scores, table.demographics)
                ),
                "label_efficiency": _average_curves(row.documents),
                "weights_sha256": [document["weights_sha256"] for document in row.documents],
            }
        )
    return described


def describe_comparisons(plan: ReproductionPlan, table: TableTwoRows) -> list[dict[str, Any]]:
    """The plan's differences of ECG rows that were reproduced, each with its verdict."""
    found = []
    for pair in plan.comparisons:
        first, second = (_find_scores(table, key) for key in (pair.first, pair.second))
        if first is not None and second is not None:
            found.append(_describe_comparison(pair, first, second))
    return found


def describe_trend(plan: ReproductionPlan, table: TableTwoRows) -> dict[str, Any]:
    """Page's test that R² rises along the plan's order, over phenotypes × seeds."""
    order = [f"{key}-ecg" for key in plan.trend.methods]
    document: dict[str, Any] = {"order": list(plan.trend.methods)}
    lacking = [key for key in order if key not in table.rows]
    if lacking:
        return {**document, "why_not": f"not reproduced: {', '.join(lacking)}"}
    scores = np.stack([table.rows[key].scores.per_seed[:, :-1] for key in order], axis=-1)
    blocks = scores.reshape(-1, len(order))
    blocks = blocks[np.isfinite(blocks).all(axis=1)]
    try:
        outcome = page_trend(blocks)
    except EvaluationError as error:
        return {**document, "why_not": str(error)}
    return {
        **document,
        "statistic": outcome.statistic,
        "p_value": outcome.p_value,
        "blocks": len(blocks),
        "note": "blocks are phenotypes × seeds; the ten phenotypes are correlated, so the "
        "p-value is smaller than independent blocks would give",
    }


def list_unjudged(table: TableTwoRows) -> dict[str, str]:
    """Phenotypes whose R² is not defined on the test patients, with the reason."""
    reasons = {
        name: why_undefined(table.observed[:, column])
        for column, name in enumerate(PHENOTYPE_NAMES)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def plain(value: float | np.floating) -> float | None:
    """A number of the document; None where it is not defined."""
    return float(value) if np.isfinite(value) else None


def _shared_patients(rows: Sequence[RowFigures]) -> tuple[tuple[str, int], ...]:
    shared = set.intersection(*(set(row.patients) for row in rows))
    patients = tuple(patient for patient in rows[0].patients if patient in shared)
    if len(patients) < 2:
        raise CohortError(
            f"the rows share {len(patients)} test patients; a comparison needs at least two"
        )
    return patients


def _restrict(
    row: RowFigures, patients: Sequence[tuple[str, int]]
) -> tuple[Float64[Array, "patient target"], Float64[Array, "patient target"]]:
    place = {patient: index for index, patient in enumerate(row.patients)}
    chosen = [place[patient] for patient in patients]
    return row.observed[chosen], row.predicted[chosen]


def _describe_figures(
    scores: RowScores,
    published: dict[str, float | None],
    ceilings: dict[str, float] | None,
) -> dict[str, dict[str, Any]]:
    columns = (scores.mean, scores.bound(0.025), scores.bound(0.975), scores.bootstrap_sd)
    figures: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(FIGURES):
        mean, low, high, bootstrap_sd = (plain(column[index]) for column in columns)
        ceiling = _mean_ceiling(ceilings) if name == "mean" else (ceilings or {}).get(name)
        figures[name] = {
            "r2": mean,
            "low": low,
            "high": high,
            "seed_sd": plain(scores.seed_sd[index]),
            "bootstrap_sd": bootstrap_sd,
            "per_seed": [plain(value) for value in scores.per_seed[:, index]],
            "published": published.get(name),
            "ceiling": ceiling,
            "share_of_ceiling": mean / ceiling
            if ceiling and mean is not None and mean >= 0
            else None,
        }
    return figures


def _describe_agreement(
    observed: Float64[Array, "patient target"], predicted: Float64[Array, "seed patient target"]
) -> dict[str, dict[str, float | None]]:
    measures = {
        "mean_absolute_error": mean_absolute_error,
        "pearson_r": pearson_r,
        "concordance": concordance_correlation,
    }
    averaged = {
        name: np.mean([np.asarray(measure(observed, values)) for values in predicted], axis=0)
        for name, measure in measures.items()
    }
    return {
        phenotype: {name: plain(values[column]) for name, values in averaged.items()}
        for column, phenotype in enumerate(PHENOTYPE_NAMES)
    }


def describe_difference(found: RowDifference) -> dict[str, dict[str, Any]]:
    """A paired difference by phenotype and on average, with Holm's p-values and verdicts."""
    return {
        name: {
            "difference": plain(found.difference[index]),
            "low": plain(found.low[index]),
            "high": plain(found.high[index]),
            "p": plain(found.p_value[index]),
            "p_holm": plain(found.adjusted_p[index]),
            "verdict": found.verdicts[index],
        }
        for index, name in enumerate(FIGURES)
    }


def _describe_comparison(pair: Comparison, first: RowScores, second: RowScores) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "question": pair.question,
        "figures": describe_difference(compare_rows(first, second)),
        "seed_differences": (
            [plain(value) for value in first.per_seed[:, -1] - second.per_seed[:, -1]]
            if len(first.per_seed) == len(second.per_seed)
            else None
        ),
    }


def _find_scores(table: TableTwoRows, key: str) -> RowScores | None:
    if key == DEMOGRAPHICS:
        return table.demographics
    row = table.rows.get(f"{key}-ecg")
    return None if row is None else row.scores


def _find_published(row: ReproducedRow) -> tuple[dict[str, float | None], str]:
    """The paper's R² per phenotype and their mean; empty where the paper has no such row."""
    for published in TABLE_2:
        place = (published.modality, published.method, published.evaluation)
        if place == (row.modality.upper(), row.published, row.evaluation):
            values = dict(published.r2)
            known = [value for value in published.r2.values() if value is not None]
            values["mean"] = sum(known) / len(known) if len(known) == len(published.r2) else None
            return values, published.note
    return {}, ""


def _choose_ceiling(ceilings: dict[str, Any] | None, modality: Modality) -> dict[str, float] | None:
    if ceilings is None:
        return None
    key = "oracle_r2" if modality == "ecg" else "label_reliability"
    return {name: float(ceilings[name][key]) for name in PHENOTYPE_NAMES}


def _share_of(value: float | None, ceiling: float | None) -> float | None:
    """Share of the ceiling reached; a negative R² reaches no share."""
    return value / ceiling if ceiling and value is not None and value >= 0 else None


def _mean_ceiling(ceilings: dict[str, float] | None) -> float | None:
    return sum(ceilings.values()) / len(ceilings) if ceilings else None


def _average_curves(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Label efficiency over seeds and draws: mean, least and greatest mean R²."""
    curves = [document.get("label_efficiency", []) for document in documents]
    averaged = []
    for points in zip(*curves, strict=True):
        values = [value for point in points for value in point["mean_r2"] if value is not None]
        averaged.append(
            {
                "share": points[0]["share"],
                "patients": points[0]["patients"],
                "mean_r2": sum(values) / len(values) if values else None,
                "least": min(values, default=None),
                "greatest": max(values, default=None),
                "num_probes": len(values),
                "skipped": points[0]["skipped"],
            }
        )
    return averaged
