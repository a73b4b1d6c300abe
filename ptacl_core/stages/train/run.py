"""`ptacl train`: the stages of a run, in order, each finished once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from ptacl_core.config.training import RunSettings
from ptacl_core.errors import CheckpointError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.folder import TrainingRun, open_training_run
from ptacl_core.runs.vectors import fit_to_vectors
from ptacl_core.stages.train.align import align
from ptacl_core.stages.train.finetune import finetune
from ptacl_core.stages.train.fit import StageSummary, summarise_finished
from ptacl_core.stages.train.pretrain import pretrain
from ptacl_core.stages.train.supervised import train_supervised

TrainStage = Literal["all", "ecg", "cmr", "align", "finetune", "supervised"]


class StageVerdict(TypedDict):
    """Whether a stage has learned, why not, and what to try."""

    learned: bool
    reasons: list[str]
    hints: list[str]


class TrainReport(TypedDict):
    """The JSON document of `ptacl train`."""

    run: str
    stage: str
    steps: int
    loss: float
    samples_per_s: float
    health: dict[str, StageVerdict]


@dataclass(frozen=True, slots=True)
class TrainSummary:
    """What a training came to. `loss` is the last one of the last stage, None without steps.

    `stages` tells the stages apart; those finished earlier have 0 samples/s. Of the processes
    under torchrun only the one with `is_reporter` should speak.
    """

    run: str
    stage: str
    steps: int
    loss: float
    samples_per_s: float
    run_dir: Path
    stages: tuple[StageSummary, ...] = ()
    is_reporter: bool = True

    @property
    def failures(self) -> dict[str, tuple[str, ...]]:
        """Reasons and what to try by stage, of the stages that have not learned."""
        return {
            stage.stage: (*stage.health.reasons, *stage.health.hints)
            for stage in self.stages
            if stage.health is not None and not stage.health.learned
        }

    def as_dict(self) -> TrainReport:
        """The JSON document of `ptacl train`."""
        return {
            "run": self.run,
            "stage": self.stage,
            "steps": self.steps,
            "loss": self.loss,
            "samples_per_s": self.samples_per_s,
            "health": {
                stage.stage: {
                    "learned": stage.health.learned,
                    "reasons": list(stage.health.reasons),
                    "hints": list(stage.health.hints),
                }
                for stage in self.stages
                if stage.health is not None
            },
        }


def run(
    cohort_dir: Path,
    settings: RunSettings,
    *,
    stage: TrainStage = "all",
    resume: bool = False,
    run_name: str | None = None,
    memory_share: float = 1.0,
    progress: ProgressSink = SILENT,
) -> TrainSummary:
    """Train `stage` of a run in `<cohort_dir>/runs/<run_name or settings.name>`.

    "all" is every stage in `settings.stages` but pretraining that is taken from another run
    or left out. A finished stage is skipped with `resume`, an unfinished one goes on from its
    newest checkpoint. Under torchrun the processes train together. `memory_share` is this run's
    part of the device's free memory, where several train on one device.

    Raises CheckpointError when a stage was begun and `resume` is False, ConfigError when the
    run has other settings, CohortLockedError when another trainer has it, TrainingDivergedError,
    and Interrupted after SIGTERM or SIGINT, with everything saved.
    """
    settings = fit_to_vectors(cohort_dir, settings)
    with open_training_run(
        cohort_dir, settings, run_name=run_name, memory_share=memory_share, progress=progress
    ) as opened:
        summaries = []
        for name, train in _list_stages(opened, stage):
            folder = opened.checkpoints(name)
            if folder.has_any and not resume:
                raise CheckpointError(
                    f"run {opened.name}: stage {name} was "
                    f"{'finished' if folder.is_finished else 'begun'} before; go on with "
                    "--resume, or give the run another name"
                )
            if folder.is_finished:
                summaries.append(summarise_finished(opened, name))
                opened.progress.say(f"stage {name} is finished: skipped")
            else:
                summaries.append(train())
        return _summarise(opened, stage, summaries)


def _list_stages(
    opened: TrainingRun, stage: TrainStage
) -> list[tuple[str, Callable[[], StageSummary]]]:
    """Names on disk and trainers of what `stage` means for this run."""
    settings = opened.settings
    wanted = settings.stages if stage == "all" else (stage,)
    stages: list[tuple[str, Callable[[], StageSummary]]] = []
    for name in wanted:
        if name in ("ecg", "cmr"):
            section = settings.pretrain_ecg if name == "ecg" else settings.pretrain_cmr
            is_elsewhere = getattr(settings.pretrained_from, name) is not None
            if stage == "all" and (is_elsewhere or section.method == "none"):
                continue
            stages.append((name, lambda name=name: pretrain(opened, name)))
        elif name == "align":
            stages.append((name, lambda: align(opened)))
        elif name == "finetune":
            stages.append((f"finetune-{settings.finetune.modality}", lambda: finetune(opened)))
        else:
            stages.extend(
                (
                    f"supervised-{modality}",
                    lambda modality=modality: train_supervised(opened, modality),
                )
                for modality in settings.supervised.modalities
            )
    return stages


def _summarise(
    opened: TrainingRun, stage: TrainStage, summaries: list[StageSummary]
) -> TrainSummary:
    last = summaries[-1]
    return TrainSummary(
        run=opened.name,
        stage=stage,
        steps=sum(summary.steps for summary in summaries),
        loss=float("nan") if last.loss is None else last.loss,
        samples_per_s=last.samples_per_s,
        run_dir=opened.directory,
        stages=tuple(summaries),
        is_reporter=opened.world.is_first,
    )
