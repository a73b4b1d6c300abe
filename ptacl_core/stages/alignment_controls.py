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
from ptacl_core.stages.control_figures import (
    judge_others,
    judge_positions,
    judge_shifts,
    judge_some,
)
from ptacl_core.stages.encoding_rows import BATCH_SIZE
from ptacl_core.stages.evaluation_split import EvaluationSplit
from ptacl_core.stages.run_choice import AlignedRun

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
        "shifted_frames": judge_shifts(own[0], own[1], encoded.shifted, drawn),
        "other_patient": judge_others(
            ecg.steps[valid],
            cmr.steps[valid],
            [test.patients[row] for row in valid],
            resamples.take(valid),
        ),
        "no_positions": judge_positions(own, (encoded.ecg_without, encoded.cine_without), drawn),
        "permuted_tokens": summarise_accuracy(measure_alignment(encoded.permuted, own[1]), drawn),
        "irregular_rhythm": {
            **judge_some(ecg.steps, cmr.steps, valid[test.is_irregular[valid]], resamples),
            "regular": judge_some(
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
