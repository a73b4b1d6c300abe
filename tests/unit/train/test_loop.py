import json
import math
import os
import signal
import threading

import numpy as np
import pytest
import torch
from torch import nn

from ptacl_core.errors import TrainingDivergedError
from ptacl_core.progress import SilentProgress
from ptacl_core.train.batches import Batch
from ptacl_core.train.interruption import Interrupted, StopRequest, watch_signals
from ptacl_core.train.loop import FitHooks, FitPlan, FitState, fit
from ptacl_core.train.metrics_log import MetricsLog, read_metrics
from ptacl_core.train.optimizer import build_optimizer
from ptacl_core.train.step import StepOutput

CPU = torch.device("cpu")


class Line(nn.Module):
    """One weight pulled to 1; the batches of `bad` give a loss that is not finite."""

    def __init__(self, bad=(), fault=math.nan, where="loss"):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.bad, self.fault, self.where = set(bad), fault, where

    def forward(self, batch, draws):
        noise = torch.rand(1, generator=draws.own)
        loss = ((self.weight - 1.0 - 0.1 * noise) ** 2).mean()
        if batch.index in self.bad:
            factor = torch.tensor(self.fault)
            loss = loss * factor if self.where == "loss" else _SpoilGradient.apply(loss, factor)
        return StepOutput(loss, {"noise": noise})


class _SpoilGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, loss, factor):
        ctx.factor = factor
        return loss.clone()

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0] * ctx.factor, None


class Counter:
    def iterate(self, first_step):
        step = first_step
        while True:
            yield Batch(0, step, np.arange(2), 0, 2)
            step += 1


def train(model, plan, *, state=None, hooks=None):
    optimizer = build_optimizer(model, weight_decay=0.0, betas=(0.9, 0.95))
    return fit(
        plan,
        state or FitState(),
        step=model,
        optimizer=optimizer,
        batches=Counter(),
        device=CPU,
        hooks=hooks or FitHooks(),
    )


def plan_of(num_steps=20, **changes):
    values = {
        "stage": "ecg",
        "seed": 5,
        "num_steps": num_steps,
        "batch_size": 2,
        "learning_rate": 0.1,
        "log_every": 1,
    }
    return FitPlan(**(values | changes))


def test_fit_descends_and_logs_every_step(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    model = Line()
    state = train(model, plan_of(40), hooks=FitHooks(log=log.append))
    assert state.step == 40
    lines = read_metrics(log.path)
    assert [line["step"] for line in lines] == list(range(1, 41))
    losses = np.array([line["loss"] for line in lines], float)
    assert losses[-1] < 0.05 < losses[0]
    assert set(lines[0]) == {
        "stage", "step", "loss", "learning_rate", "samples_per_s", "noise"
    }  # fmt: skip
    assert lines[0]["learning_rate"] == 0.1


def test_the_same_seed_gives_the_same_weights():
    first, second, other = Line(), Line(), Line()
    train(first, plan_of())
    train(second, plan_of())
    train(other, plan_of(seed=6))
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)


def test_gradient_is_clipped():
    model = Line()
    with torch.no_grad():
        model.weight.fill_(1e6)
    optimizer = torch.optim.SGD([{"params": model.parameters(), "lr_factor": 1.0}], lr=1.0)
    fit(
        plan_of(1, learning_rate=1.0, grad_clip=0.5),
        FitState(),
        step=model,
        optimizer=optimizer,
        batches=Counter(),
        device=CPU,
        hooks=FitHooks(),
    )
    assert model.weight.item() == pytest.approx(1e6 - 0.5)


@pytest.mark.parametrize("fault", [math.nan, math.inf])
@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_batch_that_is_not_finite_moves_nothing_and_is_named(tmp_path, fault, where):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    said = []

    class Listener(SilentProgress):
        def say(self, line: str) -> None:
            said.append(line)

    model = Line(bad=[1, 2, 7], fault=fault, where=where)
    before = []
    original = model.forward

    def spy(batch, draws):
        before.append(model.weight.item())
        return original(batch, draws)

    model.forward = spy
    state = train(model, plan_of(10), hooks=FitHooks(log=log.append, progress=Listener()))
    assert state.num_nonfinite == 0
    assert before[1] == before[2] == before[3]
    assert before[7] == before[8] != before[6]
    assert math.isfinite(model.weight.item())
    skipped = [line for line in read_metrics(log.path) if "skipped" in line]
    assert [line["step"] for line in skipped] == [2, 3, 8]
    assert skipped[2]["loss"] is None
    assert "batch 7 of epoch 0" in str(skipped[2]["skipped"])
    assert len(said) == 3


def test_five_in_a_row_end_the_run():
    model = Line(bad=range(4, 100))
    with pytest.raises(TrainingDivergedError, match=r"step 9.*batch 8 of epoch 0.*5th") as caught:
        train(model, plan_of())
    assert caught.value.exit_code == 1
    assert math.isfinite(model.weight.item())


def test_four_in_a_row_do_not():
    assert train(Line(bad=[4, 5, 6, 7, 9, 10]), plan_of()).step == 20


def test_early_stopping_keeps_the_best():
    losses = iter([3.0, 2.0, 2.5, 2.1, 9.0, 9.0, 9.0])
    kept = []
    model = Line()
    hooks = FitHooks(
        validate=lambda step: {"loss": next(losses)},
        remember_best=lambda: kept.append(model.weight.item()),
    )
    state = train(model, plan_of(100, validate_every=5, patience=3), hooks=hooks)
    assert (state.step, state.best_step, state.best_loss) == (25, 10, 2.0)
    assert len(kept) == 2


def test_without_patience_all_steps_are_made_and_the_last_is_validated():
    calls = []

    def validate(step):
        calls.append(1)
        return {"loss": float(len(calls))}

    state = train(Line(), plan_of(12, validate_every=5), hooks=FitHooks(validate=validate))
    assert state.step == 12
    assert len(calls) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops(number):
    saved = []

    class Killed(Line):
        def forward(self, batch, draws):
            if batch.index == 3:
                os.kill(os.getpid(), number)
            return super().forward(batch, draws)

    before = signal.getsignal(number)
    with watch_signals() as stop, pytest.raises(Interrupted, match="step 4 of 20") as caught:
        train(
            Killed(),
            plan_of(),
            hooks=FitHooks(stop=stop, save=lambda state: saved.append(state.step)),
        )
    assert saved == [4]
    assert caught.value.exit_code == (130 if number == signal.SIGINT else 0)
    assert signal.getsignal(number) is before


def test_signals_are_left_alone_outside_the_main_thread():
    seen = []

    def work():
        with watch_signals() as request:
            seen.append(request.is_made)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
    assert not StopRequest().is_made


def test_checkpoints_are_due_by_steps():
    saved = []
    train(Line(), plan_of(checkpoint_every=6), hooks=FitHooks(save=lambda s: saved.append(s.step)))
    assert saved == [6, 12, 18]


def test_metrics_forget_what_lies_after_the_checkpoint_and_cut_lines(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.append(stage="ecg", step=1, loss=0.5)
    for step in (1, 2, 3):
        log.append(stage="align", step=step, loss=float("nan") if step == 2 else 1.0)
    with log.path.open("a") as stream:
        stream.write('{"stage": "align", "st')
    log.forget_from(stage="align", step=3)
    lines = [json.loads(text) for text in log.path.read_text().splitlines()]
    assert [(line["stage"], line["step"]) for line in lines] == [
        ("ecg", 1), ("align", 1), ("align", 2)
    ]  # fmt: skip
    assert lines[2]["loss"] is None
