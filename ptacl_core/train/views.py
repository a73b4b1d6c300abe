"""From whole recordings to what an encoder takes: crop, frames, augmentation, beat steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from ptacl_core.augment import (
    augment_cine,
    augment_ecg,
    cine_frame_indices,
    crop_ecg,
    draw_cine_frame_indices,
    random_ecg_crop_starts,
    sample_cine_frames,
)
from ptacl_core.preprocess import beat_step_matrices
from ptacl_core.tensors import Bool, Float, Int, Tensor, move_to_device
from ptacl_core.train.batches import Batch
from ptacl_core.train.randomness import StepRandomness


@dataclass(frozen=True, slots=True)
class EcgViews:
    """Crops of ECGs. `strengths` are arguments of `augment_ecg`.

    Everything is drawn for the whole global batch, so that no view depends on the number of
    processes.
    """

    crop_samples: int
    patch_samples: int
    num_steps: int
    beat_mode: Literal["phase", "tokens"] = "phase"
    strengths: Mapping[str, Any] = field(default_factory=dict)

    def draw(
        self, batch: Batch, draws: StepRandomness, *, is_training: bool
    ) -> tuple[Float[Tensor, "batch lead crop"], Int[Tensor, " batch"]]:
        """Crops and where they start: random and augmented, or from the first sample as is."""
        assert batch.ecg is not None
        if not is_training:
            starts = torch.zeros(len(batch.ecg), dtype=torch.long)
            return crop_ecg(batch.ecg, starts, crop_samples=self.crop_samples), starts
        starts = random_ecg_crop_starts(
            batch.global_size,
            draws.shared,
            num_samples=batch.ecg.shape[2],
            crop_samples=self.crop_samples,
        )[batch.share]
        crops = crop_ecg(batch.ecg, starts, crop_samples=self.crop_samples)
        return augment_ecg(crops, batch.draws(draws.own), **self.strengths), starts

    def beat_matrices(
        self, batch: Batch, starts: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch step slot"], Bool[Tensor, " batch"]]:
        """Beat-step matrices of the crops, and whether each holds a complete beat."""
        assert batch.ecg is not None
        assert batch.r_peaks is not None
        matrices, is_valid = beat_step_matrices(
            batch.r_peaks,
            crop_starts=starts.numpy().astype(np.int64),
            num_samples=self.crop_samples,
            patch_samples=self.patch_samples,
            num_steps=self.num_steps,
            mode=self.beat_mode,
        )
        device = batch.ecg.device
        return (
            move_to_device(torch.from_numpy(matrices), device),
            move_to_device(torch.from_numpy(is_valid), device),
        )


@dataclass(frozen=True, slots=True)
class CineViews:
    """Clips of cines. `strengths` are arguments of `augment_cine`."""

    num_frames: int
    strengths: Mapping[str, Any] = field(default_factory=dict)

    def draw(
        self, batch: Batch, draws: StepRandomness, *, is_training: bool
    ) -> Float[Tensor, "batch frame height width"]:
        """Clips in [0, 1]: frames drawn and augmented, or evenly from end-diastole as is."""
        assert batch.cine is not None
        num_source = batch.cine.shape[1]
        if not is_training:
            frames = cine_frame_indices(num_source_frames=num_source, num_frames=self.num_frames)
            return sample_cine_frames(batch.cine, frames)
        frames = draw_cine_frame_indices(
            batch.global_size,
            draws.shared,
            num_source_frames=num_source,
            num_frames=self.num_frames,
        )[batch.share]
        clips = sample_cine_frames(batch.cine, frames)
        return augment_cine(clips, batch.draws(draws.own), **self.strengths)
