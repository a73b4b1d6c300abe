"""An encoder made of convolutional stages: what both convolutional baselines share."""

import torch
from torch import nn

from ptacl_core.errors import ConfigError
from ptacl_core.models.parts.layers import Float32LayerNorm, init_linear_layers
from ptacl_core.models.token_encoder import TokenEncoder
from ptacl_core.tensors import Float, Generator, Int, Tensor


class ConvolutionalStack(nn.Module):
    """A stem, residual stages, and a linear layer with LayerNorm that makes tokens of the places.

    Group normalisation throughout: no batch statistics, so one process and several agree.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: list[nn.Module],
        *,
        width: int,
        dim: int,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.to_tokens = nn.Linear(width, dim)
        self.final_norm = Float32LayerNorm(dim)
        self.num_frozen_stages = 0
        self.has_frozen_stem = False
        init_linear_layers(self, generator=generator)
        for part in self.modules():
            if isinstance(part, nn.Conv1d | nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu", generator=generator)

    def forward(self, maps: Float[Tensor, "batch channel ..."]) -> Float[Tensor, "batch place dim"]:
        """Tokens of all places, the last axes flattened in their order."""
        num_fixed = self.num_frozen_stages if self.has_frozen_stem else 0
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.has_frozen_stem):
            maps = self.stem(maps)
            for stage in self.stages[:num_fixed]:
                maps = stage(maps)
        for stage in self.stages[num_fixed:]:
            maps = stage(maps)
        return self.final_norm(self.to_tokens(maps.flatten(2).transpose(1, 2)))

    def freeze_first(self, num_stages: int, *, stem: bool) -> None:
        """Fix the first stages, and with `stem` the stem."""
        if not 0 <= num_stages <= len(self.stages):
            raise ConfigError(
                f"freeze_first: expected 0 to {len(self.stages)} stages, got {num_stages}"
            )
        self.num_frozen_stages = num_stages
        self.has_frozen_stem = stem
        self.stem.requires_grad_(not stem)
        for index, stage in enumerate(self.stages):
            stage.requires_grad_(index >= num_stages)


class ConvolutionalEncoder(TokenEncoder):
    """A token encoder around a `ConvolutionalStack`; it cannot leave tokens out."""

    stack: ConvolutionalStack

    @property
    def num_layers(self) -> int:
        """Stem, stages, output."""
        return len(self.stack.stages) + 2

    def refuse_masking(self, ids_keep: Int[Tensor, "batch keep"] | None) -> None:
        """Raise ConfigError where some tokens only were asked for."""
        if ids_keep is not None:
            raise ConfigError(
                f"ids_keep: {type(self).__name__} computes all tokens at once; masked "
                "pretraining needs the encoder family 'vit'"
            )

    def freeze_first(self, num_blocks: int, *, embeddings: bool = True) -> None:
        """Fix the first stages and, with `embeddings`, the stem."""
        self.stack.freeze_first(num_blocks, stem=embeddings)

    def layer_of(self, parameter_name: str) -> int:
        """0 for the stem, i + 1 for stage i, the last for the output."""
        _, part, *rest = parameter_name.split(".")
        if part == "stages":
            return int(rest[0]) + 1
        return 0 if part == "stem" else self.num_layers - 1


def num_norm_groups(width: int) -> int:
    """Groups of a normalisation over `width` channels: 8, or fewer where 8 does not divide."""
    return next(groups for groups in (8, 4, 2, 1) if width % groups == 0)
