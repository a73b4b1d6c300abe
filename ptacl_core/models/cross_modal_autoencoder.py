"""A CMAE-style peer: each recording is rebuilt from a latent that both modalities share."""

from dataclasses import dataclass

import torch
from torch import nn

from ptacl_core.errors import ConfigError
from ptacl_core.models.layers import Float32LayerNorm, init_linear_layers
from ptacl_core.models.patch_transformer import PatchTransformer
from ptacl_core.models.pooling import mean_pool
from ptacl_core.models.positions import LearnedPositions
from ptacl_core.models.transformer import build_blocks
from ptacl_core.tensors import Float, Generator, Tensor


@dataclass(frozen=True)
class CrossModalReconstruction:
    """What the losses of the cross-modal autoencoder take.

    Attributes:
        ecg_latent: latent of the ECG alone.
        cmr_latent: latent of the cine alone.
        ecg_prediction: the ECG's patches, rebuilt from the merged latent.
        ecg_target: the ECG's patches.
        cmr_prediction: the cine's patches, rebuilt from the merged latent.
        cmr_target: the cine's patches.
    """

    ecg_latent: Float[Tensor, "patient latent"]
    cmr_latent: Float[Tensor, "patient latent"]
    ecg_prediction: Float[Tensor, "patient ecg_token ecg_value"]
    ecg_target: Float[Tensor, "patient ecg_token ecg_value"]
    cmr_prediction: Float[Tensor, "patient cmr_token cmr_value"]
    cmr_target: Float[Tensor, "patient cmr_token cmr_value"]


class CrossModalAutoencoder(nn.Module):
    """Two encoders, one latent space, two decoders that see the merged latent.

    While training, one modality of a patient is left out of the merge with probability
    `modality_dropout` (either one alike), so that each alone must do; otherwise the merged
    latent is the mean of both. Departs from the original (Radhakrishnan et al. 2023) in its
    encoders, which are PTACL's, and its input: the whole crop and the short-axis cine instead
    of the median beat and the four-chamber view.
    """

    def __init__(
        self,
        ecg_encoder: PatchTransformer,
        cine_encoder: PatchTransformer,
        *,
        latent_dim: int = 256,
        modality_dropout: float = 0.5,
        decoder_dim: int = 256,
        decoder_depth: int = 2,
        decoder_heads: int = 4,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if not 0.0 <= modality_dropout <= 1.0:
            raise ConfigError(
                f"modality_dropout: expected a number within [0, 1], got {modality_dropout!r}"
            )
        self.ecg_encoder = ecg_encoder
        self.cine_encoder = cine_encoder
        self.modality_dropout = modality_dropout
        self.ecg_to_latent = nn.Linear(ecg_encoder.dim, latent_dim)
        self.cine_to_latent = nn.Linear(cine_encoder.dim, latent_dim)
        init_linear_layers(self.ecg_to_latent, generator=generator)
        init_linear_layers(self.cine_to_latent, generator=generator)
        self.ecg_decoder, self.cine_decoder = (
            LatentDecoder(
                latent_dim,
                encoder.num_tokens,
                encoder.layout.patch_size,
                dim=decoder_dim,
                depth=decoder_depth,
                num_heads=decoder_heads,
                generator=generator,
            )
            for encoder in (ecg_encoder, cine_encoder)
        )

    def forward(
        self,
        ecg: Float[Tensor, "patient lead sample"],
        cine: Float[Tensor, "patient frame height width"],
        generator: Generator,
    ) -> CrossModalReconstruction:
        """Both latents, and both recordings rebuilt from the merged one."""
        ecg_latent = self.ecg_to_latent(mean_pool(self.ecg_encoder.tokens(ecg)))
        cmr_latent = self.cine_to_latent(mean_pool(self.cine_encoder.tokens(cine)))
        merged = self._merge(ecg_latent, cmr_latent, generator)
        return CrossModalReconstruction(
            ecg_latent,
            cmr_latent,
            self.ecg_decoder(merged),
            self.ecg_encoder.layout.patchify(ecg),
            self.cine_decoder(merged),
            self.cine_encoder.layout.patchify(cine),
        )

    def _merge(
        self,
        ecg_latent: Float[Tensor, "patient latent"],
        cmr_latent: Float[Tensor, "patient latent"],
        generator: Generator,
    ) -> Float[Tensor, "patient latent"]:
        if not self.training:
            return 0.5 * (ecg_latent + cmr_latent)
        draw = torch.rand(len(ecg_latent), 1, generator=generator, device=generator.device)
        draw = draw.to(ecg_latent.device)
        is_ecg_alone = draw < 0.5 * self.modality_dropout
        is_cmr_alone = draw > 1.0 - 0.5 * self.modality_dropout
        ecg_share = 0.5 + 0.5 * is_ecg_alone.float() - 0.5 * is_cmr_alone.float()
        return ecg_share * ecg_latent + (1.0 - ecg_share) * cmr_latent


class LatentDecoder(nn.Module):
    """One latent, repeated at every token's position, through a few blocks to values."""

    def __init__(
        self,
        latent_dim: int,
        num_tokens: int,
        patch_size: int,
        *,
        dim: int,
        depth: int,
        num_heads: int,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.embedding = nn.Linear(latent_dim, dim)
        self.positions = LearnedPositions(num_tokens, dim)
        self.blocks = build_blocks(depth, dim, num_heads, 4 * dim, layer_scale_init=None)
        self.final_norm = Float32LayerNorm(dim)
        self.to_values = nn.Linear(dim, patch_size)
        init_linear_layers(self, generator=generator)
        self.positions.draw(0.02, generator=generator)

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch token value"]:
        """Values of every token; positions alone tell the tokens apart."""
        tokens = self.embedding(latent)[:, None] + self.positions()
        for block in self.blocks:
            tokens = block(tokens)
        return self.to_values(self.final_norm(tokens))
