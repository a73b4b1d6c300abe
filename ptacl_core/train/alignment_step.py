"""The step of the alignment: Eqs. (1)-(4), their ablations, and what to watch of them."""

from dataclasses import dataclass

import torch
from torch import nn

from ptacl_core.losses import (
    alignment_entropy,
    alignment_matrix,
    cosine_alignment_terms,
    patient_alignment_loss_gathered,
    ptacl_loss,
    step_similarity,
    temporal_alignment_terms,
    two_anchor_terms,
)
from ptacl_core.models import PairFeatures, TwoTower
from ptacl_core.tensors import Bool, Float, Tensor
from ptacl_core.train.batches import Batch
from ptacl_core.train.distributed import first_row, gather_with_gradient, share_of_mean
from ptacl_core.train.loop import StepOutput
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.views import CineViews, EcgViews


@dataclass(frozen=True, slots=True)
class AlignmentWeights:
    """Constants of Eqs. (1)-(4); `local_loss` is contrast, cosine, ed_es or none.

    `end_systole_step` is the second anchor of ed_es: step 5 of 13 is 0.42 of the cycle, where
    the cines' volumes are smallest on average.
    """

    temperature_global: float
    temperature_local: float
    sigma: float
    beta: float
    local_loss: str = "contrast"
    ecg_to_cmr_weight: float = 0.5
    end_systole_step: int = 5


class AlignmentStep(nn.Module):
    """Align the ECG and the cine of each patient, as a whole and step by step.

    With `is_cine_frozen` the cine encoder stays as it is and in evaluation mode (ECCL).
    """

    def __init__(
        self,
        towers: TwoTower,
        ecg_views: EcgViews,
        cine_views: CineViews,
        weights: AlignmentWeights,
        *,
        is_cine_frozen: bool = False,
    ):
        super().__init__()
        self.towers = towers
        self.ecg_views, self.cine_views = ecg_views, cine_views
        self.weights = weights
        self.is_cine_frozen = is_cine_frozen
        if is_cine_frozen:
            towers.cine_encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> "AlignmentStep":
        """Training mode, but for a frozen cine encoder."""
        super().train(mode)
        if self.is_cine_frozen:
            self.towers.cine_encoder.eval()
        return self

    def forward(self, batch: Batch, draws: StepRandomness) -> StepOutput:
        """L = L_global + β · L_local (Eq. 4) with figures of both parts."""
        ecg, starts = self.ecg_views.draw(batch, draws, is_training=self.training)
        cine = self.cine_views.draw(batch, draws, is_training=self.training)
        has_steps = self.towers.cine_encoder.grid[0] == self.ecg_views.num_steps
        matrices, is_valid = self.ecg_views.beat_matrices(batch, starts)
        features: PairFeatures = self.towers(ecg, cine, matrices if has_steps else None)
        patient_loss = self._patient_loss(features)
        figures = {"patient_loss": patient_loss}
        if not has_steps:
            return StepOutput(patient_loss, figures)
        assert features.ecg_steps is not None
        assert features.cmr_steps is not None
        temporal_loss = self._temporal_loss(features.ecg_steps, features.cmr_steps, is_valid)
        figures |= {"temporal_loss": temporal_loss} | self._watch(features, temporal_loss, is_valid)
        if self.weights.beta == 0 or self.weights.local_loss == "none":
            return StepOutput(patient_loss, figures)
        loss = ptacl_loss(patient_loss, temporal_loss, beta=self.weights.beta)
        return StepOutput(loss, figures)

    def _patient_loss(self, features: PairFeatures) -> Float[Tensor, ""]:
        ecg, cmr = features.ecg_features, features.cmr_features
        return patient_alignment_loss_gathered(
            ecg,
            cmr,
            gather_with_gradient(ecg),
            gather_with_gradient(cmr),
            offset=first_row(len(ecg)),
            temperature=self.weights.temperature_global,
            ecg_to_cmr_weight=self.weights.ecg_to_cmr_weight,
        )

    def _temporal_loss(
        self,
        ecg_steps: Float[Tensor, "patient step dim"],
        cmr_steps: Float[Tensor, "patient step dim"],
        is_valid: Bool[Tensor, " patient"],
    ) -> Float[Tensor, ""]:
        """Mean over the valid patients of all processes. The Global row watches Eq. (3)."""
        weights = self.weights
        if weights.local_loss == "cosine":
            terms = cosine_alignment_terms(ecg_steps, cmr_steps, sigma=0.0, is_valid=is_valid)
        elif weights.local_loss == "ed_es":
            terms = two_anchor_terms(
                ecg_steps,
                cmr_steps,
                temperature=weights.temperature_local,
                end_systole_step=weights.end_systole_step,
                is_valid=is_valid,
            )
        else:
            terms = temporal_alignment_terms(
                ecg_steps,
                cmr_steps,
                temperature=weights.temperature_local,
                sigma=weights.sigma,
                ecg_to_cmr_weight=weights.ecg_to_cmr_weight,
                is_valid=is_valid,
            )
        return share_of_mean(*terms)

    @torch.no_grad()
    def _watch(
        self,
        features: PairFeatures,
        temporal_loss: Float[Tensor, ""],
        is_valid: Bool[Tensor, " patient"],
    ) -> dict[str, Tensor]:
        """Alignment accuracy (exact, within one step), excess over H(P), share of valid."""
        assert features.ecg_steps is not None
        assert features.cmr_steps is not None
        similarity = step_similarity(features.ecg_steps, features.cmr_steps, is_valid=is_valid)
        num_steps = similarity.shape[1]
        distance = (
            similarity.argmax(dim=2) - torch.arange(num_steps, device=similarity.device)
        ).abs()
        valid = is_valid.to(similarity.dtype)
        figures = {
            "alignment_top1": share_of_mean(
                ((distance == 0).float().mean(dim=1) * valid).sum(), valid.sum()
            ),
            "alignment_within1": share_of_mean(
                ((distance <= 1).float().mean(dim=1) * valid).sum(), valid.sum()
            ),
            "valid_fraction": valid.mean(),
        }
        if self.weights.local_loss in ("contrast", "none"):
            matrix = alignment_matrix(num_steps, sigma=self.weights.sigma)
            figures["temporal_loss_excess"] = temporal_loss - float(alignment_entropy(matrix))
        return figures
