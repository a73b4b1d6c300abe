"""Multi-head self-attention with biases on query and value only."""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor

AttentionKind = Literal["auto", "fused", "explicit"]
"""How attention is computed; "auto" takes the explicit softmax for bf16 on the CPU."""


class SelfAttention(nn.Module):
    """Scaled dot-product self-attention; one contiguous 2-D product makes query, key and value."""

    def __init__(self, dim: int, num_heads: int, *, attention: AttentionKind = "auto") -> None:
        super().__init__()
        if dim % num_heads:
            raise ConfigError(f"num_heads: expected a divisor of dim {dim}, got {num_heads}")
        self.num_heads = num_heads
        self.attention: AttentionKind = attention
        self.query_key_value = nn.Linear(dim, 3 * dim, bias=False)
        self.query_bias = nn.Parameter(torch.zeros(dim))
        self.value_bias = nn.Parameter(torch.zeros(dim))
        self.output = nn.Linear(dim, dim)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Each token's mixture of all tokens' values."""
        batch_size, num_tokens, dim = tokens.shape
        bias = torch.cat((self.query_bias, torch.zeros_like(self.query_bias), self.value_bias))
        rows = tokens.reshape(-1, dim)
        packed = functional.linear(rows, self.query_key_value.weight, bias)
        packed = packed.view(batch_size, num_tokens, 3, self.num_heads, dim // self.num_heads)
        query, key, value = packed.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = attend(query, key, value, kind=self.attention)
        return self.output(mixed.transpose(1, 2).reshape(-1, dim)).view(tokens.shape)


def attend(
    query: Float[Tensor, "batch head query width"],
    key: Float[Tensor, "batch head key width"],
    value: Float[Tensor, "batch head key width"],
    *,
    kind: AttentionKind = "auto",
) -> Float[Tensor, "batch head query width"]:
    """softmax(QKᵀ / √width) V.

    On the CPU the fused kernel is slower in bf16 than the explicit softmax, on a GPU it is
    several times faster and never holds the weights.
    """
    is_explicit = kind == "explicit" or (
        kind == "auto" and query.device.type == "cpu" and query.dtype == torch.bfloat16
    )
    if not is_explicit:
        return functional.scaled_dot_product_attention(query, key, value)
    scaled = query * query.shape[-1] ** -0.5
    return torch.softmax(scaled @ key.transpose(-2, -1), dim=-1).to(value.dtype) @ value
