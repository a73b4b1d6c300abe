import pytest
import torch
from torch import nn

from ptacl_core.train.optimizer import (
    build_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)


class TinyEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch_embed = nn.Linear(4, 3)
        self.positions = nn.Embedding(5, 3)
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))
        self.norm = nn.LayerNorm(3)


class TinyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = TinyEncoder()
        self.head = nn.Linear(3, 2)


def group_of(optimizer, parameter):
    return next(
        group
        for group in optimizer.param_groups
        if any(value is parameter for value in group["params"])
    )


def test_only_matrices_decay():
    model = TinyModel()
    optimizer = build_optimizer(model, weight_decay=0.05, betas=(0.9, 0.95))
    decayed = {
        name
        for name, value in model.named_parameters()
        if group_of(optimizer, value)["weight_decay"] > 0
    }
    assert decayed == {
        "encoder.patch_embed.weight",
        "encoder.blocks.0.weight",
        "encoder.blocks.1.weight",
        "head.weight",
    }


def test_layer_decay_counts_from_embeddings_to_head():
    model = TinyModel()
    optimizer = build_optimizer(
        model,
        weight_decay=0.0,
        betas=(0.9, 0.95),
        layer_decay=0.5,
        num_layers=4,
        layer_of=lambda name: (
            3
            if "head" in name or "norm" in name
            else int(name.split(".")[2]) + 1
            if "blocks" in name
            else 0
        ),
    )
    set_learning_rate(optimizer, 0.8)
    rates = {name: group_of(optimizer, value)["lr"] for name, value in model.named_parameters()}
    assert rates["encoder.patch_embed.weight"] == rates["encoder.positions.weight"] == 0.1
    assert rates["encoder.blocks.0.bias"] == 0.2
    assert rates["encoder.blocks.1.weight"] == 0.4
    assert rates["encoder.norm.weight"] == rates["head.bias"] == 0.8


def test_frozen_parameters_are_left_out():
    model = TinyModel()
    model.encoder.blocks[0].requires_grad_(False)
    optimizer = build_optimizer(model, weight_decay=0.05, betas=(0.9, 0.95))
    held = {id(value) for group in optimizer.param_groups for value in group["params"]}
    assert id(model.encoder.blocks[0].weight) not in held
    assert id(model.encoder.blocks[1].weight) in held


def test_first_step_of_adamw_in_closed_form():
    weight = nn.Linear(1, 1, bias=False)
    nn.init.constant_(weight.weight, 2.0)
    optimizer = build_optimizer(weight, weight_decay=0.1, betas=(0.9, 0.95))
    set_learning_rate(optimizer, 0.01)
    weight(torch.full((1, 1), 3.0)).sum().backward()
    optimizer.step()
    assert weight.weight.item() == pytest.approx(2.0 * (1 - 0.01 * 0.1) - 0.01, abs=1e-6)


def advance(model, optimizer, seed):
    torch.manual_seed(seed)
    optimizer.zero_grad()
    model.head(model.encoder.norm(model.encoder.patch_embed(torch.randn(2, 4)))).sum().backward()
    optimizer.step()


def test_stored_state_goes_on_bit_for_bit():
    torch.manual_seed(1)
    first, second = TinyModel(), TinyModel()
    settings = {"weight_decay": 0.05, "betas": (0.9, 0.95)}
    one = build_optimizer(first, **settings)
    set_learning_rate(one, 1e-2)
    advance(first, one, 2)
    stored = {name: value.clone() for name, value in optimizer_tensors(first, one).items()}
    second.load_state_dict(first.state_dict())
    two = build_optimizer(second, **settings)
    set_learning_rate(two, 1e-2)
    restore_optimizer(second, two, stored)
    advance(first, one, 3)
    advance(second, two, 3)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_moments_of_another_shape_are_refused():
    model = TinyModel()
    optimizer = build_optimizer(model, weight_decay=0.0, betas=(0.9, 0.95))
    set_learning_rate(optimizer, 1e-2)
    advance(model, optimizer, 2)
    stored = optimizer_tensors(model, optimizer)
    stored["exp_avg/head.weight"] = torch.zeros(9, 9)
    with pytest.raises(KeyError, match=r"\(9, 9\)"):
        restore_optimizer(model, optimizer, stored)
