"""Differences between rows with their verdicts, and the expected order."""

from typing import Any

import numpy as np

from ptacl_core.config.reproduction import (
    DEMOGRAPHICS,
    Comparison,
    ReproductionPlan,
)
from ptacl_core.evaluate import (
    EvaluationError,
    page_trend,
)
from ptacl_core.evaluate.row_comparison import (
    RowDifference,
    RowScores,
    compare_rows,
)
from ptacl_core.recipes.reproduce.rows import FIGURES, TableTwoRows, plain


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
