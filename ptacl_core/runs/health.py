"""runs/<run>/health.json: the verdict on each trained stage, for everyone who uses the run."""

from pathlib import Path

from ptacl_core.checkpoint import DOCUMENT_FILE, FINAL
from ptacl_core.config.health import HealthSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.documents.health import (
    HEALTH_FILE,
    HealthLimits,
    RunHealth,
    StageHealth,
    explain_failure,
    read_health,
    stage_failures,
)
from ptacl_core.documents.model import DocumentError
from ptacl_core.evaluate.health import HealthThresholds
from ptacl_core.runs.folder import CONFIG_FILE, load_run_config
from ptacl_core.runs.lineage import record_document
from ptacl_core.safety.files.atomic import write_json

_DECIDING = ("align", "finetune-ecg", "ecg")

__all__ = [
    "explain_failure",
    "explain_unfit",
    "find_deciding_stage",
    "is_control",
    "learned_stages",
    "read_health",
    "stage_failures",
    "store_health",
    "thresholds_of",
    "write_health",
]


def thresholds_of(settings: HealthSettings) -> HealthThresholds:
    """The limits of the settings."""
    return HealthThresholds(
        contrastive_share=settings.contrastive_share,
        min_effective_rank=settings.min_effective_rank,
        reconstruction_share=settings.reconstruction_share,
    )


def store_health(
    run_dir: Path, stages: dict[str, StageHealth], *, limits: HealthSettings
) -> RunHealth:
    """Put the verdicts on some stages into health.json; those on other stages stay."""
    try:
        known = read_health(run_dir)
    except DocumentError:
        known = None  # a damaged file is made anew from what was measured now
    health = RunHealth(
        run=run_dir.name,
        limits=HealthLimits(
            contrastive_share=limits.contrastive_share,
            min_effective_rank=limits.min_effective_rank,
            reconstruction_share=limits.reconstruction_share,
        ),
        stages={**(known.stages if known else {}), **stages},
    )
    write_health(run_dir, health)
    return health


def write_health(run_dir: Path, health: RunHealth) -> None:
    """Write a run's health.json, its hash into the cohort's lineage first. Raises CohortError."""
    document = health.as_dict()
    record_document(run_dir, document, file=HEALTH_FILE)
    write_json(run_dir / HEALTH_FILE, document)


def is_control(settings: RunSettings) -> bool:
    """Whether the run was trained as a negative control, such as against a stranger's cine."""
    return settings.align.control != "none"


def learned_stages(run_dir: Path) -> dict[str, bool]:
    """The verdict by stage; empty of a run whose health was not measured."""
    health = read_health(run_dir)
    return (
        {}
        if health is None
        else {name: stage_health.learned for name, stage_health in health.stages.items()}
    )


def find_deciding_stage(run_dir: Path) -> str:
    """The stage whose verdict is the run's: the alignment, of a run on ECGs alone its encoder's."""
    for stage in _DECIDING:
        if (run_dir / "checkpoints" / stage / FINAL / DOCUMENT_FILE).exists():
            return stage
    return _DECIDING[0]


def explain_unfit(run_dir: Path) -> str | None:
    """One line why the run is not to be taken unasked; None when nothing speaks against it."""
    failure = explain_failure(run_dir, stage=find_deciding_stage(run_dir))
    if failure is not None:
        return failure
    # A run of which only checkpoints were copied has no settings to say that it is a control.
    if (run_dir / CONFIG_FILE).exists() and is_control(load_run_config(run_dir)):
        return f"run {run_dir.name} is a negative control"
    return None
