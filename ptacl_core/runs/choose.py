"""Which run of a cohort a command means, with its trained encoders."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ptacl_core.arrays import Modality
from ptacl_core.checkpoint import DOCUMENT_FILE, FINAL
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import CheckpointError, CohortError, ConfigError
from ptacl_core.models import EncoderView, TokenEncoder
from ptacl_core.runs.encoders import EncoderStage, build_view, load_encoder
from ptacl_core.runs.folder import CONFIG_FILE, load_run_config
from ptacl_core.runs.health import explain_unfit
from ptacl_core.train.precision import state_float32_precision

ALIGN = "align"
ECG_STAGES: Mapping[str, EncoderStage] = {"finetune-ecg": "finetune", "ecg": "pretrain"}
"""Stages that leave an ECG encoder where nothing is aligned, on disk and by name; best first."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRun:
    """A run's ECG encoder with everything that new recordings must agree with.

    `stage` left it: the alignment, or in a run without cines the fine-tuning or the pretraining.
    The embedding is then the pooled vector itself, at unit length. `data_sha256` and
    `code_version` are those of its training, as its checkpoint says; `data_sha256` is None of
    runs trained before it was kept.
    """

    name: str
    directory: Path
    settings: RunSettings
    preprocessing: PreprocessSettings
    checkpoint_sha256: str
    data_sha256: str | None
    code_version: str
    stage: str
    ecg_encoder: TokenEncoder
    ecg_projection: torch.nn.Module

    @property
    def view(self) -> EncoderView:
        """How its encoders look at prepared recordings."""
        return build_view(self.settings)

    @property
    def vectors(self) -> str | None:
        """Name of the vectors that stand in the place of cines; None: cines, or ECGs alone."""
        return self.settings.align.vectors if self.stage == ALIGN else None

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it has encoders of."""
        return ("ecg",)

    def tower(self, modality: Modality) -> tuple[TokenEncoder, torch.nn.Module]:
        """Encoder and projection of one modality. Raises CheckpointError where it has none."""
        if modality == "ecg":
            return self.ecg_encoder, self.ecg_projection
        raise CheckpointError(f"run {self.name}: has no cine encoder, it was trained on ECGs alone")


@dataclass(frozen=True, slots=True, eq=False)
class AlignedRun(TrainedRun):
    """A run's aligned encoders of both modalities."""

    cine_encoder: TokenEncoder
    cine_projection: torch.nn.Module

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Both."""
        return ("ecg", "cmr")

    def tower(self, modality: Modality) -> tuple[TokenEncoder, torch.nn.Module]:
        """Encoder and projection of one modality."""
        if modality == "ecg":
            return self.ecg_encoder, self.ecg_projection
        return self.cine_encoder, self.cine_projection


def find_run(cohort_dir: Path, run: str | None) -> Path:
    """Folder of `run`; of None, the run whose alignment finished last, of those fit for it.

    A run whose alignment has not learned, or that is a negative control, is used only when it
    is named. Where no run is aligned, because there are no cines, runs that trained an ECG encoder
    alone count in its place. Raises CohortError that names the runs there are.
    """
    if not cohort_dir.is_dir():
        raise CohortError(f"{cohort_dir}: expected a cohort directory, found none there")
    aligned = _list_finished(cohort_dir, ALIGN)
    alone = [path for stage in ECG_STAGES for path in _list_finished(cohort_dir, stage)]
    alone = [path for path in dict.fromkeys(alone) if path not in aligned and _is_ecg_only(path)]
    finished = aligned or sorted(alone, key=_finish_time_ns)
    names = [path.name for path in aligned] + [path.name for path in alone]
    folder = cohort_dir / "runs"
    if run is None:
        if not finished:
            raise CohortError(
                f"{cohort_dir}: no run has finished its alignment, nor an ECG encoder without "
                f"cines; train one with `ptacl train {cohort_dir} --preset demo` (with ECGs alone: "
                "`--set 'stages=[\"ecg\"]'`)"
            )
        return _choose_default(cohort_dir, finished)
    if run not in names:
        known = ", ".join(names) or "none"
        raise CohortError(
            f"{cohort_dir}: no aligned run '{run}'; there are: {known}. "
            "`ptacl train --resume` finishes one that was interrupted"
        )
    return folder / run


def _choose_default(cohort_dir: Path, finished: list[Path]) -> Path:
    reasons = []
    for directory in reversed(finished):
        why = explain_unfit(directory)
        if why is None:
            return directory
        reasons.append(why)
    raise CohortError(
        f"{cohort_dir}: no run is fit to be taken unasked. {'. '.join(reasons[:3])}. "
        f"Train one that learns, or name it with --run {finished[-1].name} to use it all the same"
    )


def _list_finished(cohort_dir: Path, stage: str) -> list[Path]:
    """Folders of runs that finished a stage, the last one last."""
    finished = cohort_dir.glob(f"runs/*/checkpoints/{stage}/final/checkpoint.json")
    return [path.parents[3] for path in sorted(finished, key=lambda path: path.stat().st_mtime_ns)]


def _is_ecg_only(directory: Path) -> bool:
    """Whether the run's own settings ask for no alignment and no cine encoder."""
    if not (directory / CONFIG_FILE).exists():
        return False
    return not {ALIGN, "cmr"} & set(load_run_config(directory).stages)


