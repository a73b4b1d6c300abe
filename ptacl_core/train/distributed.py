"""Many processes as one trainer: who we are, gathering with gradient, sums over processes.

Outside `torchrun` there is one process and every function here is the identity.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True, slots=True)
class World:
    """This process among the `size` processes of one training."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports progress."""
        return self.rank == 0


ALONE = World()
"""One process, no torchrun."""


@contextmanager
def join_world(device_type: str) -> Iterator[World]:
    """Join the process group that torchrun's environment describes, leave it at the end.

    Uses NCCL for "cuda", gloo otherwise. Raises ConfigError for a broken environment.
    """
    try:
        size = int(os.environ.get("WORLD_SIZE", "1"))
        world = World(
            rank=int(os.environ.get("RANK", "0")),
            size=size,
            local_rank=int(os.environ.get("LOCAL_RANK", "0")),
        )
    except ValueError as error:
        raise ConfigError(f"WORLD_SIZE, RANK, LOCAL_RANK: {error}; start with torchrun") from None
    if size == 1:
        yield world
        return
    if device_type == "cuda":
        torch.cuda.set_device(world.local_rank)
    dist.init_process_group(
        "nccl" if device_type == "cuda" else "gloo", timeout=timedelta(minutes=30)
    )
    try:
        yield world
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def gather_with_gradient(values: Float[Tensor, " batch *rest"]) -> Float[Tensor, " all *rest"]:
    """The rows of all processes, by rank; gradients flow back to the process a row is from.

    Every process must hold the same number of rows. When each process computes the same loss
    of the gathered rows, the mean of their gradients (as DistributedDataParallel takes it) is
    the gradient of that loss.
    """
    return _Gather.apply(values) if world_size() > 1 else values  # pyright: ignore


def sum_over_processes(values: Tensor) -> Tensor:
    """Sum over the processes, without gradient; a new tensor."""
    total = values.detach().clone()
    if world_size() > 1:
        dist.all_reduce(total)
    return total


def share_of_mean(total: Float[Tensor, ""], count: Tensor) -> Float[Tensor, ""]:
    """This process's share of a mean over items that are spread over the processes.

    From the sum over this process's `count` items. The mean of the shares over processes,
    which is what DistributedDataParallel descends, is Σ total / Σ count. No item anywhere
    leaves 0 · total, with its graph.
    """
    all_items = sum_over_processes(count.to(total.dtype)).clamp_min(1.0)
    return total * (world_size() / all_items)


def first_row(num_rows: int) -> int:
    """Where this process's rows begin among the gathered ones."""
    return dist.get_rank() * num_rows if world_size() > 1 else 0


def average_figures(figures: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean of each figure over the processes, in one exchange."""
    if not figures:
        return {}
    values = torch.stack([value.detach().double().reshape(()) for value in figures.values()])
    return dict(zip(figures, (sum_over_processes(values) / world_size()).tolist(), strict=True))


def wait_for_all() -> None:
    """Return once every process has come here."""
    if world_size() > 1:
        dist.barrier()


class _Gather(torch.autograd.Function):
    """All-gather whose backward sums the gradients of all processes (works with gloo)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        parts = [torch.empty_like(values) for _ in range(world_size())]
        dist.all_gather(parts, values.contiguous())
        ctx.num_rows = values.shape[0]
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        start = dist.get_rank() * ctx.num_rows
        return total[start : start + ctx.num_rows]
