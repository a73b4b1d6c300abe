"""The one training loop: MAE, SimCLR, alignment, fine-tuning and supervised all run in it."""

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from ptacl_core.errors import TrainingDivergedError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.tensors import Tensor
from ptacl_core.train.batches import BatchStream
from ptacl_core.train.distributed import (
    average_figures,
    sum_over_processes,
    world_size,
)
from ptacl_core.train.gradients import differentiate
from ptacl_core.train.interruption import Interrupted, StopRequest
from ptacl_core.train.optimizer import set_learning_rate, step_if
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.schedule import warmup_cosine_factor
from ptacl_core.train.told_steps import StepsToTell, ToldStep

MAX_NONFINITE_IN_A_ROW = 5


@runtime_checkable
class BatchSource(Protocol):
    """Gives the batches of a run in order, from any step on."""

    def iterate(self, first_step: int) -> BatchStream:
        """Batches of `first_step`, `first_step` + 1 and so on, without end."""
        ...


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How long and how fast to train; 0 turns clipping, validation or early stopping off."""

    stage: str
    seed: int
    num_steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 0
    grad_clip: float = 1.0
    precision: str = "fp32"
    rows_per_piece: int = 0
    log_every: int = 10
    checkpoint_every: int = 0
    checkpoint_every_s: float = 600.0
    validate_every: int = 0
    patience: int = 0


@dataclass(slots=True)
class FitState:
    """Where a run stands; stored in every checkpoint."""

    step: int = 0
    num_nonfinite: int = 0
    best_loss: float | None = None
    best_step: int = 0
    num_worse: int = 0
    last_loss: float | None = None


@dataclass(slots=True)
class FitHooks:
    """What the loop calls.

    `validate` gives figures with a "loss" after a step; `remember_best` is called when that
    loss is the lowest so far, `save` when the state should reach the disk, `log` with a line
    of figures.
    """

    validate: Callable[[int], dict[str, float]] | None = None
    remember_best: Callable[[], None] = lambda: None
    save: Callable[[FitState], None] = lambda _state: None
    log: Callable[..., None] = lambda **_figures: None
    stop: StopRequest = field(default_factory=StopRequest)
    progress: ProgressSink = SILENT


def fit(
    plan: FitPlan,
    state: FitState,
    *,
    step: nn.Module,
    optimizer: torch.optim.Optimizer,
    batches: BatchSource,
    device: torch.device,
    hooks: FitHooks,
) -> FitState:
    """Train `step`, called with (Batch, StepRandomness), from `state` to the end of `plan`.

    A batch whose loss or gradient is not finite moves nothing and is named in the log;
    the fifth in a row raises TrainingDivergedError. A requested stop saves and raises
    Interrupted. On a GPU the host asks for neither between two lines of the log: the device
    itself skips such a batch. Gives the final state, which the caller stores.
    """
    hooks.progress.start(plan.stage, plan.num_steps, "steps")
    hooks.progress.advance(plan.stage, state.step)
    step.train()
    clock = _Clock(state.step)
    steps = StepsToTell()
    with closing(batches.iterate(state.step)) as source:
        while state.step < plan.num_steps and not _is_stopped_early(plan, state):
            batch = next(source)
            rate = plan.learning_rate * warmup_cosine_factor(
                state.step, num_steps=plan.num_steps, warmup_steps=plan.warmup_steps
            )
            set_learning_rate(optimizer, rate)
            draws = seed_step(seed=plan.seed, stage=plan.stage, step=state.step, device=device)
            optimizer.zero_grad(set_to_none=True)
            output = differentiate(
                step, batch, draws, device=device, precision=plan.precision,
                rows_per_piece=plan.rows_per_piece,
            )  # fmt: skip
            loss = sum_over_processes(output.loss) / world_size()
            is_sound = _descend(loss, step, optimizer, plan)
            state.step += 1
            steps.add(state.step, batch, loss, is_sound)
            is_line_due = state.step % plan.log_every == 0 or state.step == 1
            is_validated = _is_due(state.step, plan.validate_every, plan.num_steps)
            is_saved = clock.is_save_due(state.step, plan)
            is_stopped = hooks.stop.is_made and world_size() == 1
            is_end = state.step == plan.num_steps
            if device.type != "cpu" and not (
                is_line_due or is_validated or is_saved or is_stopped or is_end
            ):
                continue
            told_steps = steps.tell()
            for told_step in told_steps:
                _count(plan, state, told_step, hooks)
            if told_steps[-1].is_sound and is_line_due:
                speed = clock.samples_per_s(state.step, plan.batch_size)
                figures = average_figures(output.figures)
                hooks.log(stage=plan.stage, step=state.step, loss=told_steps[-1].loss,
                          learning_rate=rate, samples_per_s=speed, **figures)  # fmt: skip
            hooks.progress.advance(plan.stage, len(told_steps), loss=told_steps[-1].loss)
            if is_validated:
                _validate(plan, state, step, hooks)
            if is_saved:
                hooks.save(state)
            if _must_stop(hooks.stop, device, is_line_due) and state.step < plan.num_steps:
                hooks.save(state)
                raise Interrupted(
                    f"stage {plan.stage} stopped at step {state.step} of {plan.num_steps} and "
                    f"saved its state; {hooks.stop.reason or 'go on with --resume'}",
                    signal_number=hooks.stop.signal_number,
                )
    hooks.progress.finish(plan.stage)
    return state


class _Clock:
    def __init__(self, step: int):
        self.step, self.time_s = step, time.perf_counter()
        self.saved_s = self.time_s

    def is_save_due(self, step: int, plan: FitPlan) -> bool:
        """Whether the steps or the seconds between two checkpoints are over."""
        now_s = time.perf_counter()
        is_step = plan.checkpoint_every > 0 and step % plan.checkpoint_every == 0
        if not is_step and now_s - self.saved_s < plan.checkpoint_every_s:
            return False
        self.saved_s = now_s
        return True

    def samples_per_s(self, step: int, batch_size: int) -> float:
        """Samples a second since the last call, over all processes."""
        now_s = time.perf_counter()
        speed = (step - self.step) * batch_size / max(now_s - self.time_s, 1e-9)
        self.step, self.time_s = step, now_s
        return speed


def _must_stop(stop: StopRequest, device: torch.device, is_line_due: bool) -> bool:
    """Whether to stop here: several processes agree on it when a line of the log is due."""
    if world_size() == 1:
        return stop.is_made
    if not is_line_due:
        return False
    requests = torch.full((), float(stop.is_made), device=device)
    return bool(sum_over_processes(requests) > 0)


def _descend(
    loss: Tensor, step: nn.Module, optimizer: torch.optim.Optimizer, plan: FitPlan
) -> Tensor:
    """Clip and move; gives whether loss and gradient are finite, without which nothing moves."""
    limit = plan.grad_clip if plan.grad_clip > 0 else math.inf
    norm = nn.utils.clip_grad_norm_(
        [value for value in step.parameters() if value.grad is not None], limit
    )
    is_sound = torch.isfinite(norm) & torch.isfinite(loss)
    step_if(optimizer, is_sound)
    return is_sound


def _count(plan: FitPlan, state: FitState, told_step: ToldStep, hooks: FitHooks) -> None:
    if told_step.is_sound:
        state.num_nonfinite, state.last_loss = 0, told_step.loss
        return
    state.num_nonfinite += 1
    fault = (
        f"stage {plan.stage}, step {told_step.step}: loss or gradient is not finite in batch "
        f"{told_step.batch.index} of epoch {told_step.batch.epoch}; {told_step.fault}"
    )
    hooks.log(stage=plan.stage, step=told_step.step, loss=None, skipped=fault)
    hooks.progress.say(f"skipped: {fault}")
    if state.num_nonfinite >= MAX_NONFINITE_IN_A_ROW:
        raise TrainingDivergedError(
            f"{fault}. It is the {state.num_nonfinite}th batch in a row: training has diverged; "
            "lower learning_rate, use precision fp32, or repair the recordings named"
        )


def _validate(plan: FitPlan, state: FitState, step: nn.Module, hooks: FitHooks) -> None:
    if hooks.validate is None:
        return
    step.eval()
    figures = hooks.validate(state.step)
    step.train()
    hooks.log(stage=plan.stage, step=state.step, **{f"val_{k}": v for k, v in figures.items()})
    loss = figures["loss"]
    is_best = math.isfinite(loss) and (state.best_loss is None or loss < state.best_loss)
    if is_best:
        state.best_loss, state.best_step, state.num_worse = loss, state.step, 0
        hooks.remember_best()
    else:
        state.num_worse += 1


def _is_stopped_early(plan: FitPlan, state: FitState) -> bool:
    return plan.patience > 0 and state.num_worse >= plan.patience


def _is_due(step: int, every: int, num_steps: int) -> bool:
    return every > 0 and (step % every == 0 or step == num_steps)
