"""The controls of the local alignment (evaluation.md §3.4 b–f), on the run's test pairs.

Control (a), a model trained without the local loss, is another run.
"""

import numpy as np
import torch

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.documents.alignment import (
    Controls,
    OtherPatientControl,
    RhythmControl,
    ShiftControl,
)
from ptacl_core.embedding.alignment_controls import (
    permute_within_beats,
    roll_frames,
    without_positions,
)
from ptacl_core.embedding.encoding import (
    Features,
    choose_frames,
    encode_cines,
    encode_ecgs,
)
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.embedding.rows import BATCH_SIZE
from ptacl_core.evaluate import Resamples, measure_alignment
from ptacl_core.models import TokenEncoder
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.choose import AlignedRun
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.steps.alignment import (
    no_accuracy,
    summarise_accuracy,
    why_no_alignment,
)
from ptacl_core.stages.evaluate.steps.control_figures import (
    judge_others,
    judge_positions,
    judge_shifts,
    judge_some,
)

MAX_PAIRS = {"cpu": 128, "cuda": 1024}
"""Test pairs that are encoded again without positions and with permuted patches, by device."""

MAX_SHIFTED = {"cpu": 32, "cuda": 512}
"""Test pairs whose cines are encoded under all twelve shifts of their frames."""

_LIMITS = (MAX_PAIRS, MAX_SHIFTED)
_PERMUTATION_SEED = 13


def evaluate_controls(
    reader: ShardReader,
    test: EvaluationSplit,
    aligned: AlignedRun,
    features: tuple[Features, Features],
    resamples: Resamples,
    progress: ProgressSink = SILENT,
) -> Controls:
    """Section `alignment.controls`; `features` are those of the test pairs, ECG and cine."""
    ecg, cmr = features
    assert ecg.steps is not None
    assert cmr.steps is not None
    why = why_no_alignment(ecg, cmr)
    if why is not None:
        none = no_accuracy(why)
        return Controls(
            shifted_frames=ShiftControl(**dict(none)),
            other_patient=OtherPatientControl(**dict(none)),
            no_positions=none,
            permuted_tokens=none,
            irregular_rhythm=RhythmControl(**dict(none)),
        )
    valid = np.flatnonzero(ecg.is_step_valid)
    device = next(aligned.cine_encoder.parameters()).device.type
    chosen, moved = (_thin(valid, most.get(device, most["cpu"])) for most in _LIMITS)
    own = (ecg.steps[chosen], cmr.steps[chosen])
    permuted, bare = _encode_changed(reader, test.rows[chosen], aligned, progress)
    shifted = _encode_shifted(reader, test.rows[moved], aligned, progress)
    drawn = resamples.take(chosen)
    irregular = judge_some(ecg.steps, cmr.steps, valid[test.is_irregular[valid]], resamples)
    return Controls(
        shifted_frames=judge_shifts(
            ecg.steps[moved], cmr.steps[moved], shifted, resamples.take(moved)
        ),
        other_patient=judge_others(
            ecg.steps[valid],
            cmr.steps[valid],
            [test.patients[row] for row in valid],
            resamples.take(valid),
        ),
        no_positions=judge_positions(own, bare, drawn),
        permuted_tokens=summarise_accuracy(measure_alignment(permuted, own[1]), drawn),
        irregular_rhythm=RhythmControl(
            **dict(irregular),
            regular=judge_some(ecg.steps, cmr.steps, valid[~test.is_irregular[valid]], resamples),
        ),
    )


def _thin(rows: Int64[Array, " row"], most: int) -> Int64[Array, " kept"]:
    """At most `most` of the rows, evenly spread."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _encode_changed(
    reader: ShardReader, rows: Int64[Array, " row"], aligned: AlignedRun, progress: ProgressSink
) -> tuple[Array, tuple[Array | None, Array | None]]:
    """Steps of permuted ECGs, and of both modalities without positions (None: they have none)."""
    bare = (without_positions(aligned.ecg_encoder), without_positions(aligned.cine_encoder))
    permuted, ecg, cine = [], [], []
    generator = np.random.default_rng(_PERMUTATION_SEED)
    progress.start("alignment controls", len(rows), "pairs")
    for start in range(0, len(rows), BATCH_SIZE):
        piece = rows[start : start + BATCH_SIZE]
        signals, peaks = reader.read_ecg(piece).astype(np.float32), reader.r_peaks(piece)
        mixed = permute_within_beats(
            signals,
            peaks,
            patch_samples=aligned.settings.ecg_encoder.patch_samples,
            generator=generator,
        )
        permuted.append(_ecg_steps(aligned, aligned.ecg_encoder, mixed, peaks))
        if bare[0] is not None:
            ecg.append(_ecg_steps(aligned, bare[0], signals, peaks))
        if bare[1] is not None:
            cine.append(_cine_steps(aligned, bare[1], _read_clips(reader, piece, aligned)))
        progress.advance("alignment controls", len(piece))
    progress.finish("alignment controls")
    without = tuple(np.concatenate(parts) if parts else None for parts in (ecg, cine))
    return np.concatenate(permuted), (without[0], without[1])


def _encode_shifted(
    reader: ShardReader, rows: Int64[Array, " row"], aligned: AlignedRun, progress: ProgressSink
) -> list[Array]:
    """Steps of the cines with their frames moved by 1, 2 … steps; each is read once."""
    num_steps = aligned.settings.data.num_steps
    shifted: list[list[Array]] = [[] for _ in range(num_steps - 1)]
    progress.start("shifted frames", len(rows), "cines")
    for start in range(0, len(rows), BATCH_SIZE):
        piece = rows[start : start + BATCH_SIZE]
        clips = _read_clips(reader, piece, aligned)
        for shift in range(1, num_steps):
            moved = roll_frames(clips, num_steps=num_steps, shift=shift)
            shifted[shift - 1].append(_cine_steps(aligned, aligned.cine_encoder, moved))
        progress.advance("shifted frames", len(piece))
    progress.finish("shifted frames")
    return [np.concatenate(parts) for parts in shifted]


def _read_clips(
    reader: ShardReader, rows: Int64[Array, " row"], aligned: AlignedRun
) -> Float32[Array, "row frame height width"]:
    frames = reader.read_cine_bytes(rows)
    return choose_frames(frames, aligned.view.num_frames, torch.device("cpu")).numpy()


def _ecg_steps(
    aligned: AlignedRun,
    encoder: TokenEncoder,
    signals: Float32[Array, "record 12 sample"],
    peaks: list[Int64[Array, " beat"]],
) -> Float32[Array, "record step dim"]:
    steps = encode_ecgs(encoder, None, signals, peaks, aligned.view, with_steps=True).steps
    assert steps is not None
    return steps


def _cine_steps(
    aligned: AlignedRun, encoder: TokenEncoder, clips: Float32[Array, "record frame height width"]
) -> Float32[Array, "record step dim"]:
    steps = encode_cines(encoder, None, clips, aligned.view, with_steps=True).steps
    assert steps is not None
    return steps
