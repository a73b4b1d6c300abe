"""What the screens show of a cohort: small frozen records, made by `cohort_reader` only.

Every text in them is already safe to print; every array is read-only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ptacl_app.drawing.ecg_page import SAMPLING_RATE_HZ
from ptacl_app.drawing.trace import EcgFilter, Trace
from ptacl_app.text.formatting import PHENOTYPE_LABELS
from ptacl_core.arrays import Array, Float32, UInt8
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_UNITS, Finding
from ptacl_core.records.marks import EcgMarks


def _no_values() -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CohortSummary:
    """The cohort as a whole, for the title line and the empty states; `run` is the one in use."""

    name: str
    source: str
    version: int
    num_patients: int
    num_ecg: int
    num_cmr: int
    runs: tuple[str, ...] = ()
    run: str | None = None


@dataclass(frozen=True, slots=True)
class PatientSummary:
    """One row of the patient table: one visit of one patient."""

    patient: str
    visit: int
    split: str | None
    sex: str | None
    age_years: float | None
    heart_rate_bpm: float | None
    has_ecg: bool
    has_cmr: bool
    num_findings: int = 0
    measured: Mapping[str, float] = field(default_factory=_no_values)
    predicted: Mapping[str, float] = field(default_factory=_no_values)
    others: Mapping[str, float | None] = field(default_factory=dict)
    """Body size and the ECG's intervals, by column of the store."""


@dataclass(frozen=True, slots=True)
class PatientPage:
    """Rows `offset` … of `total` that fit the filter, in the order asked for."""

    rows: tuple[PatientSummary, ...]
    offset: int
    total: int


@dataclass(frozen=True, slots=True)
class Facet:
    """One value of one column, how many patients have it, and the predicate that keeps them."""

    group: str
    label: str
    count: int
    predicate: str


@dataclass(frozen=True, slots=True)
class Reference:
    """Where the same sex lies in this cohort: middle 95 % of the measured values, mean, SD."""

    low: float
    high: float
    mean: float
    sd: float
    num_patients: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted number with the ends of its interval.

    `z_score` is its place among training patients of the same sex, age, height and weight,
    `interval_group` the people whose interval it is ("all" or sex and age).
    """

    value: float
    low: float
    high: float
    z_score: float | None = None
    interval_group: str | None = None


@dataclass(frozen=True, slots=True)
class PhenotypeValue:
    """One phenotype as predicted from the ECG, as measured by CMR, and its reference."""

    name: str
    predicted: Prediction | None = None
    measured: float | None = None
    reference: Reference | None = None
    title: str = ""
    """How a target of the cohort's own is called; empty of the ten phenotypes."""
    own_unit: str = ""
    """Unit of a target of the cohort's own; a probability is shown in per cent."""

    @property
    def unit(self) -> str:
        """Unit of every number in it."""
        return PHENOTYPE_UNITS.get(self.name, self.own_unit)

    @property
    def label(self) -> str:
        """What stands before its numbers."""
        return self.title or PHENOTYPE_LABELS[self.name]

    @property
    def z_score(self) -> float | None:
        """Predicted value in standard deviations of people like this one.

        Of the same sex, age, height and weight where the run has such a reference, else of the
        same sex in this cohort; the panel says which.
        """
        if self.predicted is not None and self.predicted.z_score is not None:
            return self.predicted.z_score
        if self.predicted is None or self.reference is None or self.reference.sd <= 0:
            return None
        return (self.predicted.value - self.reference.mean) / self.reference.sd

    @property
    def measured_z_score(self) -> float | None:
        """Measured value in standard deviations of the same sex in this cohort."""
        if self.measured is None or self.reference is None or self.reference.sd <= 0:
            return None
        return (self.measured - self.reference.mean) / self.reference.sd

    @property
    def is_outside(self) -> bool:
        """True when the predicted value lies outside the reference range."""
        if self.predicted is None or self.reference is None:
            return False
        return not self.reference.low <= self.predicted.value <= self.reference.high


