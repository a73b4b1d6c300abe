"""What `ptacl evaluate` measured of the aligned runs: alignment, coverage, subgroups."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ptacl_core.config.reproduction import (
    Method,
    ReproductionPlan,
    ReproductionSize,
    name_run,
)
from ptacl_core.config.training import RunSettings
from ptacl_core.documents.alignment import AlignmentSection
from ptacl_core.documents.evaluation import EVALUATION_FILE, EvaluationDocument
from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.model import DocumentError
from ptacl_core.documents.reproduction import MethodAlignment, UnmeasuredAlignment
from ptacl_core.errors import CohortError
from ptacl_core.evaluate.row_comparison import RowScores
from ptacl_core.recipes.reproduce.archive import FindRun
from ptacl_core.recipes.reproduce.steps import describe_scores
from ptacl_core.runs.folder import load_run_config

MAIN = "ptacl"
"""Method whose uncertainty and subgroups are shown; without it the first that was evaluated."""
SECTIONS = ("coverage", "coverage_summary", "subgroups", "calibration")
"""Taken as they are from the evaluation document of the main method's first seed."""


def load_evaluations(
    find_run: FindRun,
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
) -> dict[str, list[EvaluationDocument]]:
    """Run → evaluation documents by seed, of the runs that are evaluated. Raises CohortError."""
    return {
        method.run: [_load(find_run(name_run(size.name, seed, method.run))) for seed in seeds]
        for method in methods
        if plan.runs[method.run].is_evaluated
    }


def describe_alignment(
    find_run: FindRun,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
    evaluations: Mapping[str, Sequence[EvaluationDocument]],
    scores: Mapping[str, RowScores],
) -> list[MethodAlignment | UnmeasuredAlignment]:
    """One entry per evaluated method: its mean map over seeds, accuracies, controls.

    `scores` are those of `score_steps`: values and intervals over patients and trainings.

    `why_not` stands in their place where steps could not be compared.
    """
    return [
        _describe_map(
            method,
            load_run_config(find_run(name_run(size.name, seeds[0], method.run))),
            [document.alignment for document in evaluations[method.run]],
            scores.get(method.key),
        )
        for method in methods
        if method.run in evaluations
    ]


def choose_main(evaluations: Mapping[str, Sequence[EvaluationDocument]]) -> str | None:
    """The run that the uncertainty and subgroup sections show."""
    if MAIN in evaluations:
        return MAIN
    return next(iter(evaluations), None)


def _describe_map(
    method: Method,
    settings: RunSettings,
    alignments: Sequence[AlignmentSection],
    scores: RowScores | None,
) -> MethodAlignment | UnmeasuredAlignment:
    kind, align = _name_kind(settings), settings.align
    maps = [section.map for section in alignments if section.map is not None]
    if scores is None or len(maps) < len(alignments):
        return UnmeasuredAlignment(
            key=method.key,
            title=method.title,
            kind=kind,
            sigma=align.sigma,
            beta=align.beta,
            why_not=_why_unmeasured(alignments),
        )
    cells = describe_scores(scores)
    first = alignments[0]
    own_ranks = [section.own_rank for section in alignments]
    return MethodAlignment(
        key=method.key,
        title=method.title,
        kind=kind,
        sigma=align.sigma,
        beta=align.beta,
        diagonal_mass=_average(section.diagonal_mass for section in alignments),
        entropy_nats=_average(section.entropy_nats for section in alignments),
        mean_circular_offset=_average(section.mean_circular_offset for section in alignments),
        own_rank=_average(None if rank is None else rank.value for rank in own_ranks),
        top1=cells["top1"].value,
        within1=cells["within1"].value,
        centred_top1=cells["centred_top1"].value,
        others_behind=cells["others_behind"].value,
        top1_interval=_interval(cells["top1"]),
        within1_interval=_interval(cells["within1"]),
        centred_top1_interval=_interval(cells["centred_top1"]),
        others_behind_interval=_interval(cells["others_behind"]),
        others_behind_chance=0.5,
        own_rank_chance=None if own_ranks[0] is None else own_ranks[0].chance,
        timing_kept=first.timing_kept,
        timing_note=first.timing_note,
        top1_per_seed=tuple(section.top1 for section in alignments),
        top1_chance=first.top1_chance,
        within1_chance=first.within1_chance,
        patients=first.patients,
        controls=first.controls,
        map=np.mean(maps, axis=0).tolist(),
    )


def _why_unmeasured(alignments: Sequence[AlignmentSection]) -> str:
    reasons = (section.why for section in alignments if section.map is None)
    return next(reasons, None) or "no test patient has a complete beat"


def _average(values: Iterable[float | None]) -> float | None:
    """Mean over seeds; None where a seed has no value."""
    numbers = list(values)
    known = [value for value in numbers if value is not None]
    return float(np.mean(known)) if len(known) == len(numbers) else None


def _interval(cell: Bounded) -> tuple[float | None, float | None]:
    return cell.low, cell.high


def _name_kind(settings: RunSettings) -> str:
    """How time steps were aligned, in the words of the paper's Fig. 2."""
    if not settings.align.has_local_loss:
        return "global only"
    return "hard" if settings.align.sigma == 0 else "soft"


def _load(run_dir: Path) -> EvaluationDocument:
    try:
        return EvaluationDocument.read(run_dir / "evaluation" / EVALUATION_FILE)
    except DocumentError as error:
        raise CohortError(
            f"run {run_dir.name}: evaluation/{error}; remove runs/{run_dir.name}/reproduce.json "
            "and reproduce again"
        ) from None
