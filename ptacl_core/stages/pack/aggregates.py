"""What a run's evaluation and training people come to, without cells of fewer than ten people."""

from collections.abc import Mapping

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.cohort import CohortDescription
from ptacl_core.documents.bundle import (
    AggregateEvaluation,
    BundledTraining,
    CoverageAggregate,
    GroupAggregate,
    NumberAggregate,
    PhenotypeAggregate,
    RowAggregate,
    TargetAggregate,
)
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.documents.figures import Bounded, finite
from ptacl_core.documents.health import StageHealth
from ptacl_core.documents.table_two import PhenotypeCell, TableTwoRow
from ptacl_core.documents.targets import TargetEvaluation
from ptacl_core.documents.uncertainty import PhenotypeCoverage, Subgroup, SubgroupCell
from ptacl_core.embedding.patients import describe_rows
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import COVARIATE_NAMES, MEASUREMENT_NAMES, SPLIT_NAMES

_TARGET_FIGURES = (
    "r2", "mean_absolute_error", "auc", "brier", "slope", "intercept", "baseline", "gain",
)  # fmt: skip
MIN_CELL = 10
"""Fewest people that a figure may be of."""


def describe_training(
    reader: ShardReader, description: CohortDescription, data_sha256: str | None
) -> BundledTraining:
    """Whom a run was trained on: people by split, share of women, means and spreads."""
    people = {
        name: len({reader.patients[row] for row in reader.rows(name, needs=("ecg",))})
        for name in SPLIT_NAMES
    }
    train = describe_rows(reader, reader.rows("train", needs=("ecg",)))
    known = [sex for sex in train.sex if sex]
    is_shown = min(known.count("F"), known.count("M")) >= MIN_CELL if known else False
    columns = {
        **dict(zip(COVARIATE_NAMES[1:], train.covariates.T[1:], strict=True)),
        **{
            name: reader.column(name, train.rows) for name in ("heart_rate_bpm", *MEASUREMENT_NAMES)
        },
        **dict(zip(PHENOTYPE_NAMES, train.phenotypes.T, strict=True)),
    }
    return BundledTraining(
        cohort=description.name,
        source=description.source,
        people={name: count if count >= MIN_CELL else None for name, count in people.items()},
        share_of_women=round(known.count("F") / len(known), 2) if is_shown else None,
        variables={name: _describe_numbers(values) for name, values in columns.items()},
        data_sha256=data_sha256,
    )


def _describe_numbers(values: Float64[Array, " row"]) -> NumberAggregate:
    present = values[np.isfinite(values)]
    if len(present) < MIN_CELL:
        return NumberAggregate(n=None, mean=None, sd=None)
    return NumberAggregate(n=len(present), mean=float(present.mean()), sd=float(present.std()))


def hide_small_splits(stages: Mapping[str, StageHealth]) -> dict[str, StageHealth]:
    """Verdicts on stages without the figures of splits of fewer than ten people."""
    return {
        name: stage.model_copy(
            update={
                "splits": {
                    split: figures
                    for split, figures in stage.splits.items()
                    if figures.patients >= MIN_CELL
                }
            }
        )
        for name, stage in stages.items()
    }


def aggregate_evaluation(evaluation: EvaluationDocument) -> AggregateEvaluation:
    """The aggregates of an evaluation; `suppressed` names what was left out for its size."""
    suppressed: list[str] = []
    counts = evaluation.patients.model_dump()
    return AggregateEvaluation(
        run=evaluation.run,
        patients={name: n if n >= MIN_CELL else None for name, n in counts.items()},
        rows=tuple(_aggregate_row(row, suppressed) for row in evaluation.rows),
        retrieval={
            own: {"p_at_1": _bounded(mean.p_at_1), "p_at_10": _bounded(mean.p_at_10)}
            for own, mean in evaluation.retrieval_mean.items()
            if mean.n >= MIN_CELL
        },
        pair_recall={
            direction: {
                name: _bounded(getattr(recall, name))
                for name in ("recall_at_1", "recall_at_5", "recall_at_10", "median_rank")
            }
            for direction, recall in evaluation.pair_recall.items()
            if recall.n >= MIN_CELL
        },
        alignment={
            "top1": evaluation.alignment.top1,
            "within1": evaluation.alignment.within1,
        }
        if evaluation.alignment.n >= MIN_CELL
        else {},
        coverage={
            name: cell
            for name, entry in evaluation.coverage.items()
            if (cell := _aggregate_coverage(name, entry, suppressed)) is not None
        },
        coverage_text=_tell_coverage(evaluation),
        subgroups={
            grouping: shown
            for grouping, groups in evaluation.subgroups.groupings.items()
            if (shown := _aggregate_groups(grouping, groups, suppressed))
        },
        targets={
            name: cell
            for name, entry in evaluation.targets.items()
            if (cell := _aggregate_target(name, entry, suppressed)) is not None
        },
        suppressed=tuple(suppressed),
        note=evaluation.note,
    )


