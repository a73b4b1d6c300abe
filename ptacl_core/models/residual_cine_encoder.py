"""A residual 2-D network that takes the frames as channels: the MMCL-style cine encoder."""

import math

from torch import nn
from torch.nn import functional

from ptacl_core.models.convolutional import (
    ConvolutionalEncoder,
    ConvolutionalStack,
    num_norm_groups,
)
from ptacl_core.tensors import Float, Generator, Int, Tensor


class ResidualCineEncoder(ConvolutionalEncoder):
    """An 18-layer residual network over the frames as input channels; no time axis remains.

    MMCL feeds three slices to a ResNet-50; one slice over time stands in for them here, the
    depth is smaller, and the norms are group norms. The grid is (1, row, column): the local
    loss has no steps to work on.
    """

    def __init__(
        self,
        *,
        num_frames: int,
        size_px: int,
        dim: int,
        width: int = 64,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.dim = dim
        side = math.ceil(size_px / 16)
        self.grid = (1, side, side)
        self.input_shape = (num_frames, size_px, size_px)
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        stages: list[nn.Module] = [
            nn.Sequential(
                ResidualBlock2d(widths[index], widths[index + 1], stride=1 if index == 0 else 2),
                ResidualBlock2d(widths[index + 1], widths[index + 1], stride=1),
            )
            for index in range(4)
        ]
        stem = nn.Sequential(
            nn.Conv2d(num_frames, width, kernel_size=7, stride=2, padding=3, bias=False),
            nn.GroupNorm(num_norm_groups(width), width),
            nn.ReLU(inplace=True),
        )
        self.stack = ConvolutionalStack(
            stem, stages, width=widths[-1], dim=dim, generator=generator
        )

    def tokens(
        self,
        batch: Float[Tensor, "batch frame height width"],
        *,
        ids_keep: Int[Tensor, "batch keep"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """One token per place of the last map; `ids_keep` is refused."""
        self.refuse_masking(ids_keep)
        self.check_batch(batch)
        return self.stack(batch)


class ResidualBlock2d(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut."""

    def __init__(self, num_inputs: int, num_outputs: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(num_inputs, num_outputs, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(num_norm_groups(num_outputs), num_outputs)
        self.second = nn.Conv2d(num_outputs, num_outputs, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(num_norm_groups(num_outputs), num_outputs)
        is_same_shape = stride == 1 and num_inputs == num_outputs
        self.shortcut = (
            nn.Identity()
            if is_same_shape
            else nn.Conv2d(num_inputs, num_outputs, 1, stride=stride, bias=False)
        )

    def forward(
        self, maps: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch outputs rows columns"]:
        """Maps of the block's width, at half the size with stride 2."""
        branch = functional.relu(self.first_norm(self.first(maps)))
        branch = self.second_norm(self.second(branch))
        return functional.relu(branch + self.shortcut(maps))
