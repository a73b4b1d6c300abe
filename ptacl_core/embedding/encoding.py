"""Features of whole cohorts: encoders in evaluation mode, no augmentation, bounded memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ptacl_core.arrays import Array, Bool, Float32, Int64, UInt8
from ptacl_core.augment import cine_frame_indices
from ptacl_core.embedding.ecg_input import build_ecg_input, build_step_matrices
from ptacl_core.models import (
    TokenEncoder,
    VectorEncoder,
    cine_step_features,
    ecg_step_features,
    mean_pool,
)
from ptacl_core.models.encoder_view import EncoderView
from ptacl_core.tensors import move_to_device, scale_bytes
from ptacl_core.train.precision import autocast, encoding_precision


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What an encoder says of each recording.

    `pooled` is the mean over tokens (before projection), `projected` the L2-normalised
    embedding of the contrastive space (None without a projection), `steps` the 13 step
    features and `is_step_valid` whether a complete beat was there to make them from.
    """

    pooled: Float32[Array, "patient dim"]
    projected: Float32[Array, "patient embedding"] | None
    steps: Float32[Array, "patient step dim"] | None
    is_step_valid: Bool[Array, " patient"]


@torch.no_grad()
def encode_ecgs(
    encoder: TokenEncoder,
    projection: torch.nn.Module | None,
    signals: Float32[Array, "patient 12 sample"],
    r_peak_samples: Sequence[Int64[Array, " beat"]],
    view: EncoderView,
    *,
    with_steps: bool = False,
) -> Features:
    """Features of prepared ECGs, from the first `view.crop_samples` samples as in the paper.

    An encoder of the beat family takes the mean of all complete beats in them.
    """
    batch = build_ecg_input(encoder, signals, r_peak_samples, crop_samples=view.crop_samples)
    tokens = apply_encoder(encoder, batch, view.precision)
    matrices, is_valid = build_step_matrices(encoder, r_peak_samples, view)
    steps = None
    if with_steps:
        steps = _to_numpy(ecg_step_features(tokens, matrices, num_leads=encoder.grid[0]))
    return _collect(tokens, projection, steps, is_valid)


@torch.no_grad()
def encode_cines(
    encoder: TokenEncoder,
    projection: torch.nn.Module | None,
    frames: Float32[Array, "patient frame height width"]
    | UInt8[Array, "patient frame height width"],
    view: EncoderView,
    *,
    with_steps: bool = False,
) -> Features:
    """Features of prepared cines in [0, 1], or as bytes, from phase-uniform frames."""
    device = next(encoder.parameters()).device
    clips = choose_frames(frames, view.num_frames, device)
    tokens = apply_encoder(encoder, clips, view.precision)
    num_steps = encoder.grid[0]
    steps = _to_numpy(cine_step_features(tokens, num_steps=num_steps)) if with_steps else None
    return _collect(tokens, projection, steps, np.ones(len(frames), bool))


@torch.no_grad()
def encode_vectors(
    encoder: VectorEncoder,
    projection: torch.nn.Module | None,
    vectors: Float32[Array, "patient value"],
    view: EncoderView,
) -> Features:
    """Features of precomputed vectors, which have no steps."""
    batch = move_to_device(torch.from_numpy(vectors), encoder.mean.device)
    tokens = apply_encoder(encoder, batch, view.precision)
    return _collect(tokens, projection, None, np.ones(len(vectors), bool))


@torch.no_grad()
def apply_encoder(encoder: TokenEncoder, batch: torch.Tensor, precision: str) -> torch.Tensor:
    """Tokens of trained encoders, for probes, stored embeddings, evaluation and prediction alike.

    On a GPU in the run's precision, on the CPU in float32.
    """
    encoder.eval()
    with autocast(batch.device, encoding_precision(batch.device, precision)):
        return encoder.tokens(batch)


def choose_frames(frames: Array, num_frames: int, device: torch.device) -> torch.Tensor:
    """Clips in [0, 1] on `device`; bytes travel as they are."""
    indices = cine_frame_indices(num_source_frames=frames.shape[1], num_frames=num_frames)
    chosen = frames[:, indices.numpy()]
    clips = move_to_device(torch.from_numpy(np.ascontiguousarray(chosen)), device)
    return scale_bytes(clips)


def join_pieces(pieces: Sequence[Features]) -> Features:
    """Features of rows that were encoded piece by piece, in their order."""
    return Features(
        pooled=np.concatenate([piece.pooled for piece in pieces]),
        projected=_concatenate([piece.projected for piece in pieces]),
        steps=_concatenate([piece.steps for piece in pieces]),
        is_step_valid=np.concatenate([piece.is_step_valid for piece in pieces]),
    )


def _collect(
    tokens: torch.Tensor,
    projection: torch.nn.Module | None,
    steps: Float32[Array, "patient step dim"] | None,
    is_valid: Bool[Array, " patient"],
) -> Features:
    pooled = mean_pool(tokens).float()
    projected = None
    if projection is not None:
        projection.eval()
        projected = _to_numpy(torch.nn.functional.normalize(projection(pooled), dim=-1))
    return Features(_to_numpy(pooled), projected, steps, is_valid)


def _to_numpy(values: torch.Tensor) -> Array:
    return values.float().cpu().numpy()


def _concatenate(parts: list[Array | None]) -> Array | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None
