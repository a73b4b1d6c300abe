"""Regression on phenotypes of which some are missing."""

from ptacl_core.losses.checks import require_same_shape
from ptacl_core.losses.precision import at_least_float32, full_precision
from ptacl_core.tensors import Float, Tensor


def masked_target_mse(
    prediction: Float[Tensor, "patient target"], target: Float[Tensor, "patient target"]
) -> Float[Tensor, ""]:
    """Mean squared error over the targets that are present; NaN in `target` means missing.

    Targets are z-scored by the caller. A missing target gets exactly zero gradient; none
    present gives exactly 0, its graph kept.
    """
    total, count = masked_target_terms(prediction, target)
    return total / count.clamp(min=1)


def masked_target_terms(
    prediction: Float[Tensor, "patient target"], target: Float[Tensor, "patient target"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Squared error as (sum over the targets present, their number)."""
    require_same_shape("prediction", prediction, "target", target)
    with full_precision(prediction.device):
        is_missing = target.isnan()
        values = at_least_float32(prediction)
        error = (values - target.to(values.dtype)).masked_fill(is_missing, 0.0)
        return error.square().sum(), (~is_missing).sum().to(values.dtype)
