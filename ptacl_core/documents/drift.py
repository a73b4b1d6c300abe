"""The document of `ptacl drift`: two cohorts side by side, and what a run makes of the other."""

from pydantic import Field

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.model import Document, Part
from ptacl_core.documents.uncertainty import CoverageSummary, PhenotypeCoverage


class VariableDrift(Part):
    """One variable in both cohorts: its population stability index, and whether it shifted.

    `p_adjusted` is after Holm over all variables. Of a variable that one cohort lacks there are
    counts and `why` alone.
    """

    n: int
    other_n: int
    psi: float | None = None
    p_value: float | None = None
    bins: int | None = None
    p_adjusted: float | None = None
    is_shifted: bool = False
    why: str | None = None


class NumberDrift(VariableDrift):
    """A numeric variable: mean and SD, and the difference in units of the SD."""

    mean: float | None = None
    other_mean: float | None = None
    sd: float | None = None
    other_sd: float | None = None
    difference_sd: Bounded | None = None

    def describe(self) -> tuple[str, str]:
        """Mean and SD of the cohort and of the other."""
        pairs = ((self.mean, self.sd), (self.other_mean, self.other_sd))
        cohort, other = (
            "-" if mean is None or sd is None else f"{mean:.1f} ± {sd:.1f}" for mean, sd in pairs
        )
        return cohort, other


class CategoryDrift(VariableDrift):
    """A variable of named categories: the share of each."""

    shares: dict[str, float] = Field(default_factory=dict)
    other_shares: dict[str, float] = Field(default_factory=dict)

    def describe(self) -> tuple[str, str]:
        """Share of the last category in the cohort and in the other."""
        cohort, other = (
            f"{name} {share * 100:.0f} %" if shares else "-"
            for shares in (self.shares, self.other_shares)
            for name, share in (list(shares.items()) or [("", 0.0)])[-1:]
        )
        return cohort, other


class Discrepancy(Part):
    """Maximum mean discrepancy of the embeddings, tested by permutations."""

    squared: float
    p_value: float
    bandwidth: float
    permutations: int
    n: int
    other_n: int


class EmbeddingDrift(Part):
    """What a run makes of both cohorts' ECGs; where it cannot answer, `why` alone.

    `outliers` is the share out of distribution; `coverage` is of the intervals in the other.
    """

    run: str | None = None
    why: str | None = None
    ecgs: dict[str, int] = Field(default_factory=dict)
    mmd: Discrepancy | None = None
    outliers: dict[str, float] = Field(default_factory=dict)
    r2: dict[str, dict[str, float | None]] = Field(default_factory=dict)
    coverage: dict[str, PhenotypeCoverage] = Field(default_factory=dict)
    coverage_summary: CoverageSummary | None = None


class ShiftedVariable(Part):
    """A variable that drifted, and how much."""

    section: str
    name: str
    psi: float


class DriftDocument(Document):
    """How another cohort differs from this one: people, phenotypes, recordings, embeddings."""

    KIND = "ptacl-drift"
    VERSION = 1

    cohort: str
    other: str
    patients: dict[str, int]
    covariates: dict[str, NumberDrift | CategoryDrift]
    phenotypes: dict[str, NumberDrift]
    recordings: dict[str, NumberDrift]
    quality: dict[str, CategoryDrift]
    embeddings: EmbeddingDrift
    shifted: tuple[ShiftedVariable, ...]
    text: str
    software: str

    @property
    def sections(self) -> dict[str, dict[str, NumberDrift | CategoryDrift]]:
        """All variables by section."""
        return {
            "covariates": dict(self.covariates),
            "phenotypes": dict(self.phenotypes),
            "recordings": dict(self.recordings),
            "quality": dict(self.quality),
        }
