"""Eq. (1): the ECG and the cine of one patient are each other's match among the batch."""

import torch
from torch.nn.functional import cross_entropy

from ptacl_core.errors import ConfigError
from ptacl_core.losses.checks import require_same_shape, require_temperature, require_weight
from ptacl_core.losses.precision import full_precision, unit_length
from ptacl_core.tensors import Float, Tensor


def patient_alignment_loss(
    ecg_features: Float[Tensor, "patient dim"],
    cmr_features: Float[Tensor, "patient dim"],
    *,
    temperature: float,
    ecg_to_cmr_weight: float = 0.5,
) -> Float[Tensor, ""]:
    r"""Contrast each patient's ECG with all cines of the batch, and each cine with all ECGs.

    L_global = λ · mean_i −log softmax_j(S_ij)|_{j=i} + (1 − λ) · the same of Sᵀ,
    S_ij = cos(z_E^i, z_C^j) / τ. Arguments: `temperature` τ, `ecg_to_cmr_weight` λ; rows are
    brought to unit length here. A batch of one patient has no negatives: the loss is 0. The
    paper writes no λ; 0.5 is the mean of both directions.

    Implements PTACL Eq. (1).
    """
    require_same_shape("ecg_features", ecg_features, "cmr_features", cmr_features)
    return patient_alignment_loss_gathered(
        ecg_features,
        cmr_features,
        ecg_features,
        cmr_features,
        offset=0,
        temperature=temperature,
        ecg_to_cmr_weight=ecg_to_cmr_weight,
    )


def patient_alignment_loss_gathered(
    local_ecg: Float[Tensor, "local dim"],
    local_cmr: Float[Tensor, "local dim"],
    all_ecg: Float[Tensor, "patient dim"],
    all_cmr: Float[Tensor, "patient dim"],
    *,
    offset: int,
    temperature: float,
    ecg_to_cmr_weight: float = 0.5,
) -> Float[Tensor, ""]:
    """Eq. (1) for the patients of one process against the candidates of all processes.

    Row i of the local features is row `offset + i` of the gathered ones. With equal local
    batches, the mean of the processes' losses is the loss of the whole batch. Raises
    ConfigError if the local rows do not lie within the gathered ones.
    """
    require_temperature(temperature)
    require_weight("ecg_to_cmr_weight", ecg_to_cmr_weight)
    require_same_shape("local_ecg", local_ecg, "local_cmr", local_cmr)
    require_same_shape("all_ecg", all_ecg, "all_cmr", all_cmr)
    if offset < 0 or offset + len(local_ecg) > len(all_ecg):
        raise ConfigError(
            f"offset: {len(local_ecg)} local rows from {offset} exceed "
            f"the {len(all_ecg)} gathered rows"
        )
    with full_precision(local_ecg.device):
        ecg_to_cmr = unit_length(local_ecg) @ unit_length(all_cmr).T / temperature
        cmr_to_ecg = unit_length(local_cmr) @ unit_length(all_ecg).T / temperature
        matches = offset + torch.arange(len(local_ecg), device=local_ecg.device)
        return ecg_to_cmr_weight * cross_entropy(ecg_to_cmr, matches) + (
            1.0 - ecg_to_cmr_weight
        ) * cross_entropy(cmr_to_ecg, matches)
