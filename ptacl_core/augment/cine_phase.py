"""Turning the frames of a clip around the cardiac cycle."""

import torch

from ptacl_core.tensors import Float, Int, Tensor


def turn_frames(
    clips: Float[Tensor, "batch frame height width"], shift: Int[Tensor, " batch"]
) -> Float[Tensor, "batch frame height width"]:
    """Each clip begun `shift` frames later: frame f shows what frame f + shift did, modulo F."""
    num_frames = clips.shape[1]
    place = torch.arange(num_frames, device=clips.device)
    source = (place[None] + shift.to(clips.device)[:, None]) % num_frames
    return clips[torch.arange(len(clips), device=clips.device)[:, None], source]
