"""Which run of a cohort a command means, with its trained encoders."""

from dataclasses import dataclass
from pathlib import Path

import torch

from ptacl_core.arrays import Modality
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import CheckpointError, CohortError, ConfigError
from ptacl_core.models import EncoderView, TokenEncoder
from ptacl_core.runs.encoders import build_view, load_encoder
from ptacl_core.runs.health import explain_unfit
from ptacl_core.train.precision import state_float32_precision

ALIGN = "align"


@dataclass(frozen=True, slots=True, eq=False)
class AlignedRun:
    """A run's aligned encoders with everything that new recordings must agree with.

    `data_sha256` and `code_version` are those of its training, as its checkpoint says;
    `data_sha256` is None of runs trained before it was kept.
    """

    name: str
    directory: Path
    settings: RunSettings
    preprocessing: PreprocessSettings
    checkpoint_sha256: str
    data_sha256: str | None
    code_version: str
    ecg_encoder: TokenEncoder
    cine_encoder: TokenEncoder
    ecg_projection: torch.nn.Module
    cine_projection: torch.nn.Module

    @property
    def view(self) -> EncoderView:
        """How its encoders look at prepared recordings."""
        return build_view(self.settings)

    def tower(self, modality: Modality) -> tuple[TokenEncoder, torch.nn.Module]:
        """Encoder and projection of one modality."""
        if modality == "ecg":
            return self.ecg_encoder, self.ecg_projection
        return self.cine_encoder, self.cine_projection


def find_run(cohort_dir: Path, run: str | None) -> Path:
    """Folder of `run`; of None, the run whose alignment finished last, of those fit for it.

    A run whose alignment has not learned, or that is a negative control, is used only when it
    is named. Raises CohortError that names the runs there are.
    """
    if not cohort_dir.is_dir():
        raise CohortError(f"{cohort_dir}: expected a cohort directory, found none there")
    folder = cohort_dir / "runs"
    finished = sorted(
        (path.parents[3] for path in folder.glob(f"*/checkpoints/{ALIGN}/final/checkpoint.json")),
        key=_finish_time_ns,
    )
    names = [path.name for path in finished]
    if run is None:
        if not finished:
            raise CohortError(
                f"{cohort_dir}: no run has finished its alignment; "
                f"train one with `ptacl train {cohort_dir} --preset demo`"
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


def load_aligned_run(cohort_dir: Path, run: str | None, *, device: str = "auto") -> AlignedRun:
    """The run's encoders in evaluation mode on `device`. Raises CohortError, CheckpointError."""
    directory = find_run(cohort_dir, run)
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
        ecg_encoder=ecg.encoder.to(target).eval(),
        cine_encoder=cine.encoder.to(target).eval(),
        ecg_projection=ecg.projection.to(target).eval(),
        cine_projection=cine.projection.to(target).eval(),
    )


def check_preprocessing(run: AlignedRun, preprocessing_hash: str) -> None:
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
    return (run_dir / "checkpoints" / ALIGN / "final" / "checkpoint.json").stat().st_mtime_ns
