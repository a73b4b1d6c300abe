"""PTACL-2: at every step of the cycle, patients are told apart."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.losses.checks import require_same_shape, require_temperature, require_weight
from ptacl_core.losses.precision import full_precision, unit_length
from ptacl_core.losses.temporal_alignment import sum_over_valid
from ptacl_core.tensors import Bool, Float, Tensor


def same_phase_loss(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    temperature: float,
    ecg_to_cmr_weight: float = 0.5,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> Float[Tensor, ""]:
    r"""Contrast each step of a patient's ECG with the same step of all patients' cines, and back.

    S^k_ij = cos(z_E^{i,k}, z_C^{j,k}) / τ;
    L_phase = w · mean_{i,k} −log softmax_j(S^k_ij)|_{j=i} + (1 − w) · the same of S^k transposed.

    Negatives are other patients at the same step, so that neither position nor the general look
    of a phase helps. Arguments: `temperature` τ, `ecg_to_cmr_weight` w. A patient with
    `is_valid` False is neither a query nor a candidate and gets exactly zero gradient; equal
    embeddings of n valid patients give ln n; fewer than two give 0.

    Implements PTACL-2 Eq. (2).
    """
    require_same_shape("ecg_steps", ecg_steps, "cmr_steps", cmr_steps)
    total, count = same_phase_terms(
        ecg_steps,
        cmr_steps,
        ecg_steps,
        cmr_steps,
        offset=0,
        temperature=temperature,
        ecg_to_cmr_weight=ecg_to_cmr_weight,
        is_valid=is_valid,
    )
    return total / count.clamp(min=1)


def same_phase_terms(
    local_ecg: Float[Tensor, "local step dim"],
    local_cmr: Float[Tensor, "local step dim"],
    all_ecg: Float[Tensor, "patient step dim"],
    all_cmr: Float[Tensor, "patient step dim"],
    *,
    offset: int,
    temperature: float,
    ecg_to_cmr_weight: float = 0.5,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss of one process's patients as (sum over its valid ones, their number).

    Row i of the local steps is row `offset + i` of the gathered ones, which `is_valid`
    describes. Raises ConfigError if the local rows do not lie within the gathered ones.
    """
    require_temperature(temperature)
    require_weight("ecg_to_cmr_weight", ecg_to_cmr_weight)
    num_local = len(local_ecg)
    if offset < 0 or offset + num_local > len(all_ecg):
        raise ConfigError(
            f"offset: {num_local} local rows from {offset} exceed the {len(all_ecg)} gathered rows"
        )
    own = torch.arange(offset, offset + num_local, device=local_ecg.device)
    valid = torch.ones(len(all_ecg), dtype=torch.bool, device=local_ecg.device)
    valid = valid if is_valid is None else is_valid
    with full_precision(local_ecg.device):
        per_patient = ecg_to_cmr_weight * _among_patients(
            local_ecg, all_cmr, own, valid, temperature
        ) + (1.0 - ecg_to_cmr_weight) * _among_patients(local_cmr, all_ecg, own, valid, temperature)
        return sum_over_valid(per_patient, valid[own])


def _among_patients(
    queries: Float[Tensor, "local step dim"],
    candidates: Float[Tensor, "patient step dim"],
    own: Tensor,
    valid: Bool[Tensor, " patient"],
    temperature: float,
) -> Float[Tensor, " local"]:
    """−log softmax of the own candidate at every step, mean over steps."""
    queries = queries.masked_fill(~valid[own][:, None, None], 0.0)
    candidates = candidates.masked_fill(~valid[:, None, None], 0.0)
    logits = torch.einsum("ikd,jkd->kij", unit_length(queries), unit_length(candidates))
    is_self = own[:, None] == torch.arange(len(valid), device=own.device)
    is_left_out = ~(valid[None] | is_self)
    logits = (logits / temperature).masked_fill(is_left_out, -torch.inf)
    log_probability = torch.log_softmax(logits, dim=2)
    return -log_probability.gather(2, own[None, :, None].expand(len(logits), -1, 1))[:, :, 0].mean(
        0
    )
