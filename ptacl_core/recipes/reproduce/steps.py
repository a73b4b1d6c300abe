"""The local alignment over seeds: intervals and planned differences, on the same resamples.

Patients and trainings are resampled together, as for the rows of Table 2.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ptacl_core.config.reproduction import (
    Method,
    ReproductionPlan,
    ReproductionSize,
    name_run,
)
from ptacl_core.documents.figures import Bounded, Difference, finite
from ptacl_core.documents.reproduction import StepComparison
from ptacl_core.embedding.patients import load_split
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED, draw_resamples
from ptacl_core.evaluate.row_comparison import RowScores, compare_rows, score_means
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.steps.outcomes import FIGURES, load_outcomes
from ptacl_core.stages.evaluate.table_two import bounded


def score_steps(
    cohort_dir: Path,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    evaluated: Sequence[str],
    *,
    num_resamples: int,
) -> dict[str, RowScores]:
    """Method → scores of `FIGURES` over seeds, of the methods whose runs are `evaluated`."""
    with ShardReader.open(cohort_dir) as reader:
        people = load_split(reader, "test").patients
    resamples = draw_resamples(
        len(people),
        num_resamples=num_resamples,
        generator=np.random.default_rng(BOOTSTRAP_SEED),
        patients=people,
    )
    scores = {}
    for method in methods:
        if method.run not in evaluated:
            continue
        outcomes = [
            load_outcomes(cohort_dir, name_run(size.name, seed, method.run)) for seed in seeds
        ]
        if all(np.isfinite(values).any() for values in outcomes):
            scores[method.key] = score_means(np.stack(outcomes), resamples)
    return scores


def describe_scores(scores: RowScores) -> dict[str, Bounded]:
    """Values and intervals by figure."""
    return {name: bounded(scores, index) for index, name in enumerate(FIGURES)}


def compare_steps(
    plan: ReproductionPlan, scores: Mapping[str, RowScores]
) -> tuple[StepComparison, ...]:
    """The plan's differences of methods whose steps were aligned."""
    return tuple(
        StepComparison(
            first=pair.first,
            second=pair.second,
            figures=_describe(scores[pair.first], scores[pair.second]),
        )
        for pair in plan.comparisons
        if pair.modality == "ecg" and {pair.first, pair.second} <= scores.keys()
    )


def _describe(first: RowScores, second: RowScores) -> dict[str, Difference]:
    comparison = compare_rows(first, second)
    return {
        name: Difference(
            difference=finite(comparison.difference[index]),
            low=finite(comparison.low[index]),
            high=finite(comparison.high[index]),
            p=finite(comparison.p_value[index]),
            p_holm=finite(comparison.adjusted_p[index]),
            verdict=comparison.verdicts[index],
        )
        for index, name in enumerate(FIGURES)
    }
