"""Table 2 and the headline questions, as evaluations and reproductions both write them."""

from pydantic import Field

from ptacl_core.documents.figures import Bounded, Difference
from ptacl_core.documents.model import Part


class GroupR2(Bounded):
    """R² among some of the patients, about their own mean."""

    n: int


class MeanCell(Part):
    """Mean R² over the phenotypes of one row, or R² of one phenotype, with its spread.

    The interval is over resampled patients and, of several trainings, over trainings as well;
    `seed_sd` is the spread between trainings, `bootstrap_sd` that over the resamples.
    `published` is the paper's figure (other patients), `ceiling` what the simulator allows.
    """

    r2: float | None
    low: float | None
    high: float | None
    seed_sd: float | None = None
    bootstrap_sd: float | None = None
    per_seed: tuple[float | None, ...] = ()
    delta_over_demographics: Difference | None = None
    published: float | None = None
    ceiling: float | None = None
    share_of_ceiling: float | None = None


class PhenotypeCell(MeanCell):
    """One phenotype of one row: R² and agreement in units, each with its interval."""

    mean_absolute_error: float | None = None
    mean_absolute_error_low: float | None = None
    mean_absolute_error_high: float | None = None
    pearson_r: float | None = None
    pearson_r_low: float | None = None
    pearson_r_high: float | None = None
    concordance: float | None = None
    concordance_low: float | None = None
    concordance_high: float | None = None
    bias: float | None = None
    bias_low: float | None = None
    bias_high: float | None = None
    loa_low: float | None = None
    loa_low_low: float | None = None
    loa_low_high: float | None = None
    loa_high: float | None = None
    loa_high_low: float | None = None
    loa_high_high: float | None = None
    slope: float | None = None
    slope_low: float | None = None
    slope_high: float | None = None
    intercept: float | None = None
    intercept_low: float | None = None
    intercept_high: float | None = None
    n: int = 0
    within_sex_r2: dict[str, GroupR2] = Field(default_factory=dict)


class LabelPoint(Part):
    """Mean R² with some of the labels: over draws of the labelled patients and trainings.

    `low` and `high` are the interval over resampled test patients, `least` and `greatest` the
    extremes over draws. `over_bar` is this row minus the modality's line of linear algebra with
    the same labelled patients, `needed_by_bar` how many labels that line needs for the same R²
    (`is_beyond_bar`: more than there are), `saved` the difference.
    """

    labels: int
    is_all: bool
    mean_r2: float | None
    low: float | None
    high: float | None
    least: float | None
    greatest: float | None
    draws: int
    over_bar: Difference | None = None
    needed_by_bar: float | None = None
    is_beyond_bar: bool = False
    saved: float | None = None


class TableTwoRow(Part):
    """One row: what it is, its figures, what stands against it.

    `num_trainings` is None where nothing was trained. `failures` are the reasons why its
    training counts as not learned; such a row is shown and compared with nothing. `remarks`
    say what it does not reach (an untrained encoder, a line of linear algebra).
    """

    key: str
    name: str
    modality: str
    evaluation: str
    num_trainings: int | None = None
    phenotypes: dict[str, PhenotypeCell]
    mean: MeanCell
    failures: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    label_curve: tuple[LabelPoint, ...] = ()
    published_note: str = ""
    note: str = ""
    weights_sha256: tuple[str | None, ...] = ()

    @property
    def title(self) -> str:
        """Name with how the predictions were made."""
        return f"{self.name} ({self.evaluation})"


class NestedQuestion(Part):
    """What a recording adds to demographics: both together minus demographics alone.

    `without` and `with_features` are mean R² of the two models, `figures` the differences by
    phenotype, and "mean".
    """

    key: str
    name: str
    question: str
    without: Bounded
    with_features: Bounded
    num_trainings: int | None
    figures: dict[str, Difference]
    failures: tuple[str, ...] = ()


class Headline(Part):
    """One of the questions that a reader comes with, answered in one line."""

    key: str
    question: str
    text: str
    answer: Difference | None = None
    family: int = Field(default=0, ge=0)
    """How many questions the p-value was adjusted for; 0: none."""
