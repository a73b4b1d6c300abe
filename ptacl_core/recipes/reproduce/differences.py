"""Differences between rows with their verdicts, and the expected order."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from ptacl_core.arrays import Modality
from ptacl_core.config.reproduction import DEMOGRAPHICS, Comparison, ReproductionPlan
from ptacl_core.documents.figures import Difference, finite
from ptacl_core.documents.reproduction import RowComparison, TrendTest, UntestedTrend
from ptacl_core.documents.table_two import NestedQuestion
from ptacl_core.evaluate import EvaluationError, holm_adjust, page_trend
from ptacl_core.evaluate.row_comparison import compare_rows
from ptacl_core.evaluate.trainings import judge_trainings
from ptacl_core.recipes.reproduce.rows import TableTwoRows
from ptacl_core.stages.evaluate.table_two import describe_difference

Asked = TypeVar("Asked", RowComparison, NestedQuestion)


def describe_comparisons(plan: ReproductionPlan, table: TableTwoRows) -> list[RowComparison]:
    """The plan's differences of rows that were reproduced, each with its verdict."""
    comparisons = [_describe_comparison(pair, table) for pair in plan.comparisons]
    return [comparison for comparison in comparisons if comparison is not None]


def adjust_family(
    comparisons: Sequence[RowComparison], nested: Sequence[NestedQuestion]
) -> tuple[list[RowComparison], list[NestedQuestion]]:
    """Holm over the headline questions: the mean of every comparison, and the nested one.

    Verdicts on the mean are made anew from the adjusted p-values; the first nested question is
    of the family, the others are the same question of other rows.
    """
    asked: list[tuple[Difference, int | None]] = [
        (comparison.figures["mean"], comparison.num_trainings) for comparison in comparisons
    ]
    asked += [(question.figures["mean"], question.num_trainings) for question in nested[:1]]
    p_values = [
        np.nan if difference.p is None or difference.verdict == "not comparable" else difference.p
        for difference, _ in asked
    ]
    adjusted = holm_adjust(np.array(p_values)) if p_values else np.empty(0)
    judged = [
        _judge(difference, num_trainings, float(p_value))
        for (difference, num_trainings), p_value in zip(asked, adjusted, strict=True)
    ]
    count = len(comparisons)
    return (
        [_with_mean(comparison, judged[index]) for index, comparison in enumerate(comparisons)],
        [_with_mean(question, judged[count]) for question in nested[:1]] + list(nested[1:]),
    )


def describe_trend(plan: ReproductionPlan, table: TableTwoRows) -> TrendTest | UntestedTrend:
    """Page's test that R² rises along the plan's order, over phenotypes × seeds."""
    order = [f"{key}-ecg" for key in plan.trend.methods]
    methods = plan.trend.methods
    lacking = [key for key in order if table.scores(key) is None]
    if lacking:
        return UntestedTrend(order=methods, why_not=f"not reproduced: {', '.join(lacking)}")
    untrained = [key for key in order if table.failures.get(key)]
    if untrained:
        why = f"not comparable: {', '.join(untrained)} did not train"
        return UntestedTrend(order=methods, why_not=why)
    scores = np.stack([table.table.scores[key].per_seed[:, :-1] for key in order], axis=-1)
    blocks = scores.reshape(-1, len(order))
    blocks = blocks[np.isfinite(blocks).all(axis=1)]
    try:
        outcome = page_trend(blocks)
    except EvaluationError as error:
        return UntestedTrend(order=methods, why_not=str(error))
    return TrendTest(
        order=methods,
        statistic=outcome.statistic,
        p_value=outcome.p_value,
        blocks=len(blocks),
        note="blocks are phenotypes × seeds; the ten phenotypes are correlated, so the "
        "p-value is smaller than independent blocks would give",
    )


def _describe_comparison(pair: Comparison, table: TableTwoRows) -> RowComparison | None:
    keys = [_row_key(method, pair.modality) for method in (pair.first, pair.second)]
    first, second = (table.scores(key) for key in keys)
    if first is None or second is None:
        return None
    names = {row.key: row.name for row in table.table.rows()}
    untrained = [names[key] for key in keys if table.failures.get(key)]
    comparison = compare_rows(first, second)
    per_seed = None
    if len(first.per_seed) == len(second.per_seed):
        difference = first.per_seed[:, -1] - second.per_seed[:, -1]
        per_seed = tuple(finite(value) for value in difference)
    return RowComparison(
        first=pair.first,
        second=pair.second,
        question=pair.question,
        modality=pair.modality,
        figures=describe_difference(comparison, untrained=untrained),
        num_trainings=comparison.num_trainings,
        seed_differences=per_seed,
    )


def _row_key(method: str, modality: Modality) -> str:
    return DEMOGRAPHICS if method == DEMOGRAPHICS else f"{method}-{modality}"


def _judge(difference: Difference, num_trainings: int | None, p_holm: float) -> Difference:
    if difference.verdict == "not comparable" or difference.low is None or difference.high is None:
        return difference
    verdict = judge_trainings(
        difference.low, difference.high, num_trainings=num_trainings, p_value=p_holm
    )
    return difference.model_copy(update={"p_holm": finite(p_holm), "verdict": verdict})


def _with_mean(asked: Asked, mean: Difference) -> Asked:
    return asked.model_copy(update={"figures": {**asked.figures, "mean": mean}})
