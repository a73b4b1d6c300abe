"""The document of a simulated cohort's card: card.json."""

from typing import NotRequired, TypedDict


class CardSplit(TypedDict):
    """Patients by split."""

    train: int
    validation: int
    test: int


class GenerationFacts(TypedDict):
    """How long it took to make the patients."""

    num_patients: int
    seconds: float
    num_workers: int
    device: str


class PhenotypeFacts(TypedDict):
    """Moments of a phenotype, how far its label can be trusted, and what can be known of it."""

    indexed_mean: float
    indexed_sd: float
    published_mean: float
    published_sd: float
    men_mean: float | None
    men_sd: float | None
    women_mean: float | None
    women_sd: float | None
    label_reliability: float
    oracle_r2: float
    demographics_r2: float


class TruthFacts(TypedDict):
    """What is in the cohort: counts by name, moments and ceilings by phenotype.

    `end_systole_frame` is mean and standard deviation.
    """

    phenotypes: dict[str, PhenotypeFacts]
    rhythms: dict[str, int]
    conduction: dict[str, int]
    strata: dict[str, int]
    lead_faults: int
    end_systole_frame: list[float]
    heart_rate_correlation: float


class TimingFacts(TypedDict):
    """How ECG and cine timing hang together, and what an oracle gains from them."""

    num_patients: int
    partial_correlations: dict[str, float]
    standard_error: float
    oracle_gain_r2: dict[str, dict[str, float]]


class CoupledTiming(TimingFacts):
    """The same with the strength of the coupling that the cohort was made with."""

    coupling: float


class ProbeFacts(TypedDict):
    """R² of read-outs of the recordings, by read-out and phenotype."""

    num_patients: int
    num_train: int
    r2: dict[str, dict[str, float]]


class DatasetCard(TruthFacts):
    """The whole card."""

    version: int
    cohort: str
    settings_hash: str
    num_patients: int
    split: CardSplit
    seed: int
    knobs: dict[str, float | int | bool]
    generation: GenerationFacts | None
    timing: NotRequired[CoupledTiming]
    probes: NotRequired[ProbeFacts]
