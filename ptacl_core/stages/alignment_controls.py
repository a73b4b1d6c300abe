"""The controls of the local alignment (evaluation.md §3.4 b–f), on the run's test pairs.

Control (a), a model trained without the local loss, is another run.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.embedding.alignment_controls import (
    permute_within_beats,
    roll_frames,
    without_positions,
)
from ptacl_core.embedding.encoding import (
    Features,
    encode_cines,
    encode_ecgs,
    phase_uniform_frames,
)
from ptacl_core.evaluate import Resamples, measure_alignment
from ptacl_core.models import TokenEncoder
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards import ShardReader
from ptacl_core.stages.alignment_measures import (
    no_accuracy,
    summarise_accuracy,
    why_no_alignment,
)
from ptacl_core.stages.encoding_rows import BATCH_SIZE
from ptacl_core.stages.evaluation_split import EvaluationSplit
from ptacl_core.stages.run_choice import AlignedRun
from ptacl_core.stages.table_two import finite

MAX_PAIRS = 512
"""Test pairs that are encoded again, evenly spread; each costs as much as 13 cines and 2 ECGs."""

CONTROL_NAMES = (
    "shifted_frames",
    "other_patient",
    "no_positions",
    "permuted_tokens",
    "irregular_rhythm",
)

_PERMUTATION_SEED = 13


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    """Step features of the chosen pairs under each control."""

    permuted: Float32[Array, "patient step dim"]
    ecg_without: Float32[Array, "patient step dim"] | None
    cine_without: Float32[Array, "patient step dim"] | None
    shifted: list[Float32[Array, "patient step dim"]]


def evaluate_controls(
    reader: ShardReader,
    test: EvaluationSplit,
    aligned: AlignedRun,
    features: tuple[Features, Features],
    resamples: Resamples,
    progress: ProgressSink = SILENT,
) -> dict[str, Any]:
    """Section `alignment.controls`; `features` are those of the test pairs, ECG and cine."""
    ecg, cmr = features
    assert ecg.steps is not None
    assert cmr.steps is not None
    why = why_no_alignment(ecg, cmr)
    if why is not None:
        return {name: no_accuracy(why) for name in CONTROL_NAMES}
    valid = np.flatnonzero(ecg.is_step_valid)
    chosen = valid
    if len(valid) > MAX_PAIRS:
        chosen = valid[np.linspace(0, len(valid) - 1, MAX_PAIRS).astype(np.int64)]
    encoded = _encode(reader, test.rows[chosen], aligned, progress)
    own = (ecg.steps[chosen], cmr.steps[chosen])
    drawn = resamples.take(chosen)
    return {
        "shifted_frames": _judge_shifts(own[0], own[1], encoded.shifted, drawn),
        "other_patient": _judge_others(ecg.steps[valid], cmr.steps[valid], test, valid, resamples),
        "no_positions": _judge_positions(own, encoded, drawn),
        "permuted_tokens": summarise_accuracy(measure_alignment(encoded.permuted, own[1]), drawn),
        "irregular_rhythm": {
            **_judge_some(ecg.steps, cmr.steps, valid[test.is_irregular[valid]], resamples),
            "regular": _judge_some(
                ecg.steps, cmr.steps, valid[~test.is_irregular[valid]], resamples
            ),
        },
    }


def _encode(
    reader: ShardReader, rows: Int64[Array, "row"], aligned: AlignedRun, progress: ProgressSink
) -> _Encoded:
    """Each recording is read once and encoded under every control."""
    bare = (without_positions(aligned.ecg_encoder), without_positions(aligned.cine_encoder))
    num_steps = aligned.settings.data.num_steps
    permuted, ecg_without, cine_without = [], [], []
    shifted: list[list[Array]] = [[] for _ in range(num_steps - 1)]
    generator = np.random.default_rng(_PERMUTATION_SEED)
    progress.start("alignment controls", len(rows), "pairs")
    for start in range(0, len(rows), BATCH_SIZE):
        piece = rows[start : start + BATCH_SIZE]
        signals = reader.read_ecg(piece).astype(np.float32)
        peaks = reader.r_peaks(piece)
        mixed = permute_within_beats(
            signals,
            peaks,
            patch_samples=aligned.settings.ecg_encoder.patch_samples,
            generator=generator,
        )
        permuted.append(_ecg_steps(aligned, aligned.ecg_encoder, mixed, peaks))
        if bare[0] is not None:
            ecg_without.append(_ecg_steps(aligned, bare[0], signals, peaks))
        frames = reader.read_cine(piece)
        clips = frames[
            :, phase_uniform_frames(frames.shape[1], aligned.settings.data.num_cine_frames)
        ].astype(np.float32) / np.float32(255)
        if bare[1] is not None:
            cine_without.append(_cine_steps(bare[1], clips))
        for shift in range(1, num_steps):
            moved = roll_frames(clips, num_steps=num_steps, shift=shift)
            shifted[shift - 1].append(_cine_steps(aligned.cine_encoder, moved))
        progress.advance("alignment controls", len(piece))
    progress.finish("alignment controls")
    return _Encoded(
        permuted=np.concatenate(permuted),
        ecg_without=np.concatenate(ecg_without) if ecg_without else None,
        cine_without=np.concatenate(cine_without) if cine_without else None,
        shifted=[np.concatenate(parts) for parts in shifted],
    )


def _ecg_steps(
    aligned: AlignedRun,
    encoder: TokenEncoder,
    signals: Float32[Array, "record 12 sample"],
    peaks: list[Int64[Array, "beat"]],
) -> Float32[Array, "record step dim"]:
    settings = aligned.settings
    steps = encode_ecgs(
        encoder,
        None,
        signals,
        peaks,
        crop_samples=settings.data.ecg_crop_samples,
        patch_samples=settings.ecg_encoder.patch_samples,
        num_steps=settings.data.num_steps,
        beat_mode=settings.data.beat_mode,
        with_steps=True,
    ).steps
    assert steps is not None
    return steps


def _cine_steps(
    encoder: TokenEncoder, clips: Float32[Array, "record frame height width"]
) -> Float32[Array, "record step dim"]:
    steps = encode_cines(encoder, None, clips, num_frames=clips.shape[1], with_steps=True).steps
    assert steps is not None
    return steps


def _judge_shifts(
    ecg: Float32[Array, "patient step dim"],
    cmr: Float32[Array, "patient step dim"],
    shifted: list[Float32[Array, "patient step dim"]],
    resamples: Resamples,
) -> dict[str, Any]:
    """(b) Does the ridge follow the frames, or stay where the index is?

    `top1` and `within1` count matches with the moved content, `index_top1` with the index,
    means over the shifts 1 … 12; `share_moved` is the share of shifts for which the content
    had more matches than the index.
    """
    follows, stays, shifts = [], [], []
    for shift, steps in enumerate([cmr, *shifted]):
        content = measure_alignment(ecg, np.roll(steps, shift, axis=1))
        index = measure_alignment(ecg, steps)
        is_moved = bool(content.top1.mean() > index.top1.mean()) if shift else None
        shifts.append(
            {
                "shift": shift,
                "top1": float(content.top1.mean()),
                "index_top1": float(index.top1.mean()),
                "is_moved": is_moved,
            }
        )
        if shift:
            follows.append(np.stack([content.top1, content.within1], axis=1))
            stays.append(index.top1)
    interval = resamples.mean_interval(
        np.column_stack([np.mean(follows, axis=0), np.mean(stays, axis=0)])
    )
    return {
        "top1": float(interval.estimate[0]),
        "top1_interval": [finite(interval.low[0]), finite(interval.high[0])],
        "within1": float(interval.estimate[1]),
        "within1_interval": [finite(interval.low[1]), finite(interval.high[1])],
        "index_top1": float(interval.estimate[2]),
        "index_top1_interval": [finite(interval.low[2]), finite(interval.high[2])],
        "share_moved": float(np.mean([each["is_moved"] for each in shifts[1:]])),
        "shifts": shifts,
        "n": len(ecg),
    }


def _judge_others(
    ecg: Float32[Array, "patient step dim"],
    cmr: Float32[Array, "patient step dim"],
    test: EvaluationSplit,
    valid: Int64[Array, "patient"],
    resamples: Resamples,
) -> dict[str, Any]:
    """(c) Each ECG with the cine of another patient: what remains is the clock's share.

    `same_patient_excess` is what the own cine adds to top-1, `same_patient_cosine` what it
    adds to the mean cosine on the diagonal.
    """
    order = np.argsort(np.asarray([test.patients[row] for row in valid]), kind="stable")
    partner = np.empty(len(order), np.int64)
    partner[order] = np.roll(order, len(order) // 2)
    is_other = np.asarray(
        [test.patients[valid[a]] != test.patients[valid[b]] for a, b in enumerate(partner)]
    )
    if not is_other.any():
        return no_accuracy("there is one patient only")
    kept = np.flatnonzero(is_other)
    chosen = resamples.take(valid[kept])
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
    return {
        **summarise_accuracy(other, chosen),
        **{
            name: {
                "value": finite(excess.estimate[column]),
                "low": finite(excess.low[column]),
                "high": finite(excess.high[column]),
            }
            for column, name in enumerate(("same_patient_excess", "same_patient_cosine"))
        },
    }


def _judge_positions(
    own: tuple[Array, Array], encoded: _Encoded, resamples: Resamples
) -> dict[str, Any]:
    """(d) Without position embeddings; encoders that have none keep their features."""
    changed = [encoded.ecg_without, encoded.cine_without]
    if all(steps is None for steps in changed):
        return no_accuracy("the encoders have no position embeddings")
    ecg, cmr = (own[i] if steps is None else steps for i, steps in enumerate(changed))
    return summarise_accuracy(measure_alignment(ecg, cmr), resamples)


def _judge_some(
    ecg: Array, cmr: Array, rows: Int64[Array, "patient"], resamples: Resamples
) -> dict[str, Any]:
    """(f) Some of the patients alone."""
    if not len(rows):
        return no_accuracy("no such patient among the test pairs")
    return summarise_accuracy(measure_alignment(ecg[rows], cmr[rows]), resamples.take(rows))


def _diagonal(ecg: Array, cmr: Array) -> Float32[Array, "patient"]:
    """Mean cosine of equal steps."""
    lengths = np.linalg.norm(ecg, axis=2) * np.linalg.norm(cmr, axis=2)
    return ((ecg * cmr).sum(axis=2) / np.maximum(lengths, 1e-12)).mean(axis=1)
