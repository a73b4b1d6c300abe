"""Which frames of the cycle the cine encoder sees: evenly over the phase, in order."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Generator, Int, Tensor, move_to_device, scale_bytes


def cine_frame_indices(
    *, num_source_frames: int = 50, num_frames: int = 26
) -> Int[Tensor, " frame"]:
    """Frames of evaluation: f_i = ⌊50 · (i + ½) / 26⌋, the middle of each 26th of the cycle.

    So 13 pairs cover 13 equal phases, neither early nor late of what training draws.
    """
    _require_enough(num_source_frames, num_frames)
    return (2 * torch.arange(num_frames) + 1) * num_source_frames // (2 * num_frames)


def draw_cine_frame_indices(
    batch_size: int,
    generator: Generator,
    *,
    num_source_frames: int = 50,
    num_frames: int = 26,
) -> Int[Tensor, "batch frame"]:
    """Frames of training: f_i = ⌊50 · (i + u) / 26⌋ with one u ∈ [0, 1) per clip.

    Strictly rising, within the cycle, and each within its own 26th of it. On the generator's
    device.
    """
    _require_enough(num_source_frames, num_frames)
    offset = torch.rand(batch_size, 1, generator=generator, device=generator.device)
    places = torch.arange(num_frames, device=generator.device) + offset.double()
    indices = (places * num_source_frames / num_frames).floor().long()
    return indices.clamp(max=num_source_frames - 1)


def sample_cine_frames(
    clips: Tensor, indices: Int[Tensor, "... frame"]
) -> Float[Tensor, "batch frame height width"]:
    """The frames `indices` (per clip, or one list for all) as float32 in [0, 1].

    `clips` is [batch, source, height, width], in [0, 1] or as bytes (`scale_bytes`).
    """
    if clips.dim() != 4:
        raise ConfigError(f"clips: expected [batch, frame, height, width], got {list(clips.shape)}")
    indices = move_to_device(indices, clips.device)
    if indices.dim() == 1:
        chosen = clips[:, indices]
    else:
        chosen = clips[torch.arange(len(clips), device=clips.device)[:, None], indices]
    return scale_bytes(chosen)


def _require_enough(num_source_frames: int, num_frames: int) -> None:
    if not 0 < num_frames <= num_source_frames:
        raise ConfigError(f"num_frames: expected 1 to {num_source_frames} frames, got {num_frames}")
