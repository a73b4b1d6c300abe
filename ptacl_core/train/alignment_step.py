"""The step of the alignment: Eqs. (1)-(4), their ablations, and what to watch of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

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
from ptacl_core.models import TwoTower
from ptacl_core.tensors import Bool, Float, Tensor
from ptacl_core.train.batches import Batch
from ptacl_core.train.distributed import first_row, gather_with_gradient, share_of_mean
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.step import Encoded, StepOutput, TrainingStep, Views
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


class AlignmentStep(TrainingStep):
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

    def draw_tensors(self, batch: Batch, draws: StepRandomness) -> dict[str, Tensor]:
        """A view of each recording, and the beat steps of the ECG."""
        ecg, starts = self.ecg_views.draw(batch, draws, is_training=self.training)
        cine = self.cine_views.draw(batch, draws, is_training=self.training)
        tensors = {"ecg": ecg, "cine": cine}
        if self.towers.cine_encoder.grid[0] == self.ecg_views.num_steps:
            matrices, is_valid = self.ecg_views.beat_matrices(batch, starts)
            tensors |= {"beat_matrix": matrices, "is_valid": is_valid}
        return tensors

    def encode_rows(self, tensors: Mapping[str, Tensor]) -> Encoded:
        """Features of both modalities, and their steps where the cine encoder has a time axis."""
        made = self.towers(tensors["ecg"], tensors["cine"], tensors.get("beat_matrix"))
        encoded = {"ecg_features": made.ecg_features, "cmr_features": made.cmr_features}
        if made.ecg_steps is not None and made.cmr_steps is not None:
            encoded |= {"ecg_steps": made.ecg_steps, "cmr_steps": made.cmr_steps}
        return encoded

    def measure(self, encoded: Encoded, views: Views) -> StepOutput:
        """L = L_global + β · L_local (Eq. 4) with figures of both parts."""
        patient_loss = self._patient_loss(encoded["ecg_features"], encoded["cmr_features"])
        figures = {"patient_loss": patient_loss}
        if "ecg_steps" not in encoded:
            return StepOutput(patient_loss, figures)
        steps = encoded["ecg_steps"], encoded["cmr_steps"]
        is_valid = views.tensors["is_valid"]
        temporal_loss = self._temporal_loss(*steps, is_valid)
        figures |= {"temporal_loss": temporal_loss} | self._watch(*steps, temporal_loss, is_valid)
        if self.weights.beta == 0 or self.weights.local_loss == "none":
            return StepOutput(patient_loss, figures)
        loss = ptacl_loss(patient_loss, temporal_loss, beta=self.weights.beta)
        return StepOutput(loss, figures)

    def _patient_loss(
        self, ecg: Float[Tensor, "patient dim"], cmr: Float[Tensor, "patient dim"]
    ) -> Float[Tensor, ""]:
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
        ecg_steps: Float[Tensor, "patient step dim"],
        cmr_steps: Float[Tensor, "patient step dim"],
        temporal_loss: Float[Tensor, ""],
        is_valid: Bool[Tensor, " patient"],
    ) -> dict[str, Tensor]:
        """Alignment accuracy (exact, within one step), excess over H(P), share of valid."""
        similarity = step_similarity(ecg_steps, cmr_steps, is_valid=is_valid)
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
