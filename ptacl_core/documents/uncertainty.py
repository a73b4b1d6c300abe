"""Coverage of intervals, calibration of event probabilities, and figures of subgroups."""

from pydantic import Field

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.model import Part


class CoverageCell(Part):
    """How many labels lay in their interval, in one group, for one phenotype."""

    n: int
    covered: int
    value: float
    low: float
    high: float
    width: float
    median_width: float
    interval_group: str
    p_value: float
    p_adjusted: float
    verdict: str


class PhenotypeCoverage(Part):
    """Coverage of one phenotype over all patients and by sex and age."""

    overall: CoverageCell
    groups: dict[str, CoverageCell]


class FailedCell(Part):
    """A phenotype and group whose intervals cover too few."""

    phenotype: str
    group: str


class CoverageSummary(Part):
    """The verdict on the intervals in words, and where the read-out came from."""

    nominal: float | None
    verdict: str
    failed: tuple[FailedCell, ...]
    text: str
    interval_groups: tuple[str, ...] = ()
    read_out: str = ""


class ReliabilityBin(Part):
    """A tenth of the predicted probabilities and how often the event was there."""

    n: int
    probability: float
    share: float
    low: float
    high: float


class EventCalibration(Part):
    """A phenotype below a limit as a probability; `why` where it cannot be judged."""

    phenotype: str
    limit: float
    n: int
    events: int
    why: str | None = None
    prevalence: float | None = None
    mean_probability: float | None = None
    brier: Bounded | None = None
    brier_of_prevalence: float | None = None
    ece: float | None = None
    reliability: tuple[ReliabilityBin, ...] = ()
    auc: Bounded | None = None


class SubgroupCell(Part):
    """R², mean absolute error and bias in one group."""

    r2: float | None
    low: float | None
    high: float | None
    mean_absolute_error: float | None
    mean_absolute_error_low: float | None
    mean_absolute_error_high: float | None
    bias: float | None
    bias_low: float | None
    bias_high: float | None
    n: int


class Subgroup(Part):
    """One group of patients."""

    n: int
    phenotypes: dict[str, SubgroupCell]


class Gap(Part):
    """The largest difference between two groups of one grouping."""

    grouping: str
    phenotype: str
    lowest_group: str
    lowest: float
    highest_group: str
    highest: float
    gap: float


class Subgroups(Part):
    """Figures by group under each grouping, and the widest gaps (errors in SD)."""

    sex: dict[str, Subgroup] = Field(default_factory=dict)
    age: dict[str, Subgroup] = Field(default_factory=dict)
    bmi: dict[str, Subgroup] = Field(default_factory=dict)
    heart_rate: dict[str, Subgroup] = Field(default_factory=dict)
    rhythm: dict[str, Subgroup] = Field(default_factory=dict)
    quality: dict[str, Subgroup] = Field(default_factory=dict)
    worst_gap: dict[str, Gap | None] = Field(default_factory=dict)

    @property
    def groupings(self) -> dict[str, dict[str, Subgroup]]:
        """Groups by grouping."""
        names = ("sex", "age", "bmi", "heart_rate", "rhythm", "quality")
        return {name: getattr(self, name) for name in names if getattr(self, name)}
