"""The loss of the CMAE-style peer: rebuild both recordings, and agree a little."""

import math

from ptacl_core.errors import ConfigError
from ptacl_core.losses.checks import require_same_shape
from ptacl_core.losses.precision import at_least_float32, full_precision
from ptacl_core.tensors import Float, Tensor


def reconstruction_loss(
    prediction: Float[Tensor, "batch token value"], target: Float[Tensor, "batch token value"]
) -> Float[Tensor, ""]:
    """Mean squared error over every value of every token."""
    require_same_shape("prediction", prediction, "target", target)
    with full_precision(prediction.device):
        return (at_least_float32(prediction) - at_least_float32(target)).square().mean()


def cross_modal_loss(
    ecg_reconstruction: Float[Tensor, ""],
    cmr_reconstruction: Float[Tensor, ""],
    patient_loss: Float[Tensor, ""],
    *,
    contrast_weight: float = 0.1,
) -> Float[Tensor, ""]:
    """Both reconstructions plus `contrast_weight` times Eq. (1) between the two latents.

    0.1 is the weight of the original's public training script. Raises ConfigError for a
    negative or non-finite weight.
    """
    if not (math.isfinite(contrast_weight) and contrast_weight >= 0):
        raise ConfigError(
            f"contrast_weight: expected a finite number of at least 0, got {contrast_weight!r}"
        )
    return ecg_reconstruction + cmr_reconstruction + contrast_weight * patient_loss
