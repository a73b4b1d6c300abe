"""The step of the cross-modal autoencoder (CMAE-style baseline): one latent, two decoders."""

import torch
from torch import nn

from ptacl_core.losses import (
    cross_modal_loss,
    patient_alignment_loss_gathered,
    reconstruction_loss,
)
from ptacl_core.models import LatentDecoder, PatchTransformer, TwoTower
from ptacl_core.tensors import Float, Tensor
from ptacl_core.train.batches import Batch
from ptacl_core.train.distributed import first_row, gather_with_gradient
from ptacl_core.train.loop import StepOutput
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.views import CineViews, EcgViews


class CrossModalStep(nn.Module):
    """Both recordings from a latent that either of them can give, plus a weak contrast.

    loss = MSE(ECG) + MSE(cine) + `contrast_weight` · Eq. (1) of the two latents. In training
    the latent of a patient is that of the ECG, that of the cine or their mean, each with
    probability one third (modality dropout); in evaluation the mean. The latents are the
    towers' projections.
    """

    def __init__(
        self,
        towers: TwoTower,
        ecg_decoder: LatentDecoder,
        cine_decoder: LatentDecoder,
        ecg_views: EcgViews,
        cine_views: CineViews,
        *,
        temperature: float,
        contrast_weight: float,
    ):
        super().__init__()
        self.towers = towers
        self.ecg_decoder, self.cine_decoder = ecg_decoder, cine_decoder
        self.ecg_views, self.cine_views = ecg_views, cine_views
        self.temperature, self.contrast_weight = temperature, contrast_weight

    def forward(self, batch: Batch, draws: StepRandomness) -> StepOutput:
        """Reconstruction of both modalities and the contrast of their latents."""
        ecg, _ = self.ecg_views.draw(batch, draws, is_training=self.training)
        cine = self.cine_views.draw(batch, draws, is_training=self.training)
        latents = self.towers(ecg, cine)
        merged = self._merge(latents.ecg_features, latents.cmr_features, batch, draws)
        ecg_loss = _reconstruction(self.ecg_decoder(merged), self.towers.ecg_encoder, ecg)
        cine_loss = _reconstruction(self.cine_decoder(merged), self.towers.cine_encoder, cine)
        patient_loss = patient_alignment_loss_gathered(
            latents.ecg_features,
            latents.cmr_features,
            gather_with_gradient(latents.ecg_features),
            gather_with_gradient(latents.cmr_features),
            offset=first_row(len(ecg)),
            temperature=self.temperature,
        )
        loss = cross_modal_loss(
            ecg_loss, cine_loss, patient_loss, contrast_weight=self.contrast_weight
        )
        return StepOutput(
            loss,
            {
                "ecg_reconstruction_loss": ecg_loss,
                "cmr_reconstruction_loss": cine_loss,
                "patient_loss": patient_loss,
            },
        )

    def _merge(
        self,
        ecg_latent: Float[Tensor, "batch dim"],
        cmr_latent: Float[Tensor, "batch dim"],
        batch: Batch,
        draws: StepRandomness,
    ) -> Float[Tensor, "batch dim"]:
        if not self.training:
            return (ecg_latent + cmr_latent) / 2
        draw = torch.randint(3, (batch.global_size, 1), generator=draws.shared)[batch.share]
        share_of_ecg = (draw / 2).to(ecg_latent.device, ecg_latent.dtype)
        return share_of_ecg * ecg_latent + (1 - share_of_ecg) * cmr_latent


def _reconstruction(
    prediction: Float[Tensor, "batch token value"], encoder: nn.Module, recordings: Tensor
) -> Float[Tensor, ""]:
    assert isinstance(encoder, PatchTransformer)
    return reconstruction_loss(prediction, encoder.layout.patchify(recordings))
