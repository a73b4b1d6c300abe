"""Random parameters of a batch: drawn from the passed generator, brought to the data."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Bool, Float, Generator, Tensor


def draw_uniform(
    shape: tuple[int, ...], low: float, high: float, generator: Generator, device: torch.device
) -> Float[Tensor, "..."]:
    """Float32 values uniform on [low, high), drawn on the generator's device."""
    unit = torch.rand(shape, generator=generator, device=generator.device)
    return (low + (high - low) * unit).to(device, non_blocking=True)


def draw_normal(
    shape: tuple[int, ...], generator: Generator, device: torch.device
) -> Float[Tensor, "..."]:
    """Float32 standard normal values, drawn on the generator's device."""
    return torch.randn(shape, generator=generator, device=generator.device).to(
        device, non_blocking=True
    )


def draw_choice(
    batch_size: int, probability: float, generator: Generator, device: torch.device
) -> Bool[Tensor, " batch"]:
    """For each sample True with `probability`."""
    if not 0.0 <= probability <= 1.0:
        raise ConfigError(f"probability: expected a number within [0, 1], got {probability!r}")
    unit = torch.rand(batch_size, generator=generator, device=generator.device)
    return (unit < probability).to(device, non_blocking=True)
