"""AdamW with weight decay on matrices only and a learning rate that can fall with depth."""

import re
from collections.abc import Callable, Iterator

import torch
from torch import nn

from ptacl_core.tensors import Bool, Tensor
from ptacl_core.train.schedule import layer_decay_factors

_NEVER_DECAYED = re.compile(r"\b(positions|mask_token)\b")


def build_optimizer(
    module: nn.Module,
    *,
    weight_decay: float,
    betas: tuple[float, float],
    layer_decay: float = 1.0,
    num_layers: int = 1,
    layer_of: Callable[[str], int] = lambda _name: 0,
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters of `module`, learning rate still to be set.

    Biases, norms, scales, positions and mask tokens are not decayed. `layer_of` gives the
    layer, from 0 to `num_layers` − 1, of a parameter's name: with `layer_decay` below 1 layers
    learn at geometrically rising rates towards the head (`set_learning_rate` applies them).
    """
    named = [(name, value) for name, value in module.named_parameters() if value.requires_grad]
    factors = layer_decay_factors(num_layers, layer_decay=layer_decay)
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for name, value in named:
        factor = factors[layer_of(name)]
        groups.setdefault((factor, is_decayed(name, value)), []).append(value)
    return torch.optim.AdamW(
        [
            {
                "params": values,
                "lr_factor": factor,
                "weight_decay": weight_decay if decayed else 0.0,
            }
            for (factor, decayed), values in groups.items()
        ],
        lr=0.0,
        betas=betas,
        fused=True,
    )


def step_if(optimizer: torch.optim.Optimizer, is_sound: Bool[Tensor, ""]) -> None:
    """One step, or none where `is_sound` is False.

    The fused kernels look for themselves, on the device; for other optimizers the host asks.
    """
    if all(group.get("fused") for group in optimizer.param_groups):
        optimizer.grad_scale = None  # pyright: ignore[reportAttributeAccessIssue]
        optimizer.found_inf = (~is_sound).float()  # pyright: ignore[reportAttributeAccessIssue]
        optimizer.step()
    elif bool(is_sound):
        optimizer.step()


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the rate of every group to its factor times `learning_rate`."""
    for group in optimizer.param_groups:
        group["lr"] = group["lr_factor"] * learning_rate


def is_decayed(name: str, value: Tensor) -> bool:
    """Whether weight decay applies: matrices and kernels, but no learnt positions or tokens."""
    return value.ndim > 1 and not _NEVER_DECAYED.search(name)


def optimizer_tensors(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by the names of the parameters, as tensors to be stored."""
    stored = {}
    for name, value in _trained(module):
        for key, state in optimizer.state.get(value, {}).items():
            stored[f"{key}/{name}"] = state.detach()
    return stored


def restore_optimizer(
    module: nn.Module, optimizer: torch.optim.Optimizer, stored: dict[str, Tensor]
) -> None:
    """Put back what `optimizer_tensors` gave. Raises KeyError when a parameter's state lacks.

    A parameter without any state (never stepped) is left without.
    """
    for name, value in _trained(module):
        keys = ("step", "exp_avg", "exp_avg_sq")
        present = [key for key in keys if f"{key}/{name}" in stored]
        if not present:
            continue
        state = {key: stored[f"{key}/{name}"] for key in keys}
        if state["exp_avg"].shape != value.shape or state["exp_avg_sq"].shape != value.shape:
            raise KeyError(f"{name}: stored moments of shape {tuple(state['exp_avg'].shape)}")
        # The fused kernel wants its step counts beside the parameters.
        optimizer.state[value] = {
            "step": state["step"].to(value.device, torch.float32).clone(),
            "exp_avg": state["exp_avg"].to(value.device).clone(),
            "exp_avg_sq": state["exp_avg_sq"].to(value.device).clone(),
        }


def _trained(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, value) for name, value in module.named_parameters() if value.requires_grad)
