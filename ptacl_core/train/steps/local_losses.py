"""The local loss that a run's settings choose, over the patients of all processes."""

import torch

from ptacl_core.losses import (
    cosine_alignment_terms,
    ptacl2_local_loss,
    same_phase_terms,
    temporal_alignment_terms,
    two_anchor_terms,
)
from ptacl_core.tensors import Bool, Float, Int, Tensor, move_to_device
from ptacl_core.train.batches import Batch
from ptacl_core.train.distributed import first_row, gather_with_gradient, share_of_mean
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.steps.alignment_weights import AlignmentWeights


def compute_local_loss(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    is_valid: Bool[Tensor, " patient"],
    weights: AlignmentWeights,
) -> Float[Tensor, ""]:
    """Mean over the valid patients of all processes; "none" gives Eq. (3), to be watched only.

    `cmr_steps` are in the order of the cycle, also where the cine was turned before encoding.
    """
    if weights.local_loss == "cosine":
        terms = cosine_alignment_terms(ecg_steps, cmr_steps, sigma=0.0, is_valid=is_valid)
        return share_of_mean(*terms)
    if weights.local_loss == "ed_es":
        terms = two_anchor_terms(
            ecg_steps,
            cmr_steps,
            temperature=weights.temperature_local,
            end_systole_step=weights.end_systole_step,
            is_valid=is_valid,
        )
        return share_of_mean(*terms)
    if weights.local_loss == "same_phase":
        return _same_phase(ecg_steps, cmr_steps, is_valid, weights)
    contrast = share_of_mean(
        *temporal_alignment_terms(
            ecg_steps,
            cmr_steps,
            temperature=weights.temperature_local,
            sigma=weights.sigma,
            ecg_to_cmr_weight=weights.ecg_to_cmr_weight,
            is_valid=is_valid,
        )
    )
    if weights.local_loss != "shift_and_phase":
        return contrast
    return ptacl2_local_loss(
        contrast,
        _same_phase(ecg_steps, cmr_steps, is_valid, weights),
        same_phase_share=weights.same_phase_share,
    )


def _same_phase(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    is_valid: Bool[Tensor, " patient"],
    weights: AlignmentWeights,
) -> Float[Tensor, ""]:
    all_valid = gather_with_gradient(is_valid.to(ecg_steps.dtype)) > 0.5
    terms = same_phase_terms(
        ecg_steps,
        cmr_steps,
        gather_with_gradient(ecg_steps),
        gather_with_gradient(cmr_steps),
        offset=first_row(len(ecg_steps)),
        temperature=weights.temperature_local,
        ecg_to_cmr_weight=weights.ecg_to_cmr_weight,
        is_valid=all_valid,
    )
    return share_of_mean(*terms)


def draw_orders(batch: Batch, draws: StepRandomness, num_steps: int) -> Int[Tensor, "patient step"]:
    """A random order of the steps for each patient, drawn for the whole global batch."""
    noise = torch.rand(batch.global_size, num_steps, generator=draws.shared)
    assert batch.cine is not None
    return move_to_device(noise.argsort(dim=1)[batch.share], batch.cine.device)


def take_steps(
    steps: Float[Tensor, "patient step dim"], order: Int[Tensor, "patient step"]
) -> Float[Tensor, "patient step dim"]:
    """Each patient's steps in the order given."""
    return steps.gather(1, order[:, :, None].expand_as(steps))
