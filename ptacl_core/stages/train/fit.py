"""One stage of a run through `fit`: batches, optimizer, checkpoints, validation, metrics."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.checkpoint import FINAL, WEIGHTS_FILE, CheckpointDocument, load_document
from ptacl_core.config.optimisation import Optimisation
from ptacl_core.documents.health import StageHealth
from ptacl_core.errors import ShardError
from ptacl_core.models.parts.transformer import recompute_blocks
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.runs.health import read_health
from ptacl_core.runs.lineage import record_end, record_start
from ptacl_core.stages.train.head_targets import HeadTargets
from ptacl_core.stages.train.health import HealthSpec, HealthWatch, choose_rows
from ptacl_core.stages.train.usable_rows import select_rows
from ptacl_core.train.batches import Batches, BatchOrder, FixedOrder
from ptacl_core.train.checkpointing import TrainingCheckpoints
from ptacl_core.train.distributed import average_sums, on_its_own, wait_for_all
from ptacl_core.train.loop import FitHooks, FitPlan, fit
from ptacl_core.train.optimizer import build_optimizer
from ptacl_core.train.precision import autocast, require_compiler
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.recordings import open_recordings
from ptacl_core.train.step import StepOutput, TrainingStep
from ptacl_core.train.steps.regression import RegressionStep

Probe = Callable[[], dict[str, float]]


@dataclass(frozen=True, slots=True)
class StageSummary:
    """What one stage came to; `loss` is the last training loss.

    `health` is None of a stage that was finished before health was measured.
    """

    stage: str
    steps: int
    loss: float | None
    samples_per_s: float
    health: StageHealth | None = None


@dataclass(frozen=True, slots=True)
class StageTask:
    """A stage to be trained: its name on disk, its module, what it reads, what counts as learning.

    `module` is called as a StepFunction; `averaged_px` is the side to which the frames of
    cines may be averaged once, before training, for an encoder that sees no more of them;
    `targets` are what its head is trained on; `probe` gives extra figures at some validations,
    `figures` are constants that stand in every line of the metrics.
    """

    stage: str
    module: nn.Module
    optimisation: Optimisation
    modalities: tuple[str, ...]
    health: HealthSpec
    layer_decay: float = 1.0
    num_layers: int = 1
    layer_of: Callable[[str], int] = lambda _name: 0
    targets: HeadTargets | None = None
    averaged_px: int | None = None
    probe: Probe | None = None
    figures: dict[str, float] = field(default_factory=dict)


def train_stage(run: TrainingRun, task: StageTask) -> StageSummary:
    """Train `task.module` to the end, from the stage's newest checkpoint when there is one.

    The module ends with its final weights (the best of validation with early stopping).
    Raises ShardError without training patients, CheckpointError when checkpoints are damaged.
    """
    rows = select_rows(run, "train", task.modalities)
    if len(rows) == 0:
        raise ShardError(
            f"stage {task.stage}: the train split has no patient with "
            f"{' and '.join(task.modalities)}; preprocess such recordings first"
        )
    if run.world.is_first:
        _record_start(run, task, rows)
    wait_for_all()
    task.module.to(run.device)
    if run.settings.compute.recompute_blocks:
        recompute_blocks(task.module)
    if run.settings.compute.compile and isinstance(task.module, TrainingStep):
        require_compiler(run.device)
        task.module.compile_rows()
    options = task.optimisation
    training = _build_batches(run, task, rows)
    order = training.order
    assert isinstance(order, BatchOrder)
    if order.batch_size < options.batch_size:
        run.progress.say(
            f"stage {task.stage}: {len(rows)} training patients; batches hold {order.batch_size}"
        )
    plan = _plan(run, task, order)
    optimizer = build_optimizer(
        task.module,
        weight_decay=options.weight_decay,
        betas=options.betas,
        layer_decay=task.layer_decay,
        num_layers=task.num_layers,
        layer_of=task.layer_of,
    )
    folder = run.checkpoints(task.stage)
    checkpoints = TrainingCheckpoints(folder, _describe(run, task), task.module, optimizer)
    state = checkpoints.restore()
    if run.world.is_first:
        run.metrics.forget_from(stage=task.stage, step=state.step + 1)
    wait_for_all()
    started_s, started_step = time.perf_counter(), state.step
    watch = HealthWatch(
        run,
        task.stage,
        task.health,
        batch_size=order.batch_size,
        measure_split=lambda split: _measure_split(run, task, split),
    )
    hooks = FitHooks(
        validate=_build_validation(run, task, plan, watch),
        remember_best=checkpoints.remember_best if options.patience > 0 else lambda: None,
        save=checkpoints.save if run.world.is_first else lambda _state: None,
        log=_log(run, task),
        stop=run.stop,
        progress=run.progress,
    )
    state = fit(
        plan,
        state,
        step=_distribute(run, task.module),
        optimizer=optimizer,
        batches=training,
        device=run.device,
        hooks=hooks,
    )
    wall_s = max(time.perf_counter() - started_s, 1e-9)
    if options.patience > 0:
        checkpoints.return_to_best()
    task.module.eval()
    health = watch.conclude(step=state.step)
    if run.world.is_first:
        checkpoints.finish(state)
        final = load_document(folder.directory / FINAL)
        weights_sha256 = final.files[WEIGHTS_FILE].sha256
        record_end(run.cohort_dir, run=run.name, stage=task.stage, weights_sha256=weights_sha256)
    wait_for_all()
    speed = (state.step - started_step) * order.batch_size / wall_s
    return StageSummary(task.stage, state.step, state.last_loss, speed, health)


def _record_start(run: TrainingRun, task: StageTask, rows: Int64[Array, " row"]) -> None:
    """Who is trained on and validated on, in the cohort's lineage, before the first step."""
    validation = run.reader.rows("val", needs=task.modalities)
    parents = run.settings.pretrained_from
    record_start(
        run.cohort_dir,
        run=run.name,
        stage=task.stage,
        people=[run.reader.patients[row] for part in (rows, validation) for row in part],
        data_sha256=run.reader.manifest_sha256,
        parents=[name for name in (parents.ecg, parents.cmr, parents.align) if name is not None],
        progress=run.progress,
    )


