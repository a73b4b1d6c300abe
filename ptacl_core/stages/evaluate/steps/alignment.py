"""The 13 × 13 alignment of a run on its test patients, as the document has it."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.documents.alignment import (
    Accuracy,
    AlignmentSection,
    Chanced,
    Controls,
    TimingKept,
)
from ptacl_core.documents.figures import finite
from ptacl_core.embedding.encoding import Features
from ptacl_core.evaluate import AlignmentMeasures, Resamples, measure_alignment
from ptacl_core.evaluate.steps.own_steps import own_step_ranks, template_centred_top1


@dataclass(frozen=True)
class StepOutcomes:
    """How the steps of the patients with a complete beat were aligned.

    Attributes:
        patients: rows of those patients among all that were tested.
        num_steps: steps of the cycle, T.
        measures: with the template; None where steps cannot be compared.
        centred_top1: share of steps that find theirs without the template; None under two patients.
        own_rank: rank of the own cine among those of other people; None under two patients.
        why: one line why nothing could be compared.
    """

    patients: Int64[Array, " compared"]
    num_steps: int
    measures: AlignmentMeasures | None
    centred_top1: Float64[Array, " compared"] | None
    own_rank: Int64[Array, " compared"] | None
    why: str | None = None


def measure_steps(
    ecg: Features, cmr: Features, *, person: Int64[Array, " patient"] | None = None
) -> StepOutcomes:
    """Align every test patient's steps once; other visits of one `person` are not candidates."""
    assert ecg.steps is not None
    assert cmr.steps is not None
    num_steps = ecg.steps.shape[1]
    why = why_no_alignment(ecg, cmr)
    if why is not None:
        return StepOutcomes(np.empty(0, np.int64), num_steps, None, None, None, why)
    patients = np.flatnonzero(ecg.is_step_valid)
    own, theirs = ecg.steps[patients], cmr.steps[patients]
    is_enough = len(patients) >= 2
    owner = None if person is None else person[patients]
    return StepOutcomes(
        patients,
        num_steps,
        measure_alignment(own, theirs),
        template_centred_top1(own, theirs) if is_enough else None,
        own_step_ranks(own, theirs, owner=owner) if is_enough else None,
    )


def describe_steps(
    outcomes: StepOutcomes,
    resamples: Resamples,
    *,
    timing_kept: tuple[TimingKept, ...] = (),
    timing_note: str = "",
    controls: Controls | None = None,
) -> AlignmentSection:
    """Section `alignment`: accuracies with intervals and chance, entropy, the mean map.

    `centred_top1` and `own_rank` are without the template. Where steps cannot be compared
    every figure is null and `why` says so.
    """
    num_steps, measures = outcomes.num_steps, outcomes.measures
    chosen = resamples.take(outcomes.patients)
    accuracy = (
        no_accuracy(outcomes.why or "")
        if measures is None
        else summarise_accuracy(measures, chosen)
    )
    return AlignmentSection(
        **dict(accuracy),
        top1_chance=1 / num_steps,
        within1_chance=(3 * num_steps - 2) / num_steps**2,
        mean_circular_offset=None if measures is None else float(measures.circular_offset.mean()),
        diagonal_mass=None if measures is None else measures.diagonal_mass,
        entropy_nats=None if measures is None else measures.entropy_nats,
        rank_correlation=None if measures is None else finite(measures.rank_correlation),
        patients=0 if measures is None else len(measures.top1),
        map=None if measures is None else measures.mean_map.tolist(),
        centred_top1=_describe_centred(outcomes, chosen),
        own_rank=_describe_own_rank(outcomes, chosen),
        timing_kept=timing_kept,
        timing_note=timing_note,
        controls=controls,
    )


def _describe_centred(outcomes: StepOutcomes, resamples: Resamples) -> Chanced | None:
    """Top-1 without the template."""
    if outcomes.centred_top1 is None or outcomes.own_rank is None:
        return None
    top1 = resamples.mean_interval(outcomes.centred_top1[:, None])
    return Chanced(
        value=finite(top1.estimate[0]),
        low=finite(top1.low[0]),
        high=finite(top1.high[0]),
        chance=1 / outcomes.num_steps,
    )


def _describe_own_rank(outcomes: StepOutcomes, resamples: Resamples) -> Chanced | None:
    """Rank of the own cine by centred steps."""
    if outcomes.centred_top1 is None or outcomes.own_rank is None:
        return None
    rank = resamples.median_interval(outcomes.own_rank)
    return Chanced(
        value=finite(rank.estimate),
        low=finite(rank.low),
        high=finite(rank.high),
        chance=(len(outcomes.patients) + 1) / 2,
    )


def why_no_alignment(ecg: Features, cmr: Features) -> str | None:
    """One line why steps cannot be compared, or None when they can."""
    assert ecg.steps is not None
    assert cmr.steps is not None
    if ecg.steps.shape[1] != cmr.steps.shape[1]:
        return (
            f"the cine encoder has {cmr.steps.shape[1]} time steps, the ECG {ecg.steps.shape[1]}: "
            "there is nothing to align"
        )
    return None if ecg.is_step_valid.any() else "no test patient has a complete beat"


def no_accuracy(why: str) -> Accuracy:
    """Nulls and the reason."""
    return Accuracy(
        top1=None, top1_interval=None, within1=None, within1_interval=None, n=0, why=why
    )


def summarise_accuracy(measures: AlignmentMeasures, resamples: Resamples) -> Accuracy:
    """top-1 and ±1 accuracy with intervals over patients; `resamples` are those measured."""
    interval = resamples.mean_interval(np.stack([measures.top1, measures.within1], axis=1))
    return Accuracy(
        top1=float(interval.estimate[0]),
        top1_interval=(finite(interval.low[0]), finite(interval.high[0])),
        within1=float(interval.estimate[1]),
        within1_interval=(finite(interval.low[1]), finite(interval.high[1])),
        n=len(measures.top1),
    )
