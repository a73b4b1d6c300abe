"""Table 2 of the document: R² of every row with spread, ceiling and the paper's figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.reproduction import (
    DEMOGRAPHICS,
)
from ptacl_core.config.training import Modality
from ptacl_core.evaluate import (
    concordance_correlation,
    mean_absolute_error,
    pearson_r,
)
from ptacl_core.evaluate.references import TABLE_2
from ptacl_core.evaluate.row_comparison import (
    RowScores,
    compare_rows,
)
from ptacl_core.recipes.reproduce.differences import describe_difference
from ptacl_core.recipes.reproduce.rows import FIGURES, ReproducedRow, TableTwoRows, plain
from ptacl_core.records import PHENOTYPE_NAMES


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