def summarise_finished(run: TrainingRun, stage: str) -> StageSummary:
    """Summary of a stage that had been finished before. Raises CheckpointError."""
    document = load_document(run.checkpoints(stage).directory / FINAL)
    loss = document.position.get("last_loss")
    steps = int(document.position.get("step") or 0)
    known = read_health(run.directory)
    health = None if known is None else known.stages.get(stage)
    return StageSummary(stage, steps, None if loss is None else float(loss), 0.0, health)


def _build_batches(run: TrainingRun, task: StageTask, rows: Int64[Array, " row"]) -> Batches:
    order = BatchOrder(
        len(rows),
        task.optimisation.batch_size,
        seed=run.settings.seed,
        stage=task.stage,
        world=run.world,
        people=np.unique([run.reader.patients[row] for row in rows], return_inverse=True)[1],
    )
    return _attach(run, task, rows, order)


def _attach(
    run: TrainingRun, task: StageTask, rows: Int64[Array, " row"], order: BatchOrder | FixedOrder
) -> Batches:
    data = run.settings.data
    recordings = open_recordings(
        run.reader,
        rows,
        modalities=task.modalities,
        device=run.device,
        memory_budget_gib=data.memory_budget_gib,
        memory_share=run.memory_share,
        averaged_px=task.averaged_px,
        progress=run.progress,
    )
    return Batches(
        order,
        rows,
        recordings,
        r_peaks=run.reader.r_peaks(rows) if "ecg" in task.modalities else None,
        targets=_z_score(task, rows),
        prefetch=0 if recordings.is_resident else data.prefetch_batches,
    )


def _z_score(task: StageTask, rows: Int64[Array, " row"]) -> Float32[Array, "row target"] | None:
    if task.targets is None:
        return None
    values = task.targets.read(rows) - np.asarray(task.targets.mean)
    return (values / np.asarray(task.targets.sd)).astype(np.float32)


def _plan(run: TrainingRun, task: StageTask, order: BatchOrder) -> FitPlan:
    options = task.optimisation
    num_steps = options.steps or (options.epochs or 0) * order.steps_per_epoch
    return FitPlan(
        stage=task.stage,
        seed=run.settings.seed,
        num_steps=num_steps,
        batch_size=order.batch_size,
        learning_rate=options.learning_rate,
        warmup_steps=round(options.warmup_fraction * num_steps),
        grad_clip=options.grad_clip,
        precision=run.settings.precision,
        rows_per_piece=run.settings.compute.rows_per_piece,
        log_every=options.log_every_steps,
        checkpoint_every=options.checkpoint_every_steps,
        checkpoint_every_s=options.checkpoint_every_s,
        validate_every=options.validate_every_steps or order.steps_per_epoch,
        patience=options.patience,
    )


