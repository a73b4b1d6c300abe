"""Optional row: only end-diastole and end-systole are told apart."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.losses.temporal_alignment import temporal_alignment_terms
from ptacl_core.tensors import Bool, Float, Int, Tensor


def two_anchor_loss(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    temperature: float,
    end_systole_step: int | Int[Tensor, " patient"],
    end_diastole_step: int = 0,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> Float[Tensor, ""]:
    """Hard Eq. (3) over two steps of the cycle: end-diastole against end-systole.

    The paper aligns all 13 steps; this row shows what the two extremes alone give.
    `end_systole_step` is one step for all patients or one per patient. Equal embeddings give
    ln 2. Raises ConfigError if an anchor lies outside the cycle or both fixed anchors coincide.
    """
    total, count = two_anchor_terms(
        ecg_steps,
        cmr_steps,
        temperature=temperature,
        end_systole_step=end_systole_step,
        end_diastole_step=end_diastole_step,
        is_valid=is_valid,
    )
    return total / count.clamp(min=1)


def two_anchor_terms(
    ecg_steps: Float[Tensor, "patient step dim"],
    cmr_steps: Float[Tensor, "patient step dim"],
    *,
    temperature: float,
    end_systole_step: int | Int[Tensor, " patient"],
    end_diastole_step: int = 0,
    is_valid: Bool[Tensor, " patient"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The two-anchor loss as (sum over valid patients, number of valid patients)."""
    num_patients, num_steps, _ = ecg_steps.shape
    for name, step in (
        ("end_diastole_step", end_diastole_step),
        ("end_systole_step", end_systole_step),
    ):
        if isinstance(step, int) and not 0 <= step < num_steps:
            raise ConfigError(f"{name}: expected a step within [0, {num_steps}), got {step}")
    if isinstance(end_systole_step, int) and end_systole_step == end_diastole_step:
        raise ConfigError(
            f"end_systole_step: must differ from end_diastole_step, got {end_systole_step}"
        )
    device = ecg_steps.device
    end_diastole = torch.full((num_patients,), end_diastole_step, device=device)
    end_systole = (
        torch.full((num_patients,), end_systole_step, device=device)
        if isinstance(end_systole_step, int)
        else end_systole_step.to(device)
    )
    anchors = torch.stack((end_diastole, end_systole), dim=1)
    patients = torch.arange(num_patients, device=device)[:, None]
    return temporal_alignment_terms(
        ecg_steps[patients, anchors],
        cmr_steps[patients, anchors],
        temperature=temperature,
        sigma=0.0,
        is_valid=is_valid,
    )
