"""The masked autoencoder's loss, and what a model that learnt nothing would reach."""

from ptacl_core.losses.checks import require_same_shape
from ptacl_core.losses.precision import at_least_float32, full_precision
from ptacl_core.tensors import Bool, Float, Tensor


def masked_reconstruction_loss(
    prediction: Float[Tensor, "batch token value"],
    target: Float[Tensor, "batch token value"],
    mask: Bool[Tensor, "batch token"],
) -> Float[Tensor, ""]:
    """Mean squared error of each hidden token, averaged over the hidden tokens.

    `mask` is True where a token was hidden. The target is the raw value, not normalised per
    patch; visible tokens get exactly zero gradient. Nothing hidden gives exactly 0.
    """
    require_same_shape("prediction", prediction, "target", target)
    with full_precision(prediction.device):
        error = at_least_float32(prediction) - at_least_float32(target)
        per_token = error.square().mean(dim=2).masked_fill(~mask, 0.0)
        return per_token.sum() / mask.sum().clamp(min=1)


def mean_prediction_loss(
    target: Float[Tensor, "batch token value"], mask: Bool[Tensor, "batch token"]
) -> Float[Tensor, ""]:
    """Reference: the loss of predicting one constant, the mean of the batch, for every value.

    It is the variance of the targets, about 1 for a z-scored ECG. A reconstruction loss that
    does not fall below it has learnt nothing.
    """
    target = at_least_float32(target)
    return masked_reconstruction_loss(target.mean().expand_as(target), target, mask)
