"""The small layers of a transformer block: norm, scale, dropped paths."""

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


class DropPath(nn.Module):
    """While training, leaves the branch of a whole sample out with probability `rate`.

    The kept ones are divided by 1 − rate. Draws from torch's default generator of the device,
    whose state a checkpoint keeps.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """The branch, or zeros for the samples left out."""
        if self.rate == 0.0 or not self.training:
            return branch
        kept = torch.rand(len(branch), 1, 1, device=branch.device) >= self.rate
        return branch * (kept / (1.0 - self.rate)).to(branch.dtype)


def init_linear_layers(module: nn.Module, *, generator: Generator | None = None) -> None:
    """Draw every linear and convolutional weight from N(0, 0.02), biases 0 (method.md §4)."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
            nn.init.normal_(part.weight, std=0.02, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
