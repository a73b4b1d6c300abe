"""From tokens to the 13 steps of a heart cycle; no parameter is added (method.md §4)."""

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor


def ecg_step_features(
    tokens: Float[Tensor, "batch token dim"],
    matrix: Float[Tensor, "batch step slot"],
    num_leads: int,
) -> Float[Tensor, "batch step dim"]:
    """Mean over leads, then the beat-step matrix of each recording: z_E = A · mean_lead X.

    `matrix` comes from `preprocess.beat_step_matrix`: rows sum to 1 over the slots of a lead,
    all zero for a recording without a complete beat. Float32 whatever autocast says.
    """
    num_slots = matrix.shape[2]
    if tokens.shape[1] != num_leads * num_slots:
        raise ConfigError(
            f"ecg_step_features: {tokens.shape[1]} tokens are not {num_leads} leads × "
            f"{num_slots} slots of the beat-step matrix"
        )
    with torch.autocast(tokens.device.type, enabled=False):
        tokens = tokens if tokens.dtype == torch.float64 else tokens.float()
        lead_sum = tokens.view(len(tokens), num_leads, num_slots, -1).sum(dim=1)
        return torch.bmm(matrix.to(lead_sum.dtype) / num_leads, lead_sum)


def cine_step_features(
    tokens: Float[Tensor, "batch token dim"], num_steps: int
) -> Float[Tensor, "batch step dim"]:
    """Mean over the places of each time step; tokens are time-major."""
    batch_size, num_tokens, dim = tokens.shape
    if num_tokens % num_steps:
        raise ConfigError(
            f"cine_step_features: {num_tokens} tokens cannot be split into {num_steps} steps"
        )
    tokens = tokens if tokens.dtype == torch.float64 else tokens.float()
    return tokens.view(batch_size, num_steps, num_tokens // num_steps, dim).mean(dim=2)
