"""Whether each stage of a run has learned: runs/<run>/health.json, and a section of others."""

from pathlib import Path

from pydantic import Field

from ptacl_core.documents.model import Document, Part


class HealthLimits(Part):
    """From where on a stage counts as not learned (settings `health.*`)."""

    contrastive_share: float
    min_effective_rank: float
    reconstruction_share: float


class Spread(Part):
    """Spread of one set of embeddings over patients."""

    effective_rank: float | None
    first_share: float | None
    mean_cosine: float | None


class SplitHealth(Part):
    """What was measured on one split; null where it does not apply to the stage.

    `loss` is the stage's own; `mean_predictor_loss` what predicting the mean costs it.
    """

    patients: int
    loss: float | None = None
    mean_predictor_loss: float | None = None
    contrastive_loss: float | None = None
    chance_loss: float | None = None
    retrieval: float | None = None
    chance_retrieval: float | None = None
    spread: dict[str, Spread] = Field(default_factory=dict)
    r2: dict[str, float | None] = Field(default_factory=dict)
    random_r2: dict[str, float | None] = Field(default_factory=dict)


class StageHealth(Part):
    """The verdict on one stage, its reasons, what to try, and the figures by split."""

    learned: bool
    reasons: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    step: int = 0
    splits: dict[str, SplitHealth] = Field(default_factory=dict)


class RunHealth(Document):
    """Health of all stages of one run, by their names on disk (ecg, cmr, align …)."""

    KIND = "ptacl-health"
    VERSION = 1

    run: str
    limits: HealthLimits
    stages: dict[str, StageHealth] = Field(default_factory=dict)

    @property
    def failures(self) -> dict[str, tuple[str, ...]]:
        """Reasons by stage, of those that have not learned."""
        return {name: stage.reasons for name, stage in self.stages.items() if not stage.learned}


HEALTH_FILE = "health.json"
"""In runs/<run>/."""


def read_health(run_dir: Path) -> RunHealth | None:
    """The run's health; None of a run trained before it was measured.

    Raises DocumentError when the file is damaged.
    """
    path = run_dir / HEALTH_FILE
    return RunHealth.read(path) if path.exists() else None


def stage_failures(run_dir: Path, stage: str) -> tuple[str, ...]:
    """Reasons why `stage` of the run has not learned; empty when it has, or is unknown."""
    health = read_health(run_dir)
    verdict = health.stages.get(stage) if health is not None else None
    return () if verdict is None or verdict.learned else verdict.reasons


def explain_failure(run_dir: Path, *, stage: str = "align") -> str | None:
    """One line why `stage` of the run counts as not learned; None when it has, or is unknown."""
    reasons = stage_failures(run_dir, stage)
    if not reasons:
        return None
    return f"run {run_dir.name} has not learned ({stage}): {'; '.join(reasons)}"
