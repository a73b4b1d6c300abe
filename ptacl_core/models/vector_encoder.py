"""Encoder of precomputed vectors: standardised as training people are, then one hidden layer."""

import torch
from torch import nn

from ptacl_core.errors import ConfigError
from ptacl_core.models.token_encoder import TokenEncoder
from ptacl_core.tensors import Float, Generator, Int, Tensor


class VectorEncoder(TokenEncoder):
    """Another model's vector of a person becomes one token, so that it can be aligned.

    `mean` and `sd` of each value are kept with the weights; before `standardise` they are 0 and 1.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, *, num_values: int, dim: int, generator: Generator | None = None) -> None:
        super().__init__()
        self.dim = dim
        self.grid = (1,)
        self.input_shape = (num_values,)
        self.register_buffer("mean", torch.zeros(num_values))
        self.register_buffer("sd", torch.ones(num_values))
        self.hidden = nn.Linear(num_values, dim)
        self.norm = nn.LayerNorm(dim)
        nn.init.normal_(self.hidden.weight, std=num_values**-0.5, generator=generator)
        nn.init.zeros_(self.hidden.bias)

    def standardise(self, vectors: Float[Tensor, "vector value"]) -> None:
        """Take mean and standard deviation of training people; a constant value becomes 0."""
        self.check_batch(vectors)
        values = vectors.double()
        sd = values.std(dim=0, correction=0)
        self.mean.copy_(values.mean(dim=0))
        self.sd.copy_(torch.where(sd > 1e-6 * (1 + self.mean.abs()), sd, torch.inf))

    def tokens(
        self,
        batch: Float[Tensor, "batch value"],
        *,
        ids_keep: Int[Tensor, "batch keep"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """One token per vector; `ids_keep` is refused."""
        if ids_keep is not None:
            raise ConfigError("VectorEncoder: a vector has no tokens to leave out")
        self.check_batch(batch)
        scaled = (batch.float() - self.mean) / self.sd
        return self.norm(nn.functional.gelu(self.hidden(scaled)))[:, None]

    @property
    def num_layers(self) -> int:
        """The hidden layer and the norm."""
        return 2

    def freeze_first(self, num_blocks: int, *, embeddings: bool = True) -> None:
        """Fix the hidden layer, the one block, and with `embeddings` the norm."""
        self.hidden.requires_grad_(num_blocks == 0)
        self.norm.requires_grad_(not embeddings)

    def layer_of(self, parameter_name: str) -> int:
        """The hidden layer is 0, the norm 1."""
        return 0 if parameter_name.startswith("hidden") else 1
