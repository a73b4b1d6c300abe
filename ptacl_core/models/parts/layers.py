"""The small layers of a transformer block: norm, scale, dropped paths."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from ptacl_core.tensors import Float, Generator, Tensor


class Float32LayerNorm(nn.LayerNorm):
    """LayerNorm with eps 1e-12, computed in float32 whatever autocast says."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=1e-12)

    def forward(self, input: Float[Tensor, "... dim"]) -> Float[Tensor, "... dim"]:  # noqa: A002 - the parent's name
        """Normalised rows, float32 (float64 stays)."""
        if input.dtype in (torch.float16, torch.bfloat16):
            input = input.float()  # noqa: A001
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


@dataclass(frozen=True, slots=True)
class RowShare:
    """Which rows of a larger batch pass a module: `num_rows` in all, those of `slices` here."""

    num_rows: int
    slices: tuple[slice, ...]


@dataclass(slots=True)
class _AtHand:
    share: RowShare | None = None


_at_hand = _AtHand()
"""A plain object, whose values torch.compile can watch; one thread of a process trains."""


def rows_at_hand() -> RowShare | None:
    """The share that holds now; None where a batch stands for itself."""
    return _at_hand.share


@contextmanager
def share_rows(share: RowShare | None) -> Iterator[None]:
    """For the time of the block, modules that draw for rows draw for those of the larger batch."""
    previous, _at_hand.share = _at_hand.share, share
    try:
        yield
    finally:
        _at_hand.share = previous


class DropPath(nn.Module):
    """While training, leaves the branch of a whole sample out with probability `rate`.

    The kept ones are divided by 1 − rate. Draws from torch's default generator of the device,
    which is seeded at every step; under `share_rows` for the whole batch, so that a row is
    left out or not whichever process or piece it lies in.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """The branch, or zeros for the samples left out."""
        if self.rate == 0.0 or not self.training:
            return branch
        share = rows_at_hand()
        num_rows = len(branch) if share is None else share.num_rows
        unit = torch.rand(num_rows, 1, 1, device=branch.device)
        if share is not None:
            unit = torch.cat([unit[rows] for rows in share.slices])
        kept = unit >= self.rate
        return branch * (kept / (1.0 - self.rate)).to(branch.dtype)


def init_linear_layers(
    module: nn.Module, *, std: float = 0.02, generator: Generator | None = None
) -> None:
    """Draw every linear and convolutional weight from N(0, `std`), biases 0.

    0.02 is that of the authors' public code.
    """
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
            nn.init.normal_(part.weight, std=std, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
