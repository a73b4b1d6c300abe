"""The pre-norm transformer block and stacks of it."""

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ptacl_core.models.parts.attention import AttentionKind, SelfAttention
from ptacl_core.models.parts.layers import DropPath, Float32LayerNorm, rows_at_hand, share_rows
from ptacl_core.tensors import Float, Tensor


class FeedForward(nn.Module):
    """Linear, GELU, linear."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, hidden_dim)
        self.contract = nn.Linear(hidden_dim, dim)

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """Each token on its own, as contiguous 2-D products."""
        rows = tokens.reshape(-1, tokens.shape[-1])
        return self.contract(functional.gelu(self.expand(rows))).view(tokens.shape)


class TransformerBlock(nn.Module):
    """x + γ₁·attention(norm(x)), then x + γ₂·feed-forward(norm(x)), γ per channel (LayerScale)."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        mlp_dim: int,
        *,
        layer_scale_init: float | None = 1e-5,
        drop_path: float = 0.0,
        attention: AttentionKind = "auto",
    ) -> None:
        super().__init__()
        self.attention_norm = Float32LayerNorm(dim)
        self.attention = SelfAttention(dim, num_heads, attention=attention)
        self.feed_forward_norm = Float32LayerNorm(dim)
        self.feed_forward = FeedForward(dim, mlp_dim)
        self.drop_path = DropPath(drop_path)
        self.attention_scale = _layer_scale(dim, layer_scale_init)
        self.feed_forward_scale = _layer_scale(dim, layer_scale_init)
        self.is_recomputed = False

    def forward(self, tokens: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        """The block's tokens; the residual stream keeps the input's precision."""
        if not (self.is_recomputed and torch.is_grad_enabled()):
            return self._transform(tokens)
        share = rows_at_hand()

        def transform(values: Tensor) -> Tensor:
            # On the way back no context of the way here is left, on a GPU not even the thread.
            with share_rows(share):
                return self._transform(values)

        return checkpoint(
            transform, tokens, use_reentrant=False, preserve_rng_state=self.drop_path.rate > 0
        )

    def _transform(
        self, tokens: Float[Tensor, "batch token dim"]
    ) -> Float[Tensor, "batch token dim"]:
        branch = self.drop_path(self.attention(self.attention_norm(tokens)))
        tokens = _add_scaled(tokens, branch, self.attention_scale)
        branch = self.drop_path(self.feed_forward(self.feed_forward_norm(tokens)))
        return _add_scaled(tokens, branch, self.feed_forward_scale)


def recompute_blocks(module: nn.Module) -> None:
    """Let every block within `module` keep its input only, and compute again on the way back."""
    for part in module.modules():
        if isinstance(part, TransformerBlock):
            part.is_recomputed = True


def build_blocks(
    depth: int,
    dim: int,
    num_heads: int,
    mlp_dim: int,
    *,
    layer_scale_init: float | None = 1e-5,
    drop_path: float = 0.0,
    attention: AttentionKind = "auto",
) -> nn.ModuleList:
    """`depth` blocks whose drop-path rate rises linearly from 0 to `drop_path`."""
    return nn.ModuleList(
        TransformerBlock(
            dim,
            num_heads,
            mlp_dim,
            layer_scale_init=layer_scale_init,
            drop_path=drop_path * index / max(depth - 1, 1),
            attention=attention,
        )
        for index in range(depth)
    )


def _layer_scale(dim: int, init: float | None) -> nn.Parameter | None:
    return nn.Parameter(torch.full((dim,), init)) if init else None


def _add_scaled(
    tokens: Float[Tensor, "batch token dim"],
    branch: Float[Tensor, "batch token dim"],
    scale: Float[Tensor, " dim"] | None,
) -> Float[Tensor, "batch token dim"]:
    return tokens + branch if scale is None else torch.addcmul(tokens, scale, branch)
