"""Prepared ECGs as an encoder takes them: a crop, or the steps of its beats."""

from collections.abc import Sequence

import numpy as np
import torch

from ptacl_core.arrays import Array, Bool, Int64
from ptacl_core.augment.beats import beats_as_steps, mean_beat, step_matrices
from ptacl_core.models import BeatPatches, TokenEncoder
from ptacl_core.models.encoder_view import EncoderView
from ptacl_core.models.patch_transformer import PatchTransformer
from ptacl_core.preprocess import beat_step_matrices
from ptacl_core.preprocess.beat_spans import beat_spans, rhythm_values
from ptacl_core.tensors import Float, Tensor, move_to_device


def find_beat_layout(encoder: TokenEncoder) -> BeatPatches | None:
    """How an encoder of the beat family cuts a beat; None for every other encoder."""
    is_beat = isinstance(encoder, PatchTransformer) and isinstance(encoder.layout, BeatPatches)
    return encoder.layout if is_beat else None  # pyright: ignore[reportReturnType]


def build_ecg_input(
    encoder: TokenEncoder,
    signals: Float[Array, "record 12 sample"],
    r_peak_samples: Sequence[Int64[Array, " beat"]],
    *,
    crop_samples: int,
) -> Float[Tensor, "record ..."]:
    """What `encoder.tokens` takes, on its device: as training sees it, without augmentation.

    The first `crop_samples` samples, or the mean of all complete beats in them with the rhythm.
    """
    device = next(encoder.parameters()).device
    crops = torch.from_numpy(np.ascontiguousarray(signals[:, :, :crop_samples]))
    batch = move_to_device(crops, device).float()
    layout = find_beat_layout(encoder)
    if layout is None:
        return batch
    spans = beat_spans(r_peak_samples, num_samples=batch.shape[2])
    rhythm = rhythm_values(r_peak_samples, num_samples=batch.shape[2])
    num_points = layout.num_steps * layout.samples_per_step
    beat = mean_beat(batch, move_to_device(torch.from_numpy(spans), device), num_points=num_points)
    return beats_as_steps(
        beat, move_to_device(torch.from_numpy(rhythm), device), num_steps=layout.num_steps
    )


def build_step_matrices(
    encoder: TokenEncoder,
    r_peak_samples: Sequence[Int64[Array, " beat"]],
    view: EncoderView,
) -> tuple[Float[Tensor, "record step slot"], Bool[Array, " record"]]:
    """Matrices from tokens to steps, and whether each recording holds a complete beat."""
    device = next(encoder.parameters()).device
    if find_beat_layout(encoder) is not None:
        is_valid = beat_spans(r_peak_samples, num_samples=view.crop_samples)[:, 0, 0] >= 0
        return step_matrices(
            move_to_device(torch.from_numpy(is_valid), device), view.num_steps
        ), is_valid
    matrices, is_valid = beat_step_matrices(
        list(r_peak_samples),
        crop_starts=np.zeros(len(r_peak_samples), np.int64),
        num_samples=view.crop_samples,
        patch_samples=view.patch_samples,
        num_steps=view.num_steps,
        mode=view.beat_mode,
    )
    return move_to_device(torch.from_numpy(matrices), device), is_valid
