"""Many processes as one trainer: who we are, gathering with gradient, sums over processes.

Outside `torchrun` there is one process and every function here is the identity.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

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


_is_alone: ContextVar[bool] = ContextVar("is alone", default=False)


@contextmanager
def on_its_own() -> Iterator[None]:
    """For the time of the block this process computes as if it were the only one."""
    token = _is_alone.set(True)
    try:
        yield
    finally:
        _is_alone.reset(token)


def world_size() -> int:
    """Number of processes that train together; 1 within `on_its_own`."""
    return 1 if _is_alone.get() or not dist.is_initialized() else dist.get_world_size()


def gather_with_gradient(values: Float[Tensor, " batch *rest"]) -> Float[Tensor, " all *rest"]:
    """The rows of all processes, by rank; gradients flow back to the process a row is from.

    Every process must hold the same number of rows. When each process computes the same loss
    of the gathered rows, the mean of their gradients (as DistributedDataParallel takes it) is
    the gradient of that loss.
    """
    return _Gather.apply(values) if world_size() > 1 else values


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


def take_patients_before(values: Float[Tensor, " batch *rest"]) -> Float[Tensor, " batch *rest"]:
    """Each row of the whole batch becomes that of the patient before it, with gradient.

    The last patient of one process comes before the first of the next.
    """
    start = first_row(len(values))
    return gather_with_gradient(values).roll(1, dims=0)[start : start + len(values)]


def average_figures(figures: Mapping[str, Tensor]) -> dict[str, float]:
    """Mean of each figure over the processes, in one exchange."""
    if not figures:
        return {}
    values = torch.stack([value.detach().double().reshape(()) for value in figures.values()])
    return dict(zip(figures, (sum_over_processes(values) / world_size()).tolist(), strict=True))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the processes, in one exchange.

    What DistributedDataParallel does during one backward pass, for gradients that several
    passes have added up.
    """
    gradients = [value.grad for value in parameters if value.grad is not None]
    if world_size() == 1 or not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def average_sums(sums: Mapping[str, Tensor], num_items: Float[Tensor, ""]) -> dict[str, float]:
    """Sums over items that are spread over the processes, divided by the number of all items.

    A process without any item has no names either, and takes those of the others.
    """
    names = list(sums)
    if world_size() > 1:
        everyone: list[list[str]] = [[] for _ in range(world_size())]
        dist.all_gather_object(everyone, names)
        names = max(everyone, key=len)
    zero = torch.zeros_like(num_items)
    values = [sums.get(name, zero).detach().to(num_items.dtype).reshape(()) for name in names]
    *totals, count = sum_over_processes(torch.stack([*values, num_items])).tolist()
    return {
        name: total / count if count else math.nan
        for name, total in zip(names, totals, strict=True)
    }


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
