"""Eq. (3): the steps of a patient's heart cycle match between the ECG and the cine."""

import torch

from ptacl_core.losses.alignment_matrix import alignment_matrix
from ptacl_core.losses.checks import require_same_shape, require_temperature, require_weight
from ptacl_core.losses.precision import full_precision, unit_length
from ptacl_core.tensors import Bool, Float, Tensor


def temporal_alignment_loss(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    temperature: float,
    sigma: float,
    ecg_to_cmr_weight: float = 0.5,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> Float[Tensor, ""]:
    r"""Contrast each step of the ECG with the steps of the same patient's cine, and back.

    S^i_kt = cos(z_E^{i,k}, z_C^{i,t}) / τ; ℓ^{i,k} = −Σ_t P_kt log softmax_t S^i_kt, averaged
    over steps k and valid patients i; the other direction uses S transposed and the same rows
    of P. L_local = w · L_E→C + (1 − w) · L_C→E. Arguments: `temperature` τ, `sigma` σ of P
    (Eq. 2), `ecg_to_cmr_weight` w. Negatives are the other steps of the same patient only; the
    sum over matches stands outside the logarithm (L_out of supervised contrast), without the
    factor τ / τ_base of some code bases.

    A patient with `is_valid` False (no complete beat) takes no part and gets exactly zero
    gradient; without any valid patient the loss is exactly 0, its graph kept.

    Implements PTACL Eq. (3).
    """
    total, count = temporal_alignment_terms(
        ecg_steps,
        cmr_steps,
        temperature=temperature,
        sigma=sigma,
        ecg_to_cmr_weight=ecg_to_cmr_weight,
        is_valid=is_valid,
    )
    return total / count.clamp(min=1)


def temporal_alignment_terms(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    temperature: float,
    sigma: float,
    ecg_to_cmr_weight: float = 0.5,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Eq. (3) as (sum over valid patients, number of valid patients).

    Across processes the loss is the sum of all sums over the sum of all counts.
    """
    require_temperature(temperature)
    require_weight("ecg_to_cmr_weight", ecg_to_cmr_weight)
    with full_precision(ecg_steps.device):
        similarity = step_similarity(ecg_steps, cmr_steps, is_valid=is_valid) / temperature
        targets = alignment_matrix(
            similarity.shape[1], sigma=sigma, device=similarity.device, dtype=similarity.dtype
        )
        ecg_to_cmr = _soft_cross_entropy(similarity, targets)
        cmr_to_ecg = _soft_cross_entropy(similarity.transpose(1, 2), targets)
        per_patient = ecg_to_cmr_weight * ecg_to_cmr + (1.0 - ecg_to_cmr_weight) * cmr_to_ecg
        return sum_over_valid(per_patient, is_valid)


def step_similarity(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> Float[Tensor, "patient step step"]:
    """Cosine of every ECG step (row) with every cine step (column) of each patient.

    The features of an invalid patient are replaced by zeros, so nothing flows back to them.
    """
    require_same_shape("ecg_steps", ecg_steps, "cmr_steps", cmr_steps)
    with full_precision(ecg_steps.device):
        if is_valid is not None:
            is_left_out = ~is_valid[:, None, None]
            ecg_steps = ecg_steps.masked_fill(is_left_out, 0.0)
            cmr_steps = cmr_steps.masked_fill(is_left_out, 0.0)
        return torch.bmm(unit_length(ecg_steps), unit_length(cmr_steps).transpose(1, 2))


def sum_over_valid(
    per_patient: Float[Tensor, " patient"], is_valid: Bool[Tensor, " patient"] | None
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Sum of a per-patient figure over the valid patients, and their number."""
    if is_valid is None:
        return per_patient.sum(), per_patient.new_full((), float(len(per_patient)))
    kept = per_patient.masked_fill(~is_valid, 0.0)
    return kept.sum(), is_valid.sum().to(per_patient.dtype)


def _soft_cross_entropy(
    logits: Float[Tensor, "patient step step"], targets: Float[Tensor, "step step"]
) -> Float[Tensor, " patient"]:
    log_probability = torch.log_softmax(logits, dim=2)
    return -(targets * log_probability).sum(dim=2).mean(dim=1)
