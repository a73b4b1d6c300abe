"""NT-Xent of SimCLR: two views of one recording find each other among the batch."""

import torch
from torch.nn.functional import cross_entropy

from ptacl_core.errors import ConfigError
from ptacl_core.losses.checks import require_same_shape, require_temperature
from ptacl_core.losses.precision import full_precision, unit_length
from ptacl_core.tensors import Float, Tensor


def nt_xent_loss(
    first_view: Float[Tensor, "record dim"],
    second_view: Float[Tensor, "record dim"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Cross-entropy of each view's partner among the 2B − 1 other views (Chen et al. 2020).

    ℓ_i = −log( exp(cos(z_i, z_p(i)) / τ) / Σ_{j ≠ i} exp(cos(z_i, z_j) / τ) ), averaged over
    all 2B views; a view is never its own negative. Equal views everywhere give ln(2B − 1); one
    record alone gives 0.
    """
    require_same_shape("first_view", first_view, "second_view", second_view)
    return nt_xent_loss_gathered(
        first_view, second_view, first_view, second_view, offset=0, temperature=temperature
    )


def nt_xent_loss_gathered(
    local_first: Float[Tensor, "local dim"],
    local_second: Float[Tensor, "local dim"],
    all_first: Float[Tensor, "record dim"],
    all_second: Float[Tensor, "record dim"],
    *,
    offset: int,
    temperature: float,
) -> Float[Tensor, ""]:
    """NT-Xent for the records of one process against the views of all processes.

    Row i of the local views is row `offset + i` of the gathered ones. With equal local batches
    the mean of the processes' losses is the loss of the whole batch.
    """
    require_temperature(temperature)
    require_same_shape("local_first", local_first, "local_second", local_second)
    require_same_shape("all_first", all_first, "all_second", all_second)
    num_local, num_all = len(local_first), len(all_first)
    if offset < 0 or offset + num_local > num_all:
        raise ConfigError(
            f"offset: {num_local} local rows from {offset} exceed the {num_all} gathered rows"
        )
    with full_precision(local_first.device):
        anchors = unit_length(torch.cat((local_first, local_second)))
        candidates = unit_length(torch.cat((all_first, all_second)))
        logits = anchors @ candidates.T / temperature
        first = offset + torch.arange(num_local, device=anchors.device)
        own = torch.cat((first, first + num_all))
        partner = torch.cat((first + num_all, first))
        is_own = torch.zeros_like(logits, dtype=torch.bool).scatter_(1, own[:, None], True)
        return cross_entropy(logits.masked_fill(is_own, -torch.inf), partner)
