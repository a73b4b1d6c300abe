"""The document of `ptacl reproduce`: report.json, and what its reports are made from."""

from typing import Any

from pydantic import Field

from ptacl_core.arrays import Modality
from ptacl_core.documents.figures import Difference
from ptacl_core.documents.health import StageHealth
from ptacl_core.documents.model import Document, Part
from ptacl_core.documents.table_two import Headline, NestedQuestion, TableTwoRow
from ptacl_core.documents.uncertainty import (
    CoverageSummary,
    EventCalibration,
    PhenotypeCoverage,
    Subgroups,
)


class RowComparison(Part):
    """A planned difference of two rows: by phenotype and "mean".

    The mean's p-value is adjusted over all questions of the plan, a phenotype's over the ten.
    """

    first: str
    second: str
    question: str
    modality: Modality = "ecg"
    figures: dict[str, Difference]
    num_trainings: int | None
    seed_differences: tuple[float | None, ...] | None


class StepComparison(Part):
    """A planned difference of two methods' local alignment, by figure.

    `others_behind`: the share of other people's cines that lie behind the own one. Holm's p-values
    are adjusted over the figures.
    """

    first: str
    second: str
    figures: dict[str, Difference]


class ReproducedCohort(Part):
    """What was measured on."""

    name: str
    source: str
    preprocessing_hash: str | None
    patients_hash: str
    data_sha256: str
    train: int
    test: int
    unjudged: dict[str, str]


class ReproductionDocument(Document):
    """Both tables over all seeds, the questions of the plan, and where each figure comes from.

    `retrieval`, `alignment` and `trend` have `why_not` in place of figures that there are none
    of; `coverage` to `calibration` are those of the method `main`, its first seed.
    """

    KIND = "ptacl-reproduction"
    VERSION = 2

    made: str
    size: str
    size_notes: str
    learning_rates: dict[str, dict[str, float]] = Field(default_factory=dict)
    seeds: tuple[int, ...]
    methods: tuple[str, ...]
    is_whole: bool
    note: str
    published_source: str
    resamples: int
    cohort: ReproducedCohort
    headlines: tuple[Headline, ...] = ()
    health: dict[str, dict[str, StageHealth]] = Field(default_factory=dict)
    rows: tuple[TableTwoRow, ...]
    nested: tuple[NestedQuestion, ...] = ()
    comparisons: tuple[RowComparison, ...]
    trend: dict[str, Any]
    retrieval: dict[str, Any]
    alignment: tuple[dict[str, Any], ...]
    alignment_comparisons: tuple[StepComparison, ...] = ()
    main: str | None
    coverage: dict[str, PhenotypeCoverage] | None = None
    coverage_summary: CoverageSummary | None = None
    subgroups: Subgroups | None = None
    calibration: dict[str, EventCalibration] | None = None
    left_out: tuple[str, ...] = ()
    provenance: dict[str, Any]
