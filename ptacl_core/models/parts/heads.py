"""Layers after pooling: projections for contrast, a read-out for regression."""

from typing import Literal

from torch import nn

from ptacl_core.models.parts.layers import init_linear_layers
from ptacl_core.tensors import Float, Generator, Tensor


class ProjectionHead(nn.Module):
    """Pooled tokens to the space of the global loss, one head per modality.

    "linear" is one bias-free layer (the default, 512 → 128); "mlp" two with a ReLU between.
    Neither uses batch statistics, so one process and several give the same. With
    `standardises` each pooled feature is first brought to mean 0 and variance 1 over the batch
    of its process; the mean that all patients share, which is most of an untrained encoder's
    features, can then not swamp the cosines.
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
        self.standardisation = nn.BatchNorm1d(dim, affine=False) if standardises else nn.Identity()
        last = nn.Linear(dim, projection_dim, bias=False)
        self.layers = (
            last
            if kind == "linear"
            else nn.Sequential(nn.Linear(dim, dim), nn.ReLU(inplace=True), last)
        )
        init_linear_layers(self, generator=generator)

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
