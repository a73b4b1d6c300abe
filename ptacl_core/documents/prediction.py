"""The document of `ptacl predict`: one per file, in a list."""

from typing import Literal

from pydantic import Field

from ptacl_core.documents.ecg_figures import (
    DevicePart,
    FindingPart,
    MarksPart,
    StatementPart,
)
from ptacl_core.documents.model import Document, Part


class PredictedPhenotype(Part):
    """A prediction with its interval, and how far it lies from what is usual for the person."""

    value: float
    low: float
    high: float
    unit: str
    z_score: float | None


class PredictedTarget(Part):
    """A target of the cohort's own: a value, or of a binary target its probability.

    The interval of a value holds what would be measured, at the document's `coverage`; that of a
    probability holds the share of people with such an ECG who have it. `rule` derives a binary
    target from a continuous one.
    """

    title: str
    kind: Literal["continuous", "binary"]
    value: float
    low: float
    high: float
    unit: str
    rule: str = ""
    reference: str = ""
    interval_group: str


class OutOfDistribution(Part):
    """How strange the recording is to the model; flagged above a score of 1."""

    flag: bool
    score: float
    mahalanobis: float
    nearest: float


class NeighbourPart(Part):
    """One of the most similar patients of the cohort."""

    patient: str
    similarity: float


class NeighbourPhenotype(Part):
    """What the nearest patients measured: the median with its interval, and the middle 90 %."""

    n: int
    median: float
    median_low: float | None
    median_high: float | None
    low: float
    high: float
    unit: str


class Saliency(Part):
    """Change of each prediction with one lead flat, or one phase of every beat bridged."""

    leads: dict[str, dict[str, float]]
    steps: dict[str, tuple[float, ...]] | None


class PredictionDocument(Document):
    """What one ECG says; of a file that cannot be used, `error` in one line and no figures.

    `model_warning` stands before every number: the run has not learned, or is a negative
    control. `leads_mv`, `statements`, `marks` and `device` are what the delineation, and the
    recording device itself, say of the ECG. Research use only.
    """

    KIND = "ptacl-prediction"
    VERSION = 1

    file: str
    accepted: bool
    run: str
    model_warning: str | None = None
    error: str | None = None
    findings: tuple[FindingPart, ...] = ()
    heart_rate_bpm: float | None = None
    measurements: dict[str, float | None] = Field(default_factory=dict)
    leads_mv: dict[str, dict[str, float]] = Field(default_factory=dict)
    statements: tuple[StatementPart, ...] = ()
    marks: MarksPart | None = None
    device: DevicePart | None = None
    phenotypes: dict[str, PredictedPhenotype] = Field(default_factory=dict)
    targets: dict[str, PredictedTarget] = Field(default_factory=dict)
    """Targets of the cohort's own, by name; research use only, as everything here."""
    z_score_note: str | None = None
    coverage: float | None = None
    interval_group: str | None = None
    out_of_distribution: OutOfDistribution | None = None
    neighbours: tuple[NeighbourPart, ...] = ()
    neighbour_phenotypes: dict[str, NeighbourPhenotype] = Field(default_factory=dict)
    saliency: Saliency | None = None
