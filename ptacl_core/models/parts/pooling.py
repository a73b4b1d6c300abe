"""From tokens to one vector per recording."""

import torch
from torch import nn

from ptacl_core.errors import ConfigError
from ptacl_core.models.parts.attention import AttentionKind, attend
from ptacl_core.models.parts.layers import Float32LayerNorm, init_linear_layers
from ptacl_core.tensors import Float, Generator, Tensor


def mean_pool(tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch dim"]:
    """Mean over tokens, in float32: the global embedding of the paper."""
    return tokens.float().mean(dim=1) if tokens.dtype != torch.float64 else tokens.mean(dim=1)


class MeanPooling(nn.Module):
    """`mean_pool` as a module, where the alternative learns."""

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch dim"]:
        """Mean over tokens."""
        return mean_pool(tokens)


class AttentionPooling(nn.Module):
    """The mean token asks all tokens once, then a LayerNorm (fine-tuning, "AP").

    Query, key, value and output layers with biases have 4·(dim² + dim) parameters, which is
    the paper's lineage figure of 1,050,624 at 512; the LayerNorm has 2·dim more (1,024).
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        attention: AttentionKind = "auto",
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ConfigError(f"num_heads: expected a divisor of dim {dim}, got {num_heads}")
        self.num_heads = num_heads
        self.attention: AttentionKind = attention
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.output = nn.Linear(dim, dim)
        self.norm = Float32LayerNorm(dim)
        init_linear_layers(self, generator=generator)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch dim"]:
        """One vector per recording."""
        batch_size, num_tokens, dim = tokens.shape
        width = dim // self.num_heads
        query = self.query(mean_pool(tokens)).view(batch_size, 1, self.num_heads, width)
        packed = self.key_value(tokens.reshape(-1, dim))
        packed = packed.view(batch_size, num_tokens, 2, self.num_heads, width)
        key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = attend(query.transpose(1, 2), key, value, kind=self.attention)
        return self.norm(self.output(mixed.reshape(batch_size, dim)))
