"""PTACL-2: Eq. (3) under a shift of the cycle that no position can tell."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.losses.temporal_alignment import temporal_alignment_terms
from ptacl_core.tensors import Bool, Float, Int, Tensor


def unknown_shift_loss(
    ecg_steps: Float[Tensor, "patient step dim"],
    shifted_cmr_steps: Float[Tensor, "patient step dim"],
    shift: Int[Tensor, " patient"],
    *,
    temperature: float,
    sigma: float,
    ecg_to_cmr_weight: float = 0.5,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> Float[Tensor, ""]:
    r"""Eq. (3) between the ECG and a cine that was turned around the cycle before encoding.

    Step t of `shifted_cmr_steps` shows what step t + s of the cycle shows (modulo T), s drawn
    uniformly from 0 … T − 1 for each patient; the steps are turned back after encoding:

    L_shift = L_local( z_E^{i,k}, z̃_C^{i,(k − s_i) mod T} ).

    The encoder's positions tell nothing of s: what makes a step find its match must be read
    from the frames. Arguments: `shift` s, the others as in `temporal_alignment_loss`. All
    shifts 0 give Eq. (3). Raises ConfigError unless there is one shift per patient.

    Implements PTACL-2 Eq. (1).
    """
    total, count = temporal_alignment_terms(
        ecg_steps,
        turn_steps_back(shifted_cmr_steps, shift),
        temperature=temperature,
        sigma=sigma,
        ecg_to_cmr_weight=ecg_to_cmr_weight,
        is_valid=is_valid,
    )
    return total / count.clamp(min=1)


def turn_steps_back(
    shifted: Float[Tensor, "patient step dim"], shift: Int[Tensor, " _"]
) -> Float[Tensor, "patient step dim"]:
    """Steps in the order of the cycle, from steps of which number t shows step t + `shift`."""
    if shift.shape != shifted.shape[:1]:
        raise ConfigError(
            f"shift: expected one per patient, [{len(shifted)}], got {list(shift.shape)}"
        )
    num_steps = shifted.shape[1]
    place = torch.arange(num_steps, device=shifted.device)
    source = (place[None] - shift.to(shifted.device)[:, None]) % num_steps
    return shifted.gather(1, source[:, :, None].expand_as(shifted))
