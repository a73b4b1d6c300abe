"""What every encoder offers: a batch becomes tokens on a known grid."""

from abc import ABC, abstractmethod

from torch import nn

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Int, Tensor


class TokenEncoder(nn.Module, ABC):
    """A module that turns recordings into tokens.

    Attributes:
        dim: width of a token.
        grid: tokens per axis, slowest first: (lead, slot) for ECG, (time, row, column) for cine.
        input_shape: shape of one recording, without the batch.
    """

    dim: int
    grid: tuple[int, ...]
    input_shape: tuple[int, ...]

    @property
    def accepted_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of a recording that `tokens` takes; the first one is `input_shape`."""
        return (self.input_shape,)

    @property
    def num_tokens(self) -> int:
        """Tokens of one recording: the product of the grid."""
        count = 1
        for size in self.grid:
            count *= size
        return count

    @property
    @abstractmethod
    def num_layers(self) -> int:
        """Layers that `layer_of` counts, the input layer and the output norm included."""

    @abstractmethod
    def tokens(
        self,
        batch: Float[Tensor, "batch ..."],
        *,
        ids_keep: Int[Tensor, "batch keep"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """Tokens after the final LayerNorm; `ids_keep` names the tokens to compute at all."""

    @abstractmethod
    def freeze_first(self, num_blocks: int, *, embeddings: bool = True) -> None:
        """Fix the first `num_blocks` layers, and with `embeddings` all outside the blocks.

        Every other parameter becomes trainable again, so `freeze_first(0, embeddings=False)`
        undoes any earlier call.
        """

    @abstractmethod
    def layer_of(self, parameter_name: str) -> int:
        """Depth of a parameter for layer-wise decay: 0 the input layer, then block by block."""

    def forward(self, batch: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch token dim"]:
        """All tokens of `batch`."""
        return self.tokens(batch)

    def check_batch(self, batch: Tensor) -> None:
        """Raise ConfigError unless `batch` has the input's shape."""
        if tuple(batch.shape[1:]) not in self.accepted_shapes:
            expected = ", ".join(str(size) for size in self.input_shape)
            raise ConfigError(
                f"{type(self).__name__}: expected a batch of [batch, {expected}], "
                f"got {list(batch.shape)}"
            )


def count_parameters(module: nn.Module, *, is_trainable: bool | None = None) -> int:
    """Number of parameters; `is_trainable` True counts those that get gradients, False the rest.

    Each parameter counts once, also where modules share it. Buffers do not count.
    """
    total = 0
    for parameter in module.parameters():
        if is_trainable is None or parameter.requires_grad == is_trainable:
            total += parameter.numel()
    return total
