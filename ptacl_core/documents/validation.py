"""The document of `ptacl validate`: a frozen model on another cohort."""

from pydantic import Field

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.model import Document, Part
from ptacl_core.documents.uncertainty import CoverageSummary, PhenotypeCoverage, Subgroups


class ValidatedPhenotype(Part):
    """One phenotype in one column: agreement with 95 % intervals over people.

    `slope` and `intercept` are the line of observed on predicted values: 1 and 0 where the
    model is calibrated.
    """

    n: int
    r2: Bounded
    mean_absolute_error: Bounded
    bias: Bounded
    slope: Bounded
    intercept: Bounded


class ValidatedColumn(Part):
    """A way of predicting: the frozen model, or what local labels made of it.

    Columns other than `frozen` are fitted on the other cohort, on other people than they are
    measured on (five folds by person), and say nothing about the model as it is.
    """

    name: str
    how: str
    mean_r2: Bounded
    phenotypes: dict[str, ValidatedPhenotype]


class TransferPoint(Part):
    """Mean R² of a probe refitted on the features with the labels of so many people.

    `low` and `high` are the least and greatest over draws of the labelled people.
    """

    people: int
    mean_r2: float | None
    low: float | None
    high: float | None
    draws: int


class NetBenefit(Part):
    """Net benefit per person of acting on the model, on everybody, at one threshold.

    Acting on nobody has 0.
    """

    threshold: float
    model: float
    everybody: float


class DecisionCurve(Part):
    """A phenotype below a limit: who would be sent on, by the probability of the frozen model.

    The probability comes from the prediction and the width of its interval; `why` where there
    are fewer than ten people on either side of the limit.
    """

    phenotype: str
    limit: float
    n: int
    events: int
    why: str | None = None
    auc: Bounded | None = None
    mean_probability: float | None = None
    points: tuple[NetBenefit, ...] = ()


class VariableShift(Part):
    """A variable of the people beside the training people's, in SD of the latter."""

    n: int
    mean: float | None
    trained_mean: float | None
    difference_sd: Bounded | None


class Failure(Part):
    """What fails, for whom, and by how much."""

    what: str
    whom: str
    text: str


class ValidationDocument(Document):
    """A frozen model on people it has never seen.

    `columns` begin with the frozen model; `failures` are judged on it alone, against its
    evaluation at home where the file holds one. Research use only.
    """

    KIND = "ptacl-validation"
    VERSION = 1

    model: str
    model_sha256: str
    checkpoint_sha256: str | None = None
    """The run's weights that the model was packed from; null in documents of before."""
    cohort: str
    people: int
    recordings: int
    columns: tuple[ValidatedColumn, ...]
    coverage: dict[str, PhenotypeCoverage]
    coverage_summary: CoverageSummary
    recalibrated_coverage: dict[str, Bounded] = Field(default_factory=dict)
    subgroups: Subgroups
    transfer: tuple[TransferPoint, ...]
    decisions: dict[str, DecisionCurve]
    drift: dict[str, VariableShift]
    out_of_distribution: Bounded
    failures: tuple[Failure, ...]
    text: str
    unfit: str | None
    note: str
    software: str
