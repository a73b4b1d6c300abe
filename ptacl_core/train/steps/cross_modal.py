"""The step of the cross-modal autoencoder (CMAE-style baseline): one latent, two decoders."""

from collections.abc import Mapping

import torch
from torch import nn

from ptacl_core.losses import (
    cross_modal_loss,
    patient_alignment_loss_gathered,
    reconstruction_loss,
)
from ptacl_core.models import LatentDecoder, PatchTransformer, TwoTower
from ptacl_core.tensors import Float, Tensor, move_to_device
from ptacl_core.train.batches import Batch
from ptacl_core.train.beat_views import BeatViews
from ptacl_core.train.distributed import first_row, gather_with_gradient
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.step import Encoded, StepOutput, TrainingStep, Views
from ptacl_core.train.views import CineViews, EcgViews


class CrossModalStep(TrainingStep):
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
        ecg_views: EcgViews | BeatViews,
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

    def draw_tensors(self, batch: Batch, draws: StepRandomness) -> dict[str, Tensor]:
        """A view of each recording, and how much of its latent the ECG gives."""
        ecg, _ = self.ecg_views.draw(batch, draws, is_training=self.training)
        cine = self.cine_views.draw(batch, draws, is_training=self.training)
        share = self.draw_share_of_ecg(batch, draws)
        return {"ecg": ecg, "cine": cine, "share_of_ecg": move_to_device(share, ecg.device)}

    def draw_share_of_ecg(self, batch: Batch, draws: StepRandomness) -> Float[Tensor, "batch 1"]:
        """0, ½ or 1 in training, each with probability one third; ½ in evaluation."""
        if not self.training:
            return torch.full((len(batch.rows), 1), 0.5)
        draw = torch.randint(3, (batch.global_size, 1), generator=draws.shared)
        return draw[batch.share] / 2

    def encode_rows(self, tensors: Mapping[str, Tensor]) -> Encoded:
        """Both latents, and both recordings rebuilt from what the two latents were merged to."""
        latents = self.towers(tensors["ecg"], tensors["cine"])
        ecg, cmr = latents.ecg_features, latents.cmr_features
        share = tensors["share_of_ecg"].to(ecg.dtype)
        merged = share * ecg + (1 - share) * cmr if self.training else (ecg + cmr) / 2
        return {
            "ecg_latent": ecg,
            "cmr_latent": cmr,
            "ecg_prediction": self.ecg_decoder(merged),
            "cine_prediction": self.cine_decoder(merged),
        }

    def measure(self, encoded: Encoded, views: Views) -> StepOutput:
        """Reconstruction of both modalities and the contrast of their latents."""
        ecg_loss = _reconstruction(
            encoded["ecg_prediction"], self.towers.ecg_encoder, views.tensors["ecg"]
        )
        cine_loss = _reconstruction(
            encoded["cine_prediction"], self.towers.cine_encoder, views.tensors["cine"]
        )
        ecg, cmr = encoded["ecg_latent"], encoded["cmr_latent"]
        patient_loss = patient_alignment_loss_gathered(
            ecg,
            cmr,
            gather_with_gradient(ecg),
            gather_with_gradient(cmr),
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


def _reconstruction(
    prediction: Float[Tensor, "batch token value"], encoder: nn.Module, recordings: Tensor
) -> Float[Tensor, ""]:
    assert isinstance(encoder, PatchTransformer)
    return reconstruction_loss(prediction, encoder.layout.patchify(recordings))
