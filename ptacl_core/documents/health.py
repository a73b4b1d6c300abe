"""Whether each stage of a run has learned: runs/<run>/health.json, and a section of others."""

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
