"""Augmentations: batched functions of (tensor, generator) on the device of the data."""

from ptacl_core.augment.cine import augment_cine
from ptacl_core.augment.cine_frames import (
    cine_frame_indices,
    draw_cine_frame_indices,
    sample_cine_frames,
)
from ptacl_core.augment.draws import BatchDraws, Draws
from ptacl_core.augment.ecg import augment_ecg, fourier_surrogate, jitter, rescale
from ptacl_core.augment.ecg_crop import crop_ecg, random_ecg_crop_starts

__all__ = [
    "BatchDraws",
    "Draws",
    "augment_cine",
    "augment_ecg",
    "cine_frame_indices",
    "crop_ecg",
    "draw_cine_frame_indices",
    "fourier_surrogate",
    "jitter",
    "random_ecg_crop_starts",
    "rescale",
    "sample_cine_frames",
]