def _build_validation(
    run: TrainingRun, task: StageTask, plan: FitPlan, watch: HealthWatch
) -> Callable[[int], dict[str, float]] | None:
    rows = select_rows(run, "val", task.modalities)
    if len(rows) == 0:
        run.progress.say(f"stage {task.stage}: no validation patients, so no early stopping")
        return None
    order = FixedOrder(len(rows), task.optimisation.batch_size)
    batches = _attach(run, task, rows, order)
    probe_every = plan.validate_every * task.optimisation.probe_every_validations

    def validate(step: int) -> dict[str, float]:
        figures = _measure(run, task, batches, order.num_batches)
        watch.watch(figures, step=step, num_steps=plan.num_steps, batch_size=order.batch_size)
        is_due = probe_every > 0 and (step % probe_every == 0 or step == plan.num_steps)
        if task.probe is not None and is_due:
            figures |= task.probe()
        return figures

    return validate


def _measure_split(run: TrainingRun, task: StageTask, split: str) -> dict[str, float] | None:
    """The step's figures on some patients of a split, with what predicting the mean costs."""
    rows = choose_rows(run, split, task.modalities, most=run.settings.health.max_patients)
    if len(rows) < 2:
        return None
    order = FixedOrder(len(rows), task.optimisation.batch_size)
    batches = _attach(run, task, rows, order)
    figures = _measure(run, task, batches, order.num_batches, is_tolerant=True)
    if batches.targets is not None:
        assert isinstance(task.module, RegressionStep)
        figures["mean_predictor_loss"] = float(task.module.cost_of_means(batches.targets))
    return figures


@torch.no_grad()
def _measure(
    run: TrainingRun,
    task: StageTask,
    batches: Batches,
    num_batches: int,
    *,
    is_tolerant: bool = False,
) -> dict[str, float]:
    """Mean loss and figures over the batches, the same draws every time.

    Each process measures every n-th batch as if it were alone, so that a batch, and with it a
    contrastive loss, is the same whatever the number of processes. `is_tolerant` leaves out
    batches whose loss is not finite, where there are others: training skips them as well.
    """
    sums: dict[str, torch.Tensor] = {}
    num_used = torch.zeros((), dtype=torch.float64, device=run.device)
    for index in range(run.world.rank, num_batches, run.world.size):
        draws = seed_step(
            seed=run.settings.seed,
            stage=f"{task.stage}/validation",
            step=index,
            device=run.device,
        )
        with on_its_own(), autocast(run.device, run.settings.precision):
            output: StepOutput = task.module(batches.load(index), draws)
        is_used = torch.isfinite(output.loss) if is_tolerant else torch.ones_like(num_used).bool()
        num_used += is_used
        for name, value in {"loss": output.loss, **output.figures}.items():
            counted = torch.where(is_used, value.detach().double(), 0.0)
            sums[name] = sums.get(name, 0.0) + counted
    return average_sums(sums, num_used)


def _distribute(run: TrainingRun, module: nn.Module) -> nn.Module:
    if run.world.size == 1 or run.settings.compute.rows_per_piece:
        return module
    index = [run.device.index] if run.device.type == "cuda" else None
    return DistributedDataParallel(
        module, device_ids=index, static_graph=True, gradient_as_bucket_view=True
    )


class DescribedTargets(TypedDict, total=False):
    """What a checkpoint says of the targets that its head predicts; nothing without a head."""

    target_names: tuple[str, ...]
    target_units: tuple[str, ...]
    target_mean: tuple[float, ...]
    target_sd: tuple[float, ...]


def _describe(run: TrainingRun, task: StageTask) -> CheckpointDocument:
    described: DescribedTargets = {}
    if task.targets is not None:
        described = {
            "target_names": task.targets.names,
            "target_units": task.targets.units,
            "target_mean": task.targets.mean,
            "target_sd": task.targets.sd,
        }
    return CheckpointDocument(
        stage=task.stage,
        step=0,
        settings=run.settings,
        preprocessing=run.reader.preprocessing,
        preprocessing_hash=run.reader.preprocessing.hash(),
        data_sha256=run.reader.manifest_sha256,
        files={},
        **described,
    )


def _log(run: TrainingRun, task: StageTask) -> Callable[..., None]:
    if not run.world.is_first:
        return lambda **_figures: None
    metrics = run.metrics
    return lambda **figures: metrics.append(**figures, **task.figures)
