"""Random parameters of a batch: drawn from the passed generator, brought to the data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Bool, Float, Generator, Tensor, move_to_device


@dataclass(frozen=True, slots=True)
class BatchDraws:
    """Draws for a batch of `num_rows`, of which the data are the rows from `start` on.

    The numbers of a row depend on its place in the batch and not on how the batch was divided
    among processes.
    """

    generator: Generator
    start: int
    num_rows: int


Draws = Generator | BatchDraws
"""Where augmentations draw from; a plain generator draws for the rows at hand."""


def draw_uniform(
    shape: tuple[int, ...], low: float, high: float, draws: Draws, device: torch.device
) -> Float[Tensor, "..."]:
    """Float32 values uniform on [low, high), one line per row of the data."""
    return move_to_device(low + (high - low) * _draw_rows(torch.rand, shape, draws), device)


def draw_normal(shape: tuple[int, ...], draws: Draws, device: torch.device) -> Float[Tensor, "..."]:
    """Float32 standard normal values, one line per row of the data."""
    return move_to_device(_draw_rows(torch.randn, shape, draws), device)


def draw_choice(
    num_rows: int, probability: float, draws: Draws, device: torch.device
) -> Bool[Tensor, " batch"]:
    """For each row True with `probability`."""
    return _take_share(draw_batch_choice(num_rows, probability, draws, device), num_rows, draws)


def draw_batch_choice(
    num_rows: int, probability: float, draws: Draws, device: torch.device
) -> Bool[Tensor, " all"]:
    """The same for all rows of the batch, those of other processes included."""
    if not 0.0 <= probability <= 1.0:
        raise ConfigError(f"probability: expected a number within [0, 1], got {probability!r}")
    generator, num_all = _whole(draws, num_rows)
    unit = torch.rand(num_all, generator=generator, device=generator.device)
    return move_to_device(unit < probability, device)


def first_row_of(draws: Draws) -> int:
    """Where the rows at hand begin within the batch that is drawn for."""
    return draws.start if isinstance(draws, BatchDraws) else 0


def generator_of(draws: Draws) -> Generator:
    """The generator behind `draws`."""
    return draws.generator if isinstance(draws, BatchDraws) else draws


def _draw_rows(draw: Callable[..., Tensor], shape: tuple[int, ...], draws: Draws) -> Tensor:
    generator, num_all = _whole(draws, shape[0])
    drawn = draw((num_all, *shape[1:]), generator=generator, device=generator.device)
    return _take_share(drawn, shape[0], draws)


def _whole(draws: Draws, num_rows: int) -> tuple[Generator, int]:
    if isinstance(draws, BatchDraws):
        return draws.generator, draws.num_rows
    return draws, num_rows


def _take_share(values: Tensor, num_rows: int, draws: Draws) -> Tensor:
    first = first_row_of(draws)
    return values[first : first + num_rows]
