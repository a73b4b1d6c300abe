"""Torch array types, with the axis legend of `arrays`, and the way of a tensor to its device."""

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Generator, Tensor

__all__ = ["Bool", "Float", "Generator", "Int", "Tensor", "UInt8", "move_to_device", "scale_bytes"]


def move_to_device(values: Tensor, device: torch.device | str) -> Tensor:
    """`values` on `device`; the host does not wait for a GPU.

    Memory that is not pinned would be copied while the host stands still, so it is pinned
    first. The copy is ordered before whatever the current stream does next with the result.
    """
    if torch.device(device).type == "cuda" and values.device.type == "cpu":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


def scale_bytes(values: Tensor) -> Tensor:
    """Float32 in [0, 1] of pixels that were kept, or sent to the device, as 255 steps in bytes.

    Values that are floating already are in [0, 1] and stay.
    """
    return values.float().div_(255.0) if values.dtype == torch.uint8 else values.float()
