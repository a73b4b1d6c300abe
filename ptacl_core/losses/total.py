"""Eq. (4): the loss that PTACL minimises."""

import math

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor


def ptacl_loss(
    patient_loss: Float[Tensor, ""], temporal_loss: Float[Tensor, ""], *, beta: float
) -> Float[Tensor, ""]:
    """L = L_global + β · L_local; β = 1 in the paper, β = 0 is its "Global" row.

    Arguments: `patient_loss` L_global of Eq. (1), `temporal_loss` L_local of Eq. (3) or its
    cosine ablation, `beta` β. Raises ConfigError for a negative or non-finite β.

    Implements PTACL Eq. (4).
    """
    if not (math.isfinite(beta) and beta >= 0):
        raise ConfigError(f"beta: expected a finite number of at least 0, got {beta!r}")
    return patient_loss + beta * temporal_loss
