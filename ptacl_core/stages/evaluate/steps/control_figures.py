"""From step features under a control to what it says about the alignment."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.documents.alignment import (
    Accuracy,
    OtherPatientControl,
    Shift,
    ShiftControl,
)
from ptacl_core.documents.figures import Bounded, finite
from ptacl_core.evaluate import Resamples, judge_difference, measure_alignment
from ptacl_core.stages.evaluate.steps.alignment import no_accuracy, summarise_accuracy

_SHIFT_VERDICTS = {
    "separated": "follows the content",
    "reversed": "stays with the index",
    "not separated": "not separated",
}


def judge_shifts(
    ecg: Float32[Array, "patient step dim"],
    cmr: Float32[Array, "patient step dim"],
    shifted: list[Float32[Array, "patient step dim"]],
    resamples: Resamples,
) -> ShiftControl:
    """(b) Does the ridge follow the frames, or stay where the index is?

    `top1` and `within1` count matches with the moved content, `index_top1` with the index,
    means over the shifts 1 … 12; `share_moved` is the share of shifts for which the content
    had more matches than the index. `verdict` is by the paired difference of the two: "follows
    the content", "stays with the index" (a clock), or "not separated".
    """
    follows: list[Array] = []
    stays: list[Array] = []
    shifts: list[Shift] = []
    for shift, steps in enumerate([cmr, *shifted]):
        content = measure_alignment(ecg, np.roll(steps, shift, axis=1))
        index = measure_alignment(ecg, steps)
        is_moved = bool(content.top1.mean() > index.top1.mean()) if shift else None
        shifts.append(
            Shift(
                shift=shift,
                top1=float(content.top1.mean()),
                index_top1=float(index.top1.mean()),
                is_moved=is_moved,
            )
        )
        if shift:
            follows.append(np.stack([content.top1, content.within1], axis=1))
            stays.append(index.top1)
    interval = resamples.mean_interval(
        np.column_stack(
            [
                np.mean(follows, axis=0),
                np.mean(stays, axis=0),
                np.mean(follows, axis=0)[:, 0] - np.mean(stays, axis=0),
            ]
        )
    )
    verdict = judge_difference(float(interval.low[3]), float(interval.high[3]))
    return ShiftControl(
        top1=float(interval.estimate[0]),
        top1_interval=(finite(interval.low[0]), finite(interval.high[0])),
        within1=float(interval.estimate[1]),
        within1_interval=(finite(interval.low[1]), finite(interval.high[1])),
        n=len(ecg),
        index_top1=float(interval.estimate[2]),
        index_top1_interval=(finite(interval.low[2]), finite(interval.high[2])),
        verdict=_SHIFT_VERDICTS[verdict],
        share_moved=float(np.mean([bool(shift.is_moved) for shift in shifts[1:]])),
        shifts=tuple(shifts),
    )


def judge_others(
    ecg: Float32[Array, "patient step dim"],
    cmr: Float32[Array, "patient step dim"],
    patients: Sequence[str],
    resamples: Resamples,
) -> OtherPatientControl:
    """(c) Each ECG with the cine of another patient: what remains is the clock's share.

    `same_patient_excess` is what the own cine adds to top-1, `same_patient_cosine` what it
    adds to the mean cosine on the diagonal.
    """
    names = np.asarray(patients)
    order = np.argsort(names, kind="stable")
    partner = np.empty(len(order), np.int64)
    partner[order] = np.roll(order, len(order) // 2)
    is_other = names != names[partner]
    if not is_other.any():
        return OtherPatientControl(**dict(no_accuracy("there is one patient only")))
    kept = np.flatnonzero(is_other)
    chosen = resamples.take(kept)
    other = measure_alignment(ecg[kept], cmr[partner[kept]])
    own = measure_alignment(ecg[kept], cmr[kept])
    excess = chosen.mean_interval(
        np.stack(
            [
                own.top1 - other.top1,
                _diagonal(ecg[kept], cmr[kept]) - _diagonal(ecg[kept], cmr[partner[kept]]),
            ],
            axis=1,
        )
    )
    of_top1, of_cosine = (
        Bounded(
            value=finite(excess.estimate[column]),
            low=finite(excess.low[column]),
            high=finite(excess.high[column]),
        )
        for column in range(2)
    )
    return OtherPatientControl(
        **dict(summarise_accuracy(other, chosen)),
        same_patient_excess=of_top1,
        same_patient_cosine=of_cosine,
    )


def judge_positions(
    own: tuple[Array, Array], changed: tuple[Array | None, Array | None], resamples: Resamples
) -> Accuracy:
    """(d) Without position embeddings; encoders that have none keep their features."""
    if all(steps is None for steps in changed):
        return no_accuracy("the encoders have no position embeddings")
    ecg, cmr = (own[i] if steps is None else steps for i, steps in enumerate(changed))
    return summarise_accuracy(measure_alignment(ecg, cmr), resamples)


def judge_some(
    ecg: Array, cmr: Array, rows: Int64[Array, " patient"], resamples: Resamples
) -> Accuracy:
    """(f) Some of the patients alone."""
    if not len(rows):
        return no_accuracy("no such patient among the test pairs")
    return summarise_accuracy(measure_alignment(ecg[rows], cmr[rows]), resamples.take(rows))


def _diagonal(ecg: Array, cmr: Array) -> Float32[Array, " patient"]:
    """Mean cosine of equal steps."""
    lengths = np.linalg.norm(ecg, axis=2) * np.linalg.norm(cmr, axis=2)
    return ((ecg * cmr).sum(axis=2) / np.maximum(lengths, 1e-12)).mean(axis=1)
