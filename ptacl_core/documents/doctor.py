"""The documents of `ptacl doctor`: what the readers make of one file, by its kind."""

from typing import Literal

from pydantic import AliasChoices, Field

from ptacl_core.documents.ecg_figures import FindingPart, MarksPart, StatementPart
from ptacl_core.documents.model import Document, Part

FigureSource = Literal["ptacl", "neurokit2", "device"]


class OpinionRow(Part):
    """One figure as PTACL, neurokit2 and the device give it, and who disagrees with PTACL."""

    figure: str
    ptacl: float | None
    neurokit2: float | None
    device: float | None
    limit: float
    disagrees_with: tuple[FigureSource, ...]

    def of(self, source: FigureSource) -> float | None:
        """The figure of one source."""
        value: float | None = getattr(self, source)
        return value


class DeviceFacts(Part):
    """What the recording device wrote into the file."""

    r_peaks: int | None
    measurements: dict[str, float | None]
    statements: tuple[str, ...]
    has_representative_beat: bool


class FileReport(Document):
    """A report on one file, of which the part that may name a participant is hidden."""

    VERSION = 1

    file: str = ""


class RecordingReport(FileReport):
    """A recording as read, and what preprocessing says of it."""

    format: str
    accepted: bool
    findings: tuple[FindingPart, ...]

    @property
    def rejections(self) -> tuple[str, ...]:
        """Codes of the findings that keep the recording out."""
        return tuple(finding.code for finding in self.findings if finding.severity == "reject")


class EcgReport(RecordingReport):
    """An ECG: `range_mv` is the least and greatest voltage of each lead as stored."""

    KIND = "ecg"

    leads: tuple[str, ...]
    sampling_rate_hz: float
    samples: int
    duration_s: float
    range_mv: dict[str, tuple[float | None, float | None]]
    r_peaks_s: tuple[float, ...]
    heart_rate_bpm: float | None
    measurements: dict[str, float | None]
    opinions: tuple[OpinionRow, ...]
    leads_mv: dict[str, dict[str, float]]
    statements: tuple[StatementPart, ...]
    marks: MarksPart
    device: DeviceFacts


class CineReport(RecordingReport):
    """A cine stack: `centre_px` is the heart's (row, column) in the source image."""

    KIND = "cmr"

    slices: int
    frames: int
    height_px: int
    width_px: int
    spacing_mm: tuple[float, ...]
    frame_interval_ms: float | None
    cycle_ms: float | None
    frame_times_ms: tuple[float, ...] | None
    has_segmentation: bool
    slice_index: int
    centre_px: tuple[float, float]


class ColumnMeaning(Part):
    """A column of a table, and what it was understood as."""

    column: str
    means: str
    visit: str | int | None
    factor: float | None


class ValueSummary(Part):
    """How many values a phenotype has, and their median."""

    values: int
    median: float


class PhenotypeReport(FileReport):
    """A phenotype table: which columns were understood, how many values, what is odd."""

    KIND = "phenotypes"

    rows: int
    patients: int
    visits: tuple[str, ...]
    columns: tuple[ColumnMeaning, ...]
    columns_not_used: int
    phenotypes: dict[str, ValueSummary]
    findings: tuple[FindingPart, ...]


class PairsReport(FileReport):
    """A list of pairs: its rows, and how many of the files that it names are there."""

    KIND = "pairs"

    rows: int
    pairs: int
    files: int
    files_missing: int


class SourceReport(FileReport):
    """A folder or archive: how many of what it holds; `left_out` counts by reason."""

    KIND = "source"

    patients: int
    visits: int
    pairs: int
    nobody: int
    ecg: dict[str, int]
    cmr: dict[str, int]
    phenotype_tables: int
    pairs_files: int
    left_out: dict[str, int]


class ComputeFacts(Part):
    """Cores, memory and GPUs; `device` is null where torch cannot be imported."""

    cores: int
    memory_gib: float | None
    device: str | None
    gpus: tuple[str, ...]
    torch_threads: int | None = None


class FolderFacts(Part):
    """A folder that PTACL writes to."""

    path: str
    writable: bool
    free_gib: float


class KeysFacts(Part):
    """The folder of the pseudonyms' keys, with its permissions."""

    path: str
    exists: bool
    mode: str | None
    writable: bool


class Folders(Part):
    """Where PTACL writes."""

    current: FolderFacts
    temporary: FolderFacts
    keys: KeysFacts


class ExtraFacts(Part):
    """An extra of the package: whether it is there, and what for."""

    present: bool
    purpose: str = Field(validation_alias=AliasChoices("for", "purpose"), serialization_alias="for")


class EnvironmentReport(Document):
    """This installation: versions, compute, folders and extras; `problems` in words."""

    KIND = "environment"
    VERSION = 1

    ptacl: str
    python: str
    executable: str
    system: str
    packages: dict[str, str | None]
    compute: ComputeFacts
    folders: Folders
    extras: dict[str, ExtraFacts]
    dicom_decoders: dict[str, bool]
    problems: tuple[str, ...]
