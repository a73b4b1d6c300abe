"""Which tokens the encoder sees: uniform random, per sample (method.md §4)."""

from dataclasses import dataclass

import torch

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Bool, Float, Generator, Int, Tensor, move_to_device


@dataclass(frozen=True)
class TokenMask:
    """A draw of visible tokens.

    Attributes:
        ids_keep: tokens shown to the encoder, in random order.
        ids_restore: for each token its place in the shuffled order, visible ones first.
        mask: True where a token is hidden.
    """

    ids_keep: Int[Tensor, "batch keep"]
    ids_restore: Int[Tensor, "batch token"]
    mask: Bool[Tensor, "batch token"]


def num_visible_tokens(num_tokens: int, mask_ratio: float) -> int:
    """int(L · (1 − r) + 0.5): 150 of 600 at 0.75, 64 of 637 at 0.9.

    Raises ConfigError if no token or every token would be visible.
    """
    num_visible = int(num_tokens * (1.0 - mask_ratio) + 0.5)
    if not 0 < num_visible < num_tokens:
        raise ConfigError(
            f"mask_ratio: {mask_ratio!r} leaves {num_visible} of {num_tokens} tokens visible; "
            "expected at least one visible and one hidden"
        )
    return num_visible


def draw_token_mask(
    batch_size: int,
    num_tokens: int,
    mask_ratio: float,
    generator: Generator,
    *,
    device: torch.device | str | None = None,
) -> TokenMask:
    """Hide a uniformly random share of all tokens, independently per sample.

    Drawn on the generator's device, returned on `device` (default: the generator's).
    """
    num_visible = num_visible_tokens(num_tokens, mask_ratio)
    noise = torch.rand(batch_size, num_tokens, generator=generator, device=generator.device)
    order = move_to_device(noise, device or generator.device).argsort(dim=1)
    ids_restore = order.argsort(dim=1)
    return TokenMask(
        ids_keep=order[:, :num_visible], ids_restore=ids_restore, mask=ids_restore >= num_visible
    )


def gather_tokens(
    tokens: Float[Tensor, "batch token dim"], ids: Int[Tensor, "batch keep"]
) -> Float[Tensor, "batch keep dim"]:
    """Rows `ids` of each sample's tokens."""
    return tokens.gather(1, ids[:, :, None].expand(-1, -1, tokens.shape[2]))
