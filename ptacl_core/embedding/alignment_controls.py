"""What must change an alignment that has learnt physiology, and leaves one that reads a clock.

A model can put step k of the ECG beside step k of the cine by its position embeddings alone.
These are the recordings and encoders with which evaluation.md §3.4 tells the two apart.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.models import LearnedPositions, TokenEncoder


def without_positions(encoder: TokenEncoder) -> TokenEncoder | None:
    """A copy of `encoder` with every position embedding zero; None where it has none."""
    copy = deepcopy(encoder)
    tables = [module for module in copy.modules() if isinstance(module, LearnedPositions)]
    if not tables:
        return None
    with torch.no_grad():
        for positions in tables:
            positions.table.zero_()
    return copy


def permute_within_beats(
    signals: Float32[Array, "record 12 sample"],
    r_peak_samples: Sequence[Int64[Array, " beat"]],
    *,
    patch_samples: int,
    generator: np.random.Generator,
) -> Float32[Array, "record 12 sample"]:
    """The patches of each beat in a random other order, all leads alike.

    A patch belongs to the beat in which its middle lies; what comes before the first R peak
    and after the last stays. Position embeddings then stand at patches of other phases.
    """
    num_slots = signals.shape[2] // patch_samples
    middles = (np.arange(num_slots) + 0.5) * patch_samples
    permuted = signals.copy()
    for record, peaks in enumerate(r_peak_samples):
        order = np.arange(num_slots)
        beat = np.searchsorted(np.asarray(peaks), middles, side="right")
        for number in range(1, len(peaks)):
            slots = np.flatnonzero(beat == number)
            order[slots] = generator.permutation(slots)
        patches = signals[record, :, : num_slots * patch_samples]
        patches = patches.reshape(len(patches), num_slots, patch_samples)
        permuted[record, :, : num_slots * patch_samples] = patches[:, order].reshape(
            len(patches), -1
        )
    return permuted


def roll_frames(
    frames: Float32[Array, "record frame height width"], *, num_steps: int, shift: int
) -> Float32[Array, "record frame height width"]:
    """Frames moved around the cycle by `shift` of `num_steps` steps.

    Step t then shows what step t + shift showed.
    """
    per_step = frames.shape[1] // num_steps
    return np.roll(frames, -shift * per_step, axis=1)
