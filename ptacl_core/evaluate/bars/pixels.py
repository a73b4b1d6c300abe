"""The pixels of a cine, coarse: what a line can read without any learning."""

import numpy as np
from jaxtyping import Num

from ptacl_core.arrays import Array, Float32

NUM_PHASES = 13
BLOCK_PX = 6


def pixel_features(
    clips: Num[Array, "patient frame height width"],
    *,
    num_phases: int = NUM_PHASES,
    block_px: int = BLOCK_PX,
) -> Float32[Array, "patient feature"]:
    """Means of blocks of `block_px` × `block_px` pixels and of the frames of each phase.

    Frame f of F belongs to phase ⌊f · num_phases / F⌋. Pixels beyond whole blocks, at the lower
    and right border, are left out. Values keep their scale; ridge standardises them.
    """
    num_patients, num_frames, height, width = clips.shape
    rows, columns = height // block_px, width // block_px
    cut = clips[:, :, : rows * block_px, : columns * block_px]
    blocks = cut.reshape(num_patients, num_frames, rows, block_px, columns, block_px).mean(
        axis=(3, 5), dtype=np.float32
    )
    phase = np.arange(num_frames) * num_phases // num_frames
    means = [blocks[:, phase == index].mean(axis=1) for index in np.unique(phase)]
    return np.stack(means, axis=1).reshape(num_patients, -1)
