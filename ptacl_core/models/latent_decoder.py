"""The decoder of the CMAE-style peer: a whole recording from one vector."""

import torch
from torch import nn

from ptacl_core.models.masked_autoencoder import MaskedDecoder
from ptacl_core.models.patch_transformer import PatchTransformer
from ptacl_core.tensors import Float, Generator, Tensor


class LatentDecoder(nn.Module):
    """A whole recording from one latent vector: it stands before the tokens to be filled."""

    def __init__(
        self,
        encoder: PatchTransformer,
        latent_dim: int,
        *,
        dim: int,
        depth: int,
        num_heads: int,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_tokens = encoder.num_tokens
        self.decoder = MaskedDecoder(
            latent_dim,
            encoder.num_tokens + 1,
            encoder.layout.patch_size,
            dim=dim,
            depth=depth,
            num_heads=num_heads,
            mlp_dim=4 * dim,
            layer_scale_init=None,
            position_init_std=0.02,
            generator=generator,
        )

    def forward(self, latent: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch token value"]:
        """Predicted values of every token."""
        places = torch.arange(self.num_tokens + 1, device=latent.device)
        return self.decoder(latent[:, None], places.expand(len(latent), -1))[:, 1:]
