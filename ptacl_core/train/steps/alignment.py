"""The step of the alignment: Eqs. (1)-(4), PTACL-2, their controls, and what to watch of them."""

from collections.abc import Mapping

import torch

from ptacl_core.augment.cine_phase import turn_frames
from ptacl_core.losses import (
    alignment_entropy,
    alignment_matrix,
    patient_alignment_loss_gathered,
    ptacl_loss,
    step_similarity,
    turn_steps_back,
)
from ptacl_core.models import TwoTower
from ptacl_core.tensors import Bool, Float, Tensor, move_to_device
from ptacl_core.train.batches import Batch
from ptacl_core.train.beat_views import BeatViews
from ptacl_core.train.distributed import (
    first_row,
    gather_with_gradient,
    share_of_mean,
    take_patients_before,
)
from ptacl_core.train.randomness import StepRandomness, derive_seed
from ptacl_core.train.step import Encoded, StepOutput, TrainingStep, Views
from ptacl_core.train.steps.alignment_weights import AlignmentWeights
from ptacl_core.train.steps.local_losses import compute_local_loss, draw_orders, take_steps
from ptacl_core.train.views import CineViews, EcgViews


class AlignmentStep(TrainingStep):
    """Align the ECG and the cine of each patient, as a whole and step by step.

    With `is_cine_frozen` the cine encoder stays as it is and in evaluation mode (ECCL). Without
    `cine_views` what stands in the place of cines (vectors) is taken as it is.
    """

    def __init__(
        self,
        towers: TwoTower,
        ecg_views: EcgViews | BeatViews,
        cine_views: CineViews | None,
        weights: AlignmentWeights,
        *,
        is_cine_frozen: bool = False,
    ):
        super().__init__()
        self.towers = towers
        self.ecg_views, self.cine_views = ecg_views, cine_views
        self.weights = weights
        self.is_cine_frozen = is_cine_frozen
        for projection in (towers.ecg_projection, towers.cine_projection):
            projection.share_statistics(gather_with_gradient, first_row)
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
        if self.cine_views is None:
            assert batch.cine is not None
            return {"ecg": ecg, "cine": batch.cine}
        cine = self.cine_views.draw(batch, draws, is_training=self.training)
        tensors = {"ecg": ecg, **self._turn(cine, batch, draws)}
        if self.towers.cine_encoder.grid[0] == self.ecg_views.num_steps:
            matrices, is_valid = self.ecg_views.beat_matrices(batch, starts)
            tensors |= {"beat_matrix": matrices, "is_valid": is_valid}
            if self.weights.control == "shuffled_steps":
                tensors["order"] = draw_orders(batch, draws, self.ecg_views.num_steps)
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
        cmr_features = encoded["cmr_features"]
        if self.weights.control == "shuffled_pairs":
            cmr_features = take_patients_before(cmr_features)
        patient_loss = self._patient_loss(encoded["ecg_features"], cmr_features)
        figures = {"patient_loss": patient_loss}
        if "ecg_steps" not in encoded:
            return StepOutput(patient_loss, figures)
        steps = encoded["ecg_steps"], self._change_steps(encoded["cmr_steps"], views)
        is_valid = views.tensors["is_valid"]
        temporal_loss = compute_local_loss(*steps, is_valid, self.weights)
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

    def _turn(
        self, cine: Float[Tensor, "batch frame height width"], batch: Batch, draws: StepRandomness
    ) -> dict[str, Tensor]:
        """The cines as the control and the local loss want them, and by how many unknown steps.

        Under break_phase a cine begins at a frame of its own, the same in every epoch.
        """
        weights = self.weights
        if weights.control == "break_phase":
            turns = [
                derive_seed(weights.control_seed, "break phase", int(row)) % cine.shape[1]
                for row in batch.rows
            ]
            cine = turn_frames(cine, move_to_device(torch.tensor(turns), cine.device))
        if not weights.has_unknown_shift:
            return {"cine": cine}
        num_steps = self.ecg_views.num_steps
        drawn = torch.randint(num_steps, (batch.global_size,), generator=draws.shared)
        shift = move_to_device(drawn[batch.share], cine.device)
        frames_per_step = cine.shape[1] // num_steps
        return {"cine": turn_frames(cine, shift * frames_per_step), "shift": shift}

    def _change_steps(
        self, cmr_steps: Float[Tensor, "patient step dim"], views: Views
    ) -> Float[Tensor, "patient step dim"]:
        """The cine's steps in the order of the cycle, and then as the control wants them."""
        if "shift" in views.tensors:
            cmr_steps = turn_steps_back(cmr_steps, views.tensors["shift"])
        if self.weights.control in ("stranger", "shuffled_pairs"):
            return take_patients_before(cmr_steps)
        if "order" in views.tensors:
            return take_steps(cmr_steps, views.tensors["order"])
        return cmr_steps

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
        if self.weights.local_loss in ("contrast", "none", "unknown_shift"):
            matrix = alignment_matrix(num_steps, sigma=self.weights.sigma)
            figures["temporal_loss_excess"] = temporal_loss - float(alignment_entropy(matrix))
        return figures
