"""From whole ECGs to the steps of a beat, which the encoders of the beat family take."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from ptacl_core.arrays import Array, Int64
from ptacl_core.augment import augment_ecg
from ptacl_core.augment.beats import beats_as_steps, draw_beats, mean_beat, step_matrices
from ptacl_core.preprocess.beat_spans import beat_spans, rhythm_values
from ptacl_core.tensors import Bool, Float, Int, Tensor, move_to_device
from ptacl_core.train.batches import Batch
from ptacl_core.train.randomness import StepRandomness


@dataclass(frozen=True, slots=True)
class BeatViews:
    """Mean beats of ECGs, R to R, with their rhythm. `strengths` are arguments of `augment_ecg`.

    A training view averages `beats_per_view` beats in a row, drawn for the whole global batch
    so that the draw does not depend on the number of processes; evaluation averages all. The
    augmentations act on the beat. A recording without a complete beat gives zeros.
    """

    num_samples: int
    num_steps: int
    samples_per_step: int
    beats_per_view: int
    strengths: Mapping[str, Any] = field(default_factory=dict)

    def draw(
        self, batch: Batch, draws: StepRandomness, *, is_training: bool
    ) -> tuple[Float[Tensor, "batch step value"], Int[Tensor, " batch"]]:
        """Steps of the beats, and zeros: every recording is read from its first sample."""
        assert batch.ecg is not None
        assert batch.r_peaks is not None
        ecg = batch.ecg[:, :, : self.num_samples]
        spans = torch.from_numpy(self._spans(batch))
        if is_training:
            draw = torch.rand(batch.global_size, generator=draws.shared)[batch.share]
            spans = draw_beats(spans, draw, num_beats=self.beats_per_view)
        num_points = self.num_steps * self.samples_per_step
        beat = mean_beat(ecg, move_to_device(spans, ecg.device), num_points=num_points)
        if is_training:
            beat = augment_ecg(beat, batch.draws(draws.own), **self.strengths)
        rhythm = rhythm_values(batch.r_peaks, num_samples=self.num_samples)
        steps = beats_as_steps(
            beat, move_to_device(torch.from_numpy(rhythm), ecg.device), num_steps=self.num_steps
        )
        return steps, torch.zeros(len(ecg), dtype=torch.long)

    def beat_matrices(
        self, batch: Batch, starts: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch step slot"], Bool[Tensor, " batch"]]:
        """The identity for each recording that holds a complete beat, zeros for the others."""
        del starts  # recordings are read from their first sample
        assert batch.ecg is not None
        has_beat = torch.from_numpy(self._spans(batch)[:, 0, 0] >= 0)
        is_valid = move_to_device(has_beat, batch.ecg.device)
        return step_matrices(is_valid, self.num_steps), is_valid

    def _spans(self, batch: Batch) -> Int64[Array, "batch beat 2"]:
        assert batch.r_peaks is not None
        return beat_spans(batch.r_peaks, num_samples=self.num_samples)
