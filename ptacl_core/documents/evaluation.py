"""The documents of `ptacl evaluate`: of a run (evaluation.json, store, stdout), of `--encoder`."""

from typing import Any

from pydantic import Field

from ptacl_core.documents.alignment import AlignmentSection
from ptacl_core.documents.health import StageHealth
from ptacl_core.documents.model import Document, Part
from ptacl_core.documents.retrieval import MeanRetrieval, PairRecall, RetrievalCell
from ptacl_core.documents.table_two import Headline, NestedQuestion, TableTwoRow
from ptacl_core.documents.targets import TargetEvaluation
from ptacl_core.documents.uncertainty import (
    CoverageSummary,
    EventCalibration,
    PhenotypeCoverage,
    Subgroups,
)

EVALUATION_FILE = "evaluation.json"
"""In runs/<run>/evaluation/."""

_RENAMED = {
    "mae": "mean_absolute_error",
    "ccc": "concordance",
    "delta_r2": "delta_over_demographics",
}


class R2Cell(Part):
    """R² of one phenotype with its interval."""

    r2: float | None
    low: float | None
    high: float | None


class ConsistencyCell(Part):
    """P@10 that both probes' R² lead to, beside the measured one."""

    k: int
    expected: float
    included: float
    difference_included: float
    excluded: float
    difference_excluded: float


class Consistency(Part):
    """Does Table 1 follow from Table 2."""

    phenotypes: dict[str, ConsistencyCell]
    mean_difference: float | None
    max_abs_difference: float | None


class PatientCounts(Part):
    """Pairs by split (validation: ECGs)."""

    train: int
    validation: int
    test: int


class Provenance(Part):
    """What the figures were made from: two different results never have the same."""

    software: str
    code: str | None = None
    """Commit of the code, with "+changes" where files differ from it; None outside a checkout."""
    settings_hash: str | None = None
    data_sha256: str | None = None
    """Hash of the recordings that were evaluated."""
    trained_on_sha256: str | None = None
    checkpoint_sha256: str


class EvaluationDocument(Document):
    """Tables 1 and 2 and the alignment of a run on its held-out patients.

    `headlines` come first and are what the summary shows: what the ECG adds to demographics,
    and what the features save where labels are few. `health` is by run and stage.
    """

    KIND = "ptacl-evaluation"
    VERSION = 1

    run: str
    headlines: tuple[Headline, ...] = ()
    health: dict[str, dict[str, StageHealth]] = Field(default_factory=dict)
    nested: tuple[NestedQuestion, ...] = ()
    regression: dict[str, dict[str, R2Cell]]
    rows: tuple[TableTwoRow, ...]
    retrieval: dict[str, dict[str, RetrievalCell]]
    retrieval_mean: dict[str, MeanRetrieval]
    retrieval_bar: dict[str, MeanRetrieval] = Field(default_factory=dict)
    retrieval_directions: dict[str, dict[str, dict[str, RetrievalCell]]]
    retrieval_rules: dict[str, str]
    pair_recall: dict[str, PairRecall]
    alignment: AlignmentSection
    consistency: Consistency
    coverage: dict[str, PhenotypeCoverage]
    coverage_summary: CoverageSummary
    subgroups: Subgroups
    calibration: dict[str, EventCalibration]
    targets: dict[str, TargetEvaluation] = Field(default_factory=dict)
    """The cohort's own targets, by name."""
    targets_read_out: str = ""
    """Where their read-out came from."""
    unjudged: dict[str, str]
    patients: PatientCounts
    resamples: int
    departures: str = ""
    """What of the run's settings departs from the paper."""
    provenance: Provenance
    note: str

    @property
    def failures(self) -> dict[str, tuple[str, ...]]:
        """Reasons by stage of this run, of those that have not learned."""
        stages = self.health.get(self.run, {})
        return {name: stage.reasons for name, stage in stages.items() if not stage.learned}

    def row(self, key: str) -> TableTwoRow | None:
        """The row of Table 2 with this key."""
        return next((row for row in self.rows if row.key == key), None)

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Version 0 had other names for three figures, two sections twice, no health."""
        if version != 0:
            return super().upgrade(values, version)
        values = {key: _rename(item) for key, item in values.items() if key != "pair"}
        values["regression"] = {
            modality: {
                name: {key: cell.get(key) for key in ("r2", "low", "high")}
                for name, cell in cells.items()
            }
            for modality, cells in values["regression"].items()
        }
        values["rows"] = [_upgrade_row(row) for row in values["rows"]]
        directions = values.get("retrieval_directions", {})
        values["retrieval_directions"] = {
            name: table for name, table in directions.items() if name != "ecg-cmr"
        }
        values["provenance"] = {
            "software": values.pop("software"),
            "checkpoint_sha256": values.pop("checkpoint_sha256"),
        }
        return values


class ForeignEvaluationDocument(Document):
    """What a frozen encoder that was not trained here says of the held-out patients.

    `rows` are demographics, the rows without learning and the encoder; `nested` asks what it
    adds to demographics. `encoder_sha256` is the hash of the file that it came from.
    """

    KIND = "ptacl-foreign-evaluation"
    VERSION = 1

    encoder: str
    encoder_sha256: str | None
    num_features: int
    rows: tuple[TableTwoRow, ...]
    nested: tuple[NestedQuestion, ...]
    unjudged: dict[str, str] = Field(default_factory=dict)
    patients: PatientCounts
    resamples: int
    data_sha256: str
    note: str


def _rename(value: Any) -> Any:
    """The figures' present names, at any depth."""
    if isinstance(value, list):
        return [_rename(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_rename_key(key): _rename(item) for key, item in value.items()}


def _rename_key(key: str) -> str:
    stem, _, suffix = key.rpartition("_")
    if suffix in ("low", "high", "sd") and stem in _RENAMED:
        return f"{_RENAMED[stem]}_{suffix}"
    return _RENAMED.get(key, key)


def _upgrade_row(row: dict[str, Any]) -> dict[str, Any]:
    cells = {name: _upgrade_cell(cell) for name, cell in row["phenotypes"].items()}
    return {**row, "phenotypes": cells, "mean": _upgrade_cell(row["mean"])}


def _upgrade_cell(cell: dict[str, Any]) -> dict[str, Any]:
    """A difference had no verdict: its interval is kept, the verdict left open."""
    delta = cell.get("delta_over_demographics")
    if delta is None:
        return cell
    changed = {
        "difference": delta["value"],
        "low": delta["low"],
        "high": delta["high"],
        "verdict": "too few trainings",
    }
    return {**cell, "delta_over_demographics": changed}
