"""PTACL-2: both of its local losses together."""

from ptacl_core.losses.checks import require_weight
from ptacl_core.tensors import Float, Tensor


def ptacl2_local_loss(
    unknown_shift: Float[Tensor, ""],
    same_phase: Float[Tensor, ""],
    *,
    same_phase_share: float = 0.5,
) -> Float[Tensor, ""]:
    """L_local = (1 − α) · L_shift + α · L_phase, in the place of Eq. (3) within Eq. (4).

    Arguments: `unknown_shift` L_shift of PTACL-2 Eq. (1), `same_phase` L_phase of PTACL-2
    Eq. (2), `same_phase_share` α. Raises ConfigError for α outside [0, 1].

    Implements PTACL-2 Eq. (3).
    """
    require_weight("same_phase_share", same_phase_share)
    return (1.0 - same_phase_share) * unknown_shift + same_phase_share * same_phase
