"""Layers after pooling: projections for contrast, a read-out for regression."""

from collections.abc import Callable
from typing import Literal

from torch import nn

from ptacl_core.models.parts.layers import init_linear_layers
from ptacl_core.tensors import Float, Generator, Tensor


class SharedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation with the statistics of all processes' rows.

    Alone it is `BatchNorm1d`. A trainer of several processes gives `gather`, which returns the
    rows of all processes with gradient, and `first_row`, where this process's rows begin.
    """

    gather: Callable[[Tensor], Tensor] | None = None
    first_row: Callable[[int], int] | None = None

    def forward(self, input: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch dim"]:  # noqa: A002 - torch's name
        """Features of mean 0 and variance 1 over the whole batch (training), or as kept."""
        if not self.training or self.gather is None or self.first_row is None:
            return super().forward(input)
        start = self.first_row(len(input))
        return super().forward(self.gather(input))[start : start + len(input)]


class ProjectionHead(nn.Module):
    """Pooled tokens to the space of the global loss, one head per modality.

    "linear" is one bias-free layer (the default, 512 → 128); "mlp" two with a ReLU between.
    With `standardises` each pooled feature is first brought to mean 0 and variance 1 over the
    batch; the mean that all patients share, which is most of an untrained encoder's features,
    can then not swamp the cosines.
    """

    def __init__(
        self,
        dim: int,
        projection_dim: int = 128,
        *,
        kind: Literal["linear", "mlp"] = "linear",
        standardises: bool = False,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.projection_dim = projection_dim
        self.standardisation = SharedBatchNorm(dim, affine=False) if standardises else nn.Identity()
        last = nn.Linear(dim, projection_dim, bias=False)
        self.layers = (
            last
            if kind == "linear"
            else nn.Sequential(nn.Linear(dim, dim), nn.ReLU(inplace=True), last)
        )
        init_linear_layers(self, generator=generator)

    def share_statistics(
        self, gather: Callable[[Tensor], Tensor], first_row: Callable[[int], int]
    ) -> None:
        """Standardise over the rows of all processes: see `SharedBatchNorm`."""
        if isinstance(self.standardisation, SharedBatchNorm):
            self.standardisation.gather, self.standardisation.first_row = gather, first_row

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch projection"]:
        """Projected features, not normalised: the losses do that."""
        return self.layers(self.standardisation(features))


class SimclrHead(nn.Module):
    """Linear, BatchNorm, ReLU, linear to 128 (SimCLR); the statistics are the batch's.

    With several processes it must see the gathered features of all of them.
    """

    def __init__(
        self, dim: int, projection_dim: int = 128, *, generator: Generator | None = None
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, dim, bias=False),
            nn.BatchNorm1d(dim),
            nn.ReLU(inplace=True),
            nn.Linear(dim, projection_dim),
        )
        init_linear_layers(self, generator=generator)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch projection"]:
        """Projected features, not normalised."""
        return self.layers(features)


class RegressionHead(nn.Module):
    """One linear layer to the (z-scored) targets, weights from N(0, 0.01) cut at two deviations."""

    def __init__(
        self, dim: int, num_targets: int = 10, *, generator: Generator | None = None
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, num_targets)
        nn.init.trunc_normal_(self.linear.weight, std=0.01, a=-0.02, b=0.02, generator=generator)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Float[Tensor, "batch dim"]) -> Float[Tensor, "batch target"]:
        """Predicted targets."""
        return self.linear(features)
