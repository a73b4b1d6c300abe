"""The health of the evaluated run: what training measured, and what the test patients show."""

from pathlib import Path

from ptacl_core.documents.health import StageHealth
from ptacl_core.embedding.learning import (
    MIN_PATIENTS,
    describe_split,
    judge_splits,
    measure_embeddings,
)
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate.health import StageFigures
from ptacl_core.evaluate.row_comparison import RowScores
from ptacl_core.runs.choose import ALIGN, AlignedRun
from ptacl_core.runs.health import read_health, store_health, thresholds_of
from ptacl_core.stages.evaluate.features import AlignedFeatures

SPLIT = "test"
MIN_SCORED_PATIENTS = 50
"""Below, R² is too uncertain to hold against an untrained encoder."""


def check_health(
    aligned: AlignedRun,
    features: AlignedFeatures,
    test: EvaluationSplit,
    scores: dict[str, RowScores],
) -> dict[str, dict[str, StageHealth]]:
    """Health by run and stage: of this run and of those whose pretraining it took.

    The alignment is measured on the test patients as well, against the untrained encoder where
    `scores` has it, and the verdict in health.json is made anew from both.
    """
    settings = aligned.settings
    known = read_health(aligned.directory)
    before = known.stages.get(ALIGN) if known is not None else None
    now = _measure(aligned, features, test, scores)
    stage = now if before is None else _join(before, now)
    health = {aligned.name: store_health(aligned.directory, {ALIGN: stage}, limits=settings.health)}
    for name in {settings.pretrained_from.ecg, settings.pretrained_from.cmr} - {None}:
        other = read_health(Path(aligned.directory.parent / str(name)))
        if other is not None:
            health[str(name)] = other
    return {name: dict(run_health.stages) for name, run_health in health.items()}


def failures_of(health: dict[str, dict[str, StageHealth]], run: str, stage: str) -> tuple[str, ...]:
    """Reasons why a stage of a run has not learned; empty when it has, or was not measured."""
    verdict = health.get(run, {}).get(stage)
    return () if verdict is None or verdict.learned else verdict.reasons


def _measure(
    aligned: AlignedRun,
    features: AlignedFeatures,
    test: EvaluationSplit,
    scores: dict[str, RowScores],
) -> StageHealth:
    section = aligned.settings.align
    ecg, cmr = features.projected_test()
    embeddings = measure_embeddings(
        {"ecg": features.ecg_test.pooled, "cmr": features.cmr_test.pooled},
        {"ecg": ecg, "cmr": cmr},
        temperature=section.temperature_global,
        batch_size=section.optimisation.batch_size,
        patients=test.patients,
    )
    trained, random = (
        {
            modality.upper(): float(scores[f"{key}-{modality}"].mean[-1])
            for modality in ("ecg", "cmr")
            if f"{key}-{modality}" in scores and len(test) >= MIN_SCORED_PATIENTS
        }
        for key in ("aligned", "random")
    )
    described, figures = describe_split(
        StageFigures(SPLIT), embeddings, trained, random, num_patients=len(test)
    )
    judged = [figures] if len(test) >= MIN_PATIENTS else []
    limits = thresholds_of(aligned.settings.health)
    return judge_splits({SPLIT: described}, judged, thresholds=limits, step=0)


def _join(before: StageHealth, now: StageHealth) -> StageHealth:
    """Both verdicts as one; an earlier evaluation's is replaced."""
    was_tested = before.splits.get(SPLIT) is not None
    kept = tuple(
        reason for reason in before.reasons if not (was_tested and f" on {SPLIT} " in reason)
    )
    reasons = tuple(dict.fromkeys((*kept, *(now.reasons if now.splits else ()))))
    return StageHealth(
        learned=not reasons,
        reasons=reasons,
        hints=tuple(dict.fromkeys((*before.hints, *now.hints))) if reasons else (),
        step=before.step,
        splits={**before.splits, **now.splits},
    )
