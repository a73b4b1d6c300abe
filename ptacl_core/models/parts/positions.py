"""Learnable positions, and moving them to another grid."""

import torch
from torch import nn
from torch.nn import functional

from ptacl_core.errors import CheckpointError
from ptacl_core.tensors import Float, Generator, Int, Tensor


class LearnedPositions(nn.Module):
    """One learnable vector per token, zero at the start unless `init_std` is given."""

    def __init__(self, num_tokens: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(num_tokens, dim))

    def draw(self, std: float, *, generator: Generator | None = None) -> None:
        """Start from a normal distribution cut at two standard deviations; 0 keeps zeros."""
        if std > 0:
            nn.init.trunc_normal_(self.table, std=std, a=-2 * std, b=2 * std, generator=generator)

    def forward(
        self, ids_keep: Int[Tensor, "batch keep"] | None = None
    ) -> Float[Tensor, "*batch token dim"]:
        """All positions [token, dim], or those of the kept tokens [batch, keep, dim]."""
        return self.table if ids_keep is None else functional.embedding(ids_keep, self.table)


def interpolate_positions(
    table: Float[Tensor, "source dim"],
    *,
    source_grid: tuple[int, ...],
    target_grid: tuple[int, ...],
) -> Float[Tensor, "target dim"]:
    """Positions of one grid resampled linearly to another of the same number of axes.

    For an ECG grid (lead, slot) the leads must agree: they are names, not a scale. Raises
    CheckpointError naming both grids where the positions cannot be moved.
    """
    if source_grid == target_grid:
        return table
    num_axes = len(source_grid)
    is_ecg = num_axes == 2
    size = 1
    for tokens in source_grid:
        size *= tokens
    if num_axes != len(target_grid) or num_axes not in (2, 3) or size != len(table):
        raise CheckpointError(
            f"positions: a table of {len(table)} rows on the grid {source_grid} cannot be moved "
            f"to the grid {target_grid}; build the encoder with the checkpoint's settings"
        )
    if is_ecg and source_grid[0] != target_grid[0]:
        raise CheckpointError(
            f"positions: the checkpoint has {source_grid[0]} leads, the encoder "
            f"{target_grid[0]}; leads cannot be interpolated, set num_leads = {source_grid[0]}"
        )
    dim = table.shape[1]
    if is_ecg:
        image = table.view(source_grid[0], source_grid[1], dim).permute(0, 2, 1)
        moved = functional.interpolate(image, target_grid[1], mode="linear").permute(0, 2, 1)
    else:
        volume = table.view(*source_grid, dim).permute(3, 0, 1, 2)[None]
        moved = functional.interpolate(volume, target_grid, mode="trilinear")[0]
        moved = moved.permute(1, 2, 3, 0)
    return moved.reshape(-1, dim).contiguous()
