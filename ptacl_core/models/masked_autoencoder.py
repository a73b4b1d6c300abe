"""Pretraining of one modality: hide tokens, encode the rest, predict the hidden values."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from ptacl_core.models.parts.attention import AttentionKind
from ptacl_core.models.parts.layers import Float32LayerNorm, init_linear_layers
from ptacl_core.models.parts.masking import TokenMask, draw_token_mask, gather_tokens
from ptacl_core.models.parts.positions import LearnedPositions
from ptacl_core.models.parts.transformer import build_blocks
from ptacl_core.models.patch_transformer import PatchTransformer
from ptacl_core.tensors import Bool, Float, Generator, Int, Tensor

ReconstructionLoss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(prediction, target, mask) to a scalar: `ptacl_core.losses.masked_reconstruction_loss`."""


@dataclass(frozen=True)
class MaskedReconstruction:
    """What one pass of the masked autoencoder gives.

    Attributes:
        loss: the reconstruction loss.
        prediction: predicted values of every token.
        target: values of every token that are predicted: raw, or normalised per token.
        mask: True where a token was hidden.
    """

    loss: Float[Tensor, ""]
    prediction: Float[Tensor, "batch token value"]
    target: Float[Tensor, "batch token value"]
    mask: Bool[Tensor, "batch token"]


class MaskedAutoencoder(nn.Module):
    """An encoder with a decoder of one block that is thrown away after pretraining.

    The loss is passed in, so that models know no loss. With a masking ratio of 0.75 the ECG
    encoder sees 150 of 600 tokens, with 0.9 the cine encoder 64 of 637.
    """

    def __init__(
        self,
        encoder: PatchTransformer,
        reconstruction_loss: ReconstructionLoss,
        *,
        mask_ratio: float,
        normalises_targets: bool = False,
        decoder_dim: int = 256,
        decoder_depth: int = 1,
        decoder_heads: int = 4,
        decoder_mlp_dim: int | None = None,
        layer_scale_init: float | None = 1e-5,
        position_init_std: float = 0.0,
        attention: AttentionKind = "auto",
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.reconstruction_loss = reconstruction_loss
        self.mask_ratio = mask_ratio
        self.normalises_targets = normalises_targets
        self.decoder = MaskedDecoder(
            encoder.dim,
            encoder.num_tokens,
            encoder.layout.num_target_values,
            dim=decoder_dim,
            depth=decoder_depth,
            num_heads=decoder_heads,
            mlp_dim=decoder_mlp_dim or 4 * decoder_dim,
            layer_scale_init=layer_scale_init,
            position_init_std=position_init_std,
            attention=attention,
            generator=generator,
        )

    def forward(
        self, batch: Float[Tensor, "batch ..."], generator: Generator
    ) -> MaskedReconstruction:
        """Hide tokens drawn from `generator`, reconstruct, and measure the hidden ones."""
        self.encoder.check_batch(batch)
        drawn = draw_token_mask(
            len(batch), self.encoder.num_tokens, self.mask_ratio, generator, device=batch.device
        )
        patches = self.encoder.layout.patchify(batch)
        prediction = self.predict(patches, drawn)
        target = self.targets(patches)
        loss = self.reconstruction_loss(prediction, target, drawn.mask)
        return MaskedReconstruction(loss, prediction, target, drawn.mask)

    def targets(
        self, patches: Float[Tensor, "batch token value"]
    ) -> Float[Tensor, "batch token target"]:
        """What is to be predicted of the patches, normalised per token where that is asked for."""
        values = patches[:, :, : self.encoder.layout.num_target_values]
        return normalise_per_token(values) if self.normalises_targets else values

    def predict(
        self, patches: Float[Tensor, "batch token value"], drawn: TokenMask
    ) -> Float[Tensor, "batch token target"]:
        """Targets of every token, from the tokens that `drawn` leaves visible."""
        visible = self.encoder.tokens_of_patches(patches, ids_keep=drawn.ids_keep)
        return self.decoder(visible, drawn.ids_restore)


class MaskedDecoder(nn.Module):
    """Visible tokens and mask tokens, with positions of their own, through a few blocks."""

    def __init__(
        self,
        encoder_dim: int,
        num_tokens: int,
        patch_size: int,
        *,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_dim: int,
        layer_scale_init: float | None = 1e-5,
        position_init_std: float = 0.0,
        attention: AttentionKind = "auto",
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.embedding = nn.Linear(encoder_dim, dim)
        self.mask_token = nn.Parameter(torch.zeros(dim))
        self.positions = LearnedPositions(num_tokens, dim)
        self.blocks = build_blocks(
            depth, dim, num_heads, mlp_dim, layer_scale_init=layer_scale_init, attention=attention
        )
        self.final_norm = Float32LayerNorm(dim)
        self.to_values = nn.Linear(dim, patch_size)
        init_linear_layers(self, generator=generator)
        self.positions.draw(position_init_std, generator=generator)

    def forward(
        self, visible: Float[Tensor, "batch keep width"], ids_restore: Int[Tensor, "batch token"]
    ) -> Float[Tensor, "batch token value"]:
        """Predicted values of every token, in the order of the grid."""
        embedded = self.embedding(visible)
        num_hidden = ids_restore.shape[1] - embedded.shape[1]
        hidden = self.mask_token.to(embedded.dtype).expand(len(embedded), num_hidden, -1)
        tokens = gather_tokens(torch.cat((embedded, hidden), dim=1), ids_restore)
        tokens = tokens + self.positions()
        for block in self.blocks:
            tokens = block(tokens)
        return self.to_values(self.final_norm(tokens))


def normalise_per_token(
    values: Float[Tensor, "batch token value"],
) -> Float[Tensor, "batch token value"]:
    """Each token's values less their mean, over their standard deviation (He et al. 2022).

    1e-6 is added to the variance, so that a token of equal values becomes zeros.
    """
    mean = values.mean(dim=2, keepdim=True)
    variance = values.var(dim=2, keepdim=True, correction=0)
    return (values - mean) / (variance + 1e-6).sqrt()
