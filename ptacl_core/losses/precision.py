"""Losses are computed in float32 or better, whatever autocast the model runs under."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ptacl_core.tensors import Float, Tensor


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Switch autocast off on `device` for the time of a loss."""
    with torch.autocast(device.type, enabled=False):
        yield


def at_least_float32(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Half-precision values as float32; float32 and float64 as they are."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def unit_length(features: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Rows divided by their Euclidean length (at least 1e-8), so that dot products are cosines."""
    return torch.nn.functional.normalize(at_least_float32(features), dim=-1, eps=1e-8)
