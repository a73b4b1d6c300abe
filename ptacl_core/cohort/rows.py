"""What typed queries of the store return."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.records.finding import Finding

SqlRow = dict[str, Any]
"""A row by column, as the engine gives it; the statement, or `overview`, states the types."""

Direction = Literal["ecg-cmr", "cmr-ecg", "ecg-ecg", "cmr-cmr"]
"""Modality of the query, modality of the candidates."""

Method = Literal["auto", "exact", "index"]
"""How neighbours are searched."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One ECG or CMR recording of a patient; figures are None where not measured.

    `file_hash` names the source file under the cohort's key (`CohortKey.file_hash`).
    """

    patient: str
    visit: int
    modality: str
    file_hash: str | None
    format: str | None
    sampling_rate_hz: float | None
    duration_s: float | None
    num_slices: int | None
    num_frames: int | None
    spacing_mm: tuple[float, ...] | None
    slice_index: int | None
    frame_interval_ms: float | None
    centre_px: tuple[float, ...] | None
    is_accepted: bool
    quality: str | None
    findings: tuple[Finding, ...]
    heart_rate_bpm: float | None
    pr_ms: float | None
    qrs_ms: float | None
    qt_ms: float | None
    qtc_ms: float | None
    axis_deg: float | None
    preprocessing_hash: str | None


@dataclass(frozen=True, slots=True)
class TargetValue:
    """One measured value of a target; `visit` is -1 where it holds for every visit."""

    patient: str
    visit: int
    name: str
    value: float
    days_apart: int | None


@dataclass(frozen=True, slots=True)
class Phenotype:
    """One measured phenotype."""

    visit: int
    name: str
    value: float
    unit: str | None
    source: str | None
    convention: str | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted phenotype with its interval. Research use only.

    `interval_group` names the people whose interval it is, `z_score` is the predicted value
    among training patients of the same sex, age, height and weight; None where not known.
    """

    run: str
    visit: int
    name: str
    value: float
    low: float
    high: float
    unit: str
    coverage: float | None
    interval_group: str | None = None
    z_score: float | None = None


@dataclass(frozen=True, slots=True)
class OutOfDistribution:
    """How strange a recording is for a run."""

    run: str
    visit: int
    modality: str
    score: float
    threshold: float | None
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A training run; `config_json` holds its settings.

    `withdrawn_people`: how many people erased since were, or may have been, in its training.
    """

    run: str
    kind: str | None
    config_json: str | None
    checkpoint_sha256: str | None
    preprocessing_hash: str | None
    split_name: str | None
    data_sha256: str | None
    code_version: str | None
    seed: int | None
    created_at: datetime
    withdrawn_people: int | None = None


@dataclass(frozen=True, slots=True)
class ShardRow:
    """Where the array of one recording lies: file in `shards/` and row in it."""

    patient: str
    visit: int
    modality: str
    shard: str
    row: int


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """One figure of a run's evaluation with its interval."""

    section: str
    variant: str
    modality: str
    phenotype: str
    metric: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """One set of embeddings; row i belongs to `patients[i]` at `visits[i]`."""

    run: str
    modality: str
    space: str
    patients: tuple[str, ...]
    visits: Int64[Array, " vector"]
    vectors: Float32[Array, "vector dim"]
    fingerprint: str

    def positions_of(self, patient: str) -> slice:
        """The rows of one patient, all visits; rows are sorted by patient."""
        return slice(bisect_left(self.patients, patient), bisect_right(self.patients, patient))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One of the nearest patients: `rank` from 1, cosine `similarity`, measured phenotypes."""

    patient: str
    visit: int
    rank: int
    similarity: float
    phenotypes: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Rows of an SQL query; `is_truncated` says that there were more than the limit."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    is_truncated: bool

    @property
    def num_rows(self) -> int:
        """How many rows are here."""
        return len(self.rows)
