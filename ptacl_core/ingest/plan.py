"""Who, which visit, which files and why: what is known before anything is read into a cohort."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath
from typing import Literal

from ptacl_core.io.hints import ReaderHints
from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts
from ptacl_core.io.layouts.tables import DataSetTable

FAR_DAYS = 90
"""Pairs further apart are pointed out."""


@dataclass(frozen=True, slots=True)
class PlannedRecording:
    """One recording: where it lies for the reader (`path`) and for the user (`place`).

    `is_among_others` marks an examination whose images lie among those of others: `place` is then
    that of the first of them.
    """

    path: Path
    place: PurePath
    modality: Literal["ecg", "cmr"]
    facts: InsideFacts = NO_FACTS
    hints: ReaderHints = field(default_factory=dict)
    time: datetime | None = None
    is_among_others: bool = False
    record: str = ""
    """Its number in its data set, where that has one."""


@dataclass(frozen=True, slots=True)
class PlannedVisit:
    """What one person's visit consists of; `evidence` is what told whose it is.

    `label` is the visit as the source calls it ("" where it does not), `number` what the cohort
    will call it; `num_bytes` is how large its files are, 0 where a plan did not say it.
    """

    subject: str
    number: int
    label: str = ""
    ecg: PlannedRecording | None = None
    cmr: PlannedRecording | None = None
    evidence: tuple[str, ...] = ()
    days_apart: int | None = None
    split: str = ""
    centre_px: tuple[float, float] | None = None
    names: tuple[str, ...] = ()
    codings: tuple[str, ...] = ()
    num_bytes: int = 0

    @property
    def is_pair(self) -> bool:
        """Whether both halves are there."""
        return self.ecg is not None and self.cmr is not None

    @property
    def recordings(self) -> tuple[PlannedRecording, ...]:
        """The recordings that are there."""
        return tuple(recording for recording in (self.ecg, self.cmr) if recording is not None)


@dataclass(frozen=True, slots=True)
class UnusedFile:
    """A file that belongs to no visit; `subject` is the identifier that its name may carry.

    `is_recording` says that it is an ECG or a cine, of which more was hoped; `is_among_others` is
    as in `PlannedRecording`.
    """

    name: str
    subject: str
    reason: str
    message: str
    place: PurePath = field(default_factory=PurePath)
    modality: str = "unknown"
    path: Path | None = None
    is_among_others: bool = False

    @property
    def is_recording(self) -> bool:
        """Whether an ECG or a cine is left out, not some other file."""
        return self.modality in ("ecg", "cmr")


@dataclass(slots=True)
class Plan:
    """All visits of a source, the tables in it, what is left out, and what a reader should know.

    `withdrawn` are the identifiers, folded, on withdrawal lists in the source; `table_places` says
    where tables lie for the user.
    """

    visits: list[PlannedVisit] = field(default_factory=list)
    unused: list[UnusedFile] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)
    set_tables: list[DataSetTable] = field(default_factory=list)
    layouts: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    withdrawn: frozenset[str] = frozenset()
    table_places: dict[Path, PurePath] = field(default_factory=dict)

    def count(self) -> dict[str, int]:
        """People, visits, recordings, pairs, and what stays alone or is left out."""
        ecgs = sum(visit.ecg is not None for visit in self.visits)
        cmrs = sum(visit.cmr is not None for visit in self.visits)
        pairs = sum(visit.is_pair for visit in self.visits)
        far = [v for v in self.visits if v.is_pair and (v.days_apart or 0) > FAR_DAYS]
        return {
            "people": len({visit.subject for visit in self.visits}),
            "visits": len(self.visits),
            "ecg": ecgs,
            "cmr": cmrs,
            "pairs": pairs,
            "ecg_alone": ecgs - pairs,
            "cmr_alone": cmrs - pairs,
            "pairs_far_apart": len(far),
            "recordings_left_out": sum(file.is_recording for file in self.unused),
            "other_files": sum(not file.is_recording for file in self.unused),
        }

    def count_reasons(self) -> dict[str, int]:
        """Why recordings are left out, most frequent first."""
        return dict(Counter(f.reason for f in self.unused if f.is_recording).most_common())