@dataclass(frozen=True, slots=True)
class OutOfDistribution:
    """How unlike the training recordings this one is, as judged when it was predicted."""

    is_flagged: bool
    score: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A real patient near the one shown."""

    patient: str
    rank: int
    similarity: float
    sex: str | None = None
    age_years: float | None = None
    measured: Mapping[str, float] = field(default_factory=_no_values)


def measure_spread(neighbours: Sequence[Neighbour]) -> float:
    """Largest less smallest similarity of a list; 1 of a single one, which nothing is beside."""
    values = [neighbour.similarity for neighbour in neighbours]
    return max(values) - min(values) if len(values) > 1 else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class EcgView:
    """Ten seconds in millivolts, denoised, with the beats found in them.

    `raw` is the whole recording as the file has it; `raw_note` says why it is not there. `marks`
    are those of the raw recording's first ten seconds, else of the denoised one.
    """

    signal_mv: Float32[Array, "12 sample"]
    r_peak_times_s: tuple[float, ...]
    heart_rate_bpm: float | None
    measurements: Mapping[str, float] = field(default_factory=_no_values)
    raw: Trace | None = None
    raw_note: str = ""
    marks: EcgMarks | None = None
    device: Mapping[str, float] = field(default_factory=_no_values)
    """The device's own figures of a file; those of a cohort are in its store."""

    @property
    def model_trace(self) -> Trace:
        """What the model sees, in millivolts."""
        return Trace(self.signal_mv, SAMPLING_RATE_HZ, LEAD_NAMES)

    @property
    def filters(self) -> tuple[EcgFilter, ...]:
        """What can be shown of it, the raw recording first."""
        return (EcgFilter.MODEL,) if self.raw is None else tuple(EcgFilter)

    @property
    def mean_rr_s(self) -> float | None:
        """Mean interval between its beats."""
        peaks = self.r_peak_times_s
        return (peaks[-1] - peaks[0]) / (len(peaks) - 1) if len(peaks) > 1 else None


@dataclass(frozen=True, slots=True, eq=False)
class CineView:
    """Fifty frames over one cycle."""

    frames: UInt8[Array, "50 84 84"]
    frame_interval_ms: float | None
    end_systole_frame: int

    @property
    def cycle_s(self) -> float | None:
        """Length of the cycle, None when the source does not state it."""
        if self.frame_interval_ms is None:
            return None
        return self.frames.shape[0] * self.frame_interval_ms / 1000


@dataclass(frozen=True, slots=True)
class RecordingSource:
    """The hash of the file that a cohort's ECG was read from; `note` says why there is none."""

    digest: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileSource:
    """The file that a patient was read from, and what its reader had to be told."""

    path: Path
    hints: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class PatientView:
    """Everything of one visit that the patient screen shows.

    `similarity_map` is the visit's own, ECG steps by CMR steps; `map_note` says why there is none.
    """

    patient: str
    visit: int
    split: str | None
    sex: str | None
    age_years: float | None
    run: str | None
    ecg: EcgView | None
    cine: CineView | None
    phenotypes: tuple[PhenotypeValue, ...] = ()
    targets: tuple[PhenotypeValue, ...] = ()
    """The cohort's own targets, beside the ten phenotypes."""
    findings: tuple[Finding, ...] = ()
    out_of_distribution: OutOfDistribution | None = None
    neighbours: tuple[Neighbour, ...] = ()
    similarity_map: Float32[Array, "13 13"] | None = None
    map_note: str = ""
    coverage: float | None = None
    run_faults: tuple[str, ...] = ()
    """What is said of the run before any of its numbers."""
    origin: str = "cohort"
    source: FileSource | None = None
    is_awaiting: bool = False
    """The model has not answered yet."""

    @property
    def is_rejected(self) -> bool:
        """True when a finding keeps the ECG out of every prediction."""
        return any(finding.severity == "reject" for finding in self.findings)

    def shows_same_recordings(self, other: "PatientView") -> bool:
        """True when ECG and cine are those of `other`, to the last value."""
        return (
            (self.origin, self.patient, self.visit) == (other.origin, other.patient, other.visit)
            and _are_equal(self.ecg and self.ecg.signal_mv, other.ecg and other.ecg.signal_mv)
            and _are_equal(self.cine and self.cine.frames, other.cine and other.cine.frames)
        )

    @property
    def has_predictions(self) -> bool:
        """True when any phenotype or target carries a prediction."""
        return any(value.predicted is not None for value in (*self.phenotypes, *self.targets))


@dataclass(frozen=True, slots=True)
class SavedCohortView:
    """A saved selection; `steps` are (criterion, visits, patients) left after each.

    `criteria` are the predicates themselves, not shortened for the screen.
    """

    name: str
    steps: tuple[tuple[str, int, int], ...]
    criteria: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note as it is shown: when it was written (UTC) and its text."""

    note_id: str
    written_at: str
    text: str


@dataclass(frozen=True, slots=True)
class PersonNotes:
    """What people wrote about one person."""

    tags: tuple[str, ...]
    notes: tuple[NoteView, ...]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of an SQL statement, cut honestly: `is_cut` says that there were more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool
    elapsed_s: float


@dataclass(frozen=True, slots=True, eq=False)
class RunView:
    """One training run and what its evaluation wrote, as tables ready to be shown."""

    run: str
    kind: str
    created: str
    provenance: tuple[tuple[str, str], ...]
    tables: tuple["RunTable", ...] = ()
    alignment_map: Float32[Array, "13 13"] | None = None
    alignment: Mapping[str, float] = field(default_factory=_no_values)


@dataclass(frozen=True, slots=True)
class RunTable:
    """One table of an evaluation: a title, headings, rows of safe text."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _are_equal(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
