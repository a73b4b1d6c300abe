"""The CosSim++ ablation of the paper: matching steps attract, nothing repels."""

from ptacl_core.losses.alignment_matrix import alignment_matrix
from ptacl_core.losses.precision import full_precision
from ptacl_core.losses.temporal_alignment import step_similarity, sum_over_valid
from ptacl_core.tensors import Bool, Float, Tensor


def cosine_alignment_loss(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    sigma: float = 0.0,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> Float[Tensor, ""]:
    """Local loss of the "PTACL w/ CosSim++" row: 1 − mean_{i,k} Σ_t P_kt cos(z_E^{i,k}, z_C^{i,t}).

    P is Eq. (2) with `sigma`, hard (σ = 0) unless asked otherwise. No temperature, no
    negatives. Invalid patients are left out; without any valid patient the loss is exactly 0.
    """
    total, count = cosine_alignment_terms(ecg_steps, cmr_steps, sigma=sigma, is_valid=is_valid)
    return total / count.clamp(min=1)


def cosine_alignment_terms(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    sigma: float = 0.0,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The ablation as (sum over valid patients, number of valid patients)."""
    with full_precision(ecg_steps.device):
        similarity = step_similarity(ecg_steps, cmr_steps, is_valid=is_valid)
        weights = alignment_matrix(
            similarity.shape[1], sigma=sigma, device=similarity.device, dtype=similarity.dtype
        )
        per_patient = 1.0 - (weights * similarity).sum(dim=2).mean(dim=1)
        return sum_over_valid(per_patient, is_valid)
