"""Eq. (2): how much each cine step counts as the match of an ECG step."""

import math

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor


def alignment_matrix(
    num_steps: int,
    *,
    sigma: float,
    is_cyclic: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "step step"]:
    """Target weights P of Eq. (3): row k holds the weights of all steps t, summing to 1.

    K_kt = exp(−½ (d_kt / σ)²), d_kt = `|k − t|` / T, P = K divided by its row sums; σ = 0 is the
    hard alignment, exactly the identity. The paper calls d "normalised temporal distance"; it
    is divided by the number of steps T = `num_steps`, without which σ = 0.1 would equal the
    hard case. `is_cyclic` measures d around the beat (not the paper's). P is not symmetric:
    both directions of Eq. (3) use its rows. Computed in float64, returned as `dtype`.

    Raises ConfigError for a negative or non-finite σ, or fewer than one step.

    Implements PTACL Eq. (2).
    """
    if num_steps < 1:
        raise ConfigError(f"num_steps: expected at least 1, got {num_steps!r}")
    if not (math.isfinite(sigma) and sigma >= 0):
        raise ConfigError(f"sigma: expected a finite number of at least 0, got {sigma!r}")
    if sigma == 0:
        return torch.eye(num_steps, dtype=dtype, device=device)
    steps = torch.arange(num_steps, dtype=torch.float64, device=device)
    distance = (steps[:, None] - steps[None, :]).abs()
    if is_cyclic:
        distance = torch.minimum(distance, num_steps - distance)
    kernel = torch.exp(-0.5 * (distance / num_steps / sigma).square())
    return (kernel / kernel.sum(dim=1, keepdim=True)).to(dtype)


def alignment_entropy(matrix: Float[Tensor, "step step"]) -> Float[Tensor, ""]:
    """Mean entropy H(P) of the rows in nats: the least value that Eq. (3) can approach."""
    return torch.special.entr(matrix).sum(dim=1).mean()
