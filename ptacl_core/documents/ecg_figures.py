"""What the delineation and the recording device say of an ECG, as documents carry it."""

from pydantic import Field

from ptacl_core.documents.model import Part


class FindingPart(Part):
    """A named remark about the recording; severity "reject" keeps it out."""

    code: str
    severity: str
    message: str
    leads: tuple[str, ...] = ()


class StatementPart(Part):
    """A named remark with the published criterion that it follows; never a diagnosis."""

    code: str
    text: str
    criterion: str
    source: str


class BeatPart(Part):
    """The marks of one beat in samples; null where the wave is absent or cannot be told."""

    r_peak: int
    beat_class: int
    p_onset: int | None = None
    p_offset: int | None = None
    qrs_onset: int | None = None
    qrs_offset: int | None = None
    t_peak: int | None = None
    t_end: int | None = None


class MarksPart(Part):
    """Marks of every beat and of the representative beat, and why some are absent or unsure."""

    sampling_rate_hz: float
    beats: tuple[BeatPart, ...]
    representative: BeatPart | None
    num_averaged: int
    class_counts: tuple[int, ...]
    absent: dict[str, str] = Field(default_factory=dict)
    unsure: dict[str, str] = Field(default_factory=dict)


class DevicePart(Part):
    """What the recording device itself wrote into the file."""

    measurements: dict[str, float | None] = Field(default_factory=dict)
    marks: BeatPart | None = None
    statements: tuple[str, ...] = ()