def load_trained_run(
    cohort_dir: Path, run: str | None, *, device: str = "auto"
) -> AlignedRun | TrainedRun:
    """The run's encoders, aligned or of ECGs alone. Raises CohortError, CheckpointError."""
    directory = find_run(cohort_dir, run)
    if (directory / "checkpoints" / ALIGN / FINAL / DOCUMENT_FILE).exists():
        return load_aligned_run(cohort_dir, directory.name, device=device)
    stage = find_ecg_stage(directory)
    loaded = load_encoder(directory, "ecg", ECG_STAGES[stage])
    if loaded.document is None or loaded.sha256 is None:
        raise CheckpointError(f"run {directory.name}: stage {stage} holds no weights")
    return TrainedRun(
        name=directory.name,
        directory=directory,
        settings=loaded.document.settings,
        preprocessing=loaded.document.preprocessing,
        checkpoint_sha256=loaded.sha256,
        data_sha256=loaded.document.data_sha256,
        code_version=loaded.document.software,
        stage=stage,
        ecg_encoder=loaded.encoder.to(resolve_device(device)).eval(),
        ecg_projection=torch.nn.Identity(),
    )


def find_ecg_stage(directory: Path) -> str:
    """The stage of a run without alignment whose ECG encoder counts. Raises CheckpointError."""
    for stage in ECG_STAGES:
        if (directory / "checkpoints" / stage / FINAL / DOCUMENT_FILE).exists():
            return stage
    raise CheckpointError(f"run {directory.name}: no ECG encoder is trained yet")


def load_aligned_run(cohort_dir: Path, run: str | None, *, device: str = "auto") -> AlignedRun:
    """The run's encoders in evaluation mode on `device`. Raises CohortError, CheckpointError."""
    directory = find_run(cohort_dir, run)
    if not (directory / "checkpoints" / ALIGN / FINAL / DOCUMENT_FILE).exists():
        raise CheckpointError(
            f"run {directory.name}: trained on ECGs alone; this needs a run that aligned ECGs with "
            "cines"
        )
    target = resolve_device(device)
    ecg = load_encoder(directory, "ecg", "align")
    cine = load_encoder(directory, "cmr", "align")
    if (
        ecg.projection is None
        or cine.projection is None
        or ecg.document is None
        or ecg.sha256 is None
    ):
        raise CheckpointError(f"run {directory.name}: its alignment holds no projections")
    return AlignedRun(
        name=directory.name,
        directory=directory,
        settings=ecg.document.settings,
        preprocessing=ecg.document.preprocessing,
        checkpoint_sha256=ecg.sha256,
        data_sha256=ecg.document.data_sha256,
        code_version=ecg.document.software,
        stage=ALIGN,
        ecg_encoder=ecg.encoder.to(target).eval(),
        cine_encoder=cine.encoder.to(target).eval(),
        ecg_projection=ecg.projection.to(target).eval(),
        cine_projection=cine.projection.to(target).eval(),
    )


def check_preprocessing(run: TrainedRun, preprocessing_hash: str) -> None:
    """Raises CheckpointError unless recordings were prepared as the run's training data were."""
    expected = run.preprocessing.hash()
    if preprocessing_hash != expected:
        raise CheckpointError(
            f"run {run.name} was trained on preprocessing {expected}, these recordings have "
            f"{preprocessing_hash}; preprocess them as the run's config says"
        )


def resolve_device(name: str) -> torch.device:
    """`auto` is the first GPU, or the CPU where there is none. Raises ConfigError."""
    state_float32_precision()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"--device {name}: cannot be used here ({reason})") from None
    return device


def _finish_time_ns(run_dir: Path) -> int:
    return max(
        path.stat().st_mtime_ns for path in run_dir.glob(f"checkpoints/*/{FINAL}/{DOCUMENT_FILE}")
    )