def _tell_coverage(evaluation: EvaluationDocument) -> str:
    """The verdict over all people; that on single groups names groups, which may be small."""
    summary = evaluation.coverage_summary
    if summary.nominal is None:
        return "not measured"
    word = "covered too few in some" if summary.verdict == "failed" else "held in all"
    return (
        f"The {summary.nominal * 100:.0f} % intervals {word} of the phenotypes and groups tested."
    )


def _aggregate_row(row: TableTwoRow, suppressed: list[str]) -> RowAggregate:
    phenotypes = {}
    for name, cell in row.phenotypes.items():
        if cell.n < MIN_CELL:
            suppressed.append(f"{row.key}, {name}: fewer than {MIN_CELL} labels")
            continue
        phenotypes[name] = _aggregate_cell(cell)
    return RowAggregate(
        name=row.name,
        modality=row.modality,
        evaluation=row.evaluation,
        mean_r2=Bounded(value=row.mean.r2, low=row.mean.low, high=row.mean.high),
        phenotypes=phenotypes,
    )


def _aggregate_cell(cell: PhenotypeCell | SubgroupCell) -> PhenotypeAggregate:
    return PhenotypeAggregate(
        n=cell.n,
        r2=Bounded(value=cell.r2, low=cell.low, high=cell.high),
        mean_absolute_error=Bounded(
            value=cell.mean_absolute_error,
            low=cell.mean_absolute_error_low,
            high=cell.mean_absolute_error_high,
        ),
        bias=Bounded(value=cell.bias, low=cell.bias_low, high=cell.bias_high),
    )


def _aggregate_coverage(
    name: str, entry: PhenotypeCoverage, suppressed: list[str]
) -> CoverageAggregate | None:
    """The share inside; where one to nine people lie outside, only that it is at least so much."""
    cell = entry.overall
    if cell.n < MIN_CELL:
        suppressed.append(f"coverage of {name}: fewer than {MIN_CELL} labels")
        return None
    outside = cell.n - cell.covered
    if outside >= MIN_CELL and cell.covered >= MIN_CELL:
        return CoverageAggregate(
            n=cell.n, share=finite(cell.value), at_least=None, verdict=cell.verdict
        )
    at_least = max(0.0, (cell.n - MIN_CELL) / cell.n)
    suppressed.append(f"coverage of {name}: fewer than {MIN_CELL} people outside")
    return CoverageAggregate(n=cell.n, share=None, at_least=at_least, verdict=cell.verdict)


def _aggregate_target(
    name: str, entry: TargetEvaluation, suppressed: list[str]
) -> TargetAggregate | None:
    """Figures of a target that ten people and more have, an event ten on each side."""
    if entry.why is not None:
        return None
    smallest = entry.n if entry.events is None else min(entry.events, entry.n - entry.events)
    if smallest < MIN_CELL:
        side = "people" if entry.events is None else "people on a side"
        suppressed.append(f"target {name}: fewer than {MIN_CELL} {side}")
        return None
    figures = {key: getattr(entry, key) for key in _TARGET_FIGURES}
    covered = None
    if entry.coverage is not None:
        share, num = entry.coverage.share, entry.coverage.n
        outside = num - round(share * num)
        is_told = min(outside, num - outside) >= MIN_CELL
        if not is_told:
            suppressed.append(f"coverage of {name}: fewer than {MIN_CELL} people outside")
        covered = CoverageAggregate(
            n=num,
            share=share if is_told else None,
            at_least=None if is_told else max(0.0, (num - MIN_CELL) / num),
            verdict=f"nominal {entry.coverage.nominal:g}",
        )
    return TargetAggregate(
        kind=entry.kind,
        n=entry.n,
        figures={key: _bounded(figure) for key, figure in figures.items() if figure is not None},
        coverage=covered,
    )


def _aggregate_groups(
    grouping: str, groups: Mapping[str, Subgroup], suppressed: list[str]
) -> dict[str, GroupAggregate]:
    """Groups of ten people and more; none where the others could be had by subtraction."""
    small = [group for group in groups.values() if group.n < MIN_CELL]
    if small and sum(group.n for group in small) < MIN_CELL:
        suppressed.append(f"subgroups by {grouping}: a group of fewer than {MIN_CELL} people")
        return {}
    shown = {}
    for name, group in groups.items():
        if group.n < MIN_CELL:
            suppressed.append(f"a subgroup by {grouping}: fewer than {MIN_CELL} people")
            continue
        cells = {key: cell for key, cell in group.phenotypes.items() if cell.n >= MIN_CELL}
        shown[name] = GroupAggregate(
            n=group.n,
            phenotypes={key: _aggregate_cell(cell) for key, cell in cells.items()},
        )
    return shown


def _bounded(figure: Bounded) -> Bounded:
    return Bounded(value=figure.value, low=figure.low, high=figure.high)
