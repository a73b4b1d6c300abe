"""The document of `ptacl targets`: a cohort's own targets, and who has them."""

from typing import Literal

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.model import Document, Part


class TargetPart(Part):
    """What a target is; `rule` derives a binary one from a continuous one."""

    name: str
    kind: Literal["continuous", "binary"]
    unit: str
    title: str
    low: float | None = None
    high: float | None = None
    rule: str = ""
    reference: str = ""


class ListedTarget(TargetPart):
    """A target with the people of each split who have a value; `mean` of a binary: its share."""

    people: dict[str, int]
    mean: float | None
    sd: float | None


class TargetCoverage(Part):
    """Share of test people whose value lay in their interval, with its exact 95 % bounds."""

    nominal: float
    n: int
    share: float
    low: float
    high: float
    mean_width: float


class TargetEvaluation(TargetPart):
    """How well a target is predicted on test people who have it, with intervals over people.

    `r2`, `mean_absolute_error` and `coverage` are those of a continuous target; `auc`, `brier`
    with that of the prevalence alone, `slope` and `intercept` of the log-odds (1 and 0 are ideal)
    those of a binary one. `baseline` is R² or AUC of sex and age alone, `gain` what the ECG has
    over it on the same people. `why` says why there is no figure.
    """

    people: dict[str, int]
    """By split, with a value and an ECG."""
    n: int
    events: int | None = None
    why: str | None = None
    r2: Bounded | None = None
    mean_absolute_error: Bounded | None = None
    coverage: TargetCoverage | None = None
    auc: Bounded | None = None
    brier: Bounded | None = None
    brier_of_prevalence: float | None = None
    slope: Bounded | None = None
    intercept: Bounded | None = None
    baseline: Bounded | None = None
    gain: Bounded | None = None


class TargetsDocument(Document):
    """The cohort's own targets in their order, beside the ten built-in phenotypes."""

    KIND = "ptacl-targets"
    VERSION = 1

    targets: tuple[ListedTarget, ...]
