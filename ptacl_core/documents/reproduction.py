"""The document of `ptacl reproduce`: report.json, and what its reports are made from."""

from pydantic import Field

from ptacl_core.arrays import Modality
from ptacl_core.documents.alignment import Controls, Interval, TimingKept
from ptacl_core.documents.figures import Bounded, Difference
from ptacl_core.documents.health import StageHealth
from ptacl_core.documents.model import Document, Part
from ptacl_core.documents.retrieval import PairRecall
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


class TrendTest(Part):
    """Page's test that R² rises along `order`, over blocks of phenotype and seed."""

    order: tuple[str, ...]
    statistic: float
    p_value: float
    blocks: int
    note: str


class UntestedTrend(Part):
    """The order that would have been tested, and why it was not."""

    order: tuple[str, ...]
    why_not: str


class RetrievedFigure(Bounded):
    """Precision at one k over seeds, beside the published one."""

    seed_sd: float | None
    published: float | None


class RetrievedPhenotype(Part):
    """Retrieval of one method on one phenotype: ranks and random reference averaged over seeds."""

    p_at_1: RetrievedFigure
    p_at_3: RetrievedFigure
    p_at_5: RetrievedFigure
    p_at_10: RetrievedFigure
    p_at_15: RetrievedFigure
    mean_rank: float | None
    median_rank: float | None
    random_p_at_1: float | None
    random_p_at_10: float | None
    published_mean_rank: float | None
    published_median_rank: float | None


class RetrievedMethod(Part):
    """Table 1 of one method: `own` "included" or "excluded" → phenotype; pair recall by seed."""

    key: str
    title: str
    published: str
    own: dict[str, dict[str, RetrievedPhenotype]]
    pair_recall: tuple[dict[str, PairRecall], ...]


class RetrievalComparison(Part):
    """A difference of two methods' precision at `k`, by phenotype and "mean"."""

    first: str
    second: str
    own: str
    k: int
    figures: dict[str, Difference]


class ConsistencyCheck(Part):
    """Precision at 10 that both probes' R² allow, beside the measured one, own cine out."""

    method: str
    phenotype: str
    r2_ecg: float | None
    r2_cmr: float | None
    expected_p_at_10: float | None
    measured_p_at_10: float | None


class RetrievalSection(Part):
    """Table 1 over all seeds, on the patients that all runs share."""

    direction: str
    patients: int
    methods: tuple[RetrievedMethod, ...]
    comparisons: tuple[RetrievalComparison, ...]
    consistency: tuple[ConsistencyCheck, ...]


class NoRetrieval(Part):
    """Why there is no Table 1."""

    why_not: str


class UnmeasuredAlignment(Part):
    """A method whose steps could not be compared, and why."""

    key: str
    title: str
    kind: str
    sigma: float
    beta: float
    why_not: str


class MethodAlignment(Part):
    """Local alignment of one method: its mean map over seeds, accuracies, controls (first seed)."""

    key: str
    title: str
    kind: str
    sigma: float
    beta: float
    diagonal_mass: float | None
    entropy_nats: float | None
    mean_circular_offset: float | None
    own_rank: float | None
    top1: float | None
    within1: float | None
    centred_top1: float | None
    others_behind: float | None
    top1_interval: Interval
    within1_interval: Interval
    centred_top1_interval: Interval
    others_behind_interval: Interval
    others_behind_chance: float
    own_rank_chance: float | None
    timing_kept: tuple[TimingKept, ...]
    timing_note: str
    top1_per_seed: tuple[float | None, ...]
    top1_chance: float
    within1_chance: float
    patients: int
    controls: Controls | None
    map: tuple[tuple[float, ...], ...]


class Machine(Part):
    """Processor, cores, threads and the first GPU; no name of the machine or of a user."""

    processor: str
    cores: int | None
    threads: int
    gpu: str | None
    system: str


class Durations(Part):
    """Seconds by kind of step over all seeds, and the trainings that were cut and resumed.

    Of a resumed training only the last part is counted.
    """

    by_step_s: dict[str, float]
    total_s: float
    resumed: tuple[str, ...]


class ReproducedRun(Part):
    """What a run was trained on and came to, so that two results never look the same."""

    run: str
    seed: int
    settings_hash: str
    data_sha256: str | None
    weights_sha256: dict[str, str]


class ReproductionProvenance(Part):
    """Software, machine, durations and runs that the figures come from."""

    software: dict[str, str]
    code: str | None
    machine: Machine
    durations: Durations
    runs: tuple[ReproducedRun, ...]
    command: str
    this_call_s: float
    from_archive: tuple[str, ...] = ()


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
    trend: TrendTest | UntestedTrend
    retrieval: RetrievalSection | NoRetrieval
    alignment: tuple[MethodAlignment | UnmeasuredAlignment, ...]
    alignment_comparisons: tuple[StepComparison, ...] = ()
    main: str | None
    coverage: dict[str, PhenotypeCoverage] | None = None
    coverage_summary: CoverageSummary | None = None
    subgroups: Subgroups | None = None
    calibration: dict[str, EventCalibration] | None = None
    left_out: tuple[str, ...] = ()
    provenance: ReproductionProvenance
