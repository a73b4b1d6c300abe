"""One encoder with pooling and a head: SimCLR, fine-tuning, supervised training."""

from collections.abc import Callable

import torch
from torch import nn

from ptacl_core.models.parts.heads import RegressionHead, SimclrHead
from ptacl_core.models.parts.pooling import AttentionPooling, MeanPooling, mean_pool
from ptacl_core.models.token_encoder import TokenEncoder
from ptacl_core.tensors import Float, Tensor


class Regressor(nn.Module):
    """Encoder, pooling, linear read-out: recordings to (z-scored) targets."""

    def __init__(
        self,
        encoder: TokenEncoder,
        pooling: MeanPooling | AttentionPooling,
        head: RegressionHead,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.head = head

    def forward(self, batch: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch target"]:
        """Predicted targets."""
        return self.head(self.pooling(self.encoder.tokens(batch)))


class SimclrModel(nn.Module):
    """Encoder, mean, SimCLR head, for two views of each recording."""

    def __init__(self, encoder: TokenEncoder, head: SimclrHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(
        self,
        first: Float[Tensor, "batch ..."],
        second: Float[Tensor, "batch ..."],
        *,
        gather: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Float[Tensor, "all projection"], Float[Tensor, "all projection"]]:
        """Projections of both views.

        `gather` brings the features of all processes together, with gradient, before the
        head: its batch statistics are then those of the whole batch. All views pass the head
        at once, so both share the statistics.
        """
        return self.project(self.features(first, second), gather=gather)

    def features(
        self, first: Float[Tensor, "batch ..."], second: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch 2 dim"]:
        """Pooled features of both views of each recording."""
        pooled = mean_pool(self.encoder.tokens(torch.cat((first, second))))
        return pooled.view(2, len(first), -1).transpose(0, 1)

    def project(
        self,
        views: Float[Tensor, "batch 2 dim"],
        *,
        gather: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Float[Tensor, "all projection"], Float[Tensor, "all projection"]]:
        """Projections of the features of both views, as `forward` describes."""
        if gather is not None:
            views = gather(views.contiguous())
        projected = self.head(views.transpose(0, 1).reshape(-1, views.shape[-1]))
        first_projected, second_projected = projected.chunk(2)
        return first_projected, second_projected
