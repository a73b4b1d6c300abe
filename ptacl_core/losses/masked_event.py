"""Log loss of events of which some are missing, in units of what their shares alone cost."""

import torch

from ptacl_core.losses.checks import require_same_shape
from ptacl_core.losses.precision import at_least_float32, full_precision
from ptacl_core.tensors import Float, Tensor


def masked_event_terms(
    log_odds: Float[Tensor, "patient event"],
    target: Float[Tensor, "patient event"],
    share: Float[Tensor, " event"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Cross-entropy as (sum over the events known, their number); NaN in `target` means missing.

    Each event's loss is divided by the entropy of its `share` among training patients, so that 1
    is what predicting that share costs, as with z-scored targets. A missing event gets exactly
    zero gradient.
    """
    require_same_shape("log_odds", log_odds, "target", target)
    with full_precision(log_odds.device):
        is_missing = target.isnan()
        values = at_least_float32(log_odds)
        known = target.to(values.dtype).masked_fill(is_missing, 0.0)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(values, known, reduction="none")
        rate = share.to(values.dtype)
        entropy = -(rate * rate.log() + (1 - rate) * (1 - rate).log())
        return (loss / entropy).masked_fill(is_missing, 0.0).sum(), (~is_missing).sum().to(
            values.dtype
        )
