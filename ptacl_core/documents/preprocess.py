"""The documents of `ptacl preprocess`: what a call took and left out, and a plan's counts."""

from pydantic import Field

from ptacl_core.documents.model import Document, Part


class Accepted(Part):
    """Recordings that a call took, and pairs of both."""

    ecg: int
    cmr: int
    pairs: int


class TableMatch(Part):
    """People of a table, how many have a recording, and its rows that name no visit."""

    people: int
    with_recordings: int
    rows_without_visit: int = 0


class Unmatched(Part):
    """Recordings that are nobody's, people of tables without a recording, unused tables."""

    recordings: int
    table_people: int
    tables: int


class PlanDocument(Document):
    """`preprocess --plan`: who is who, in counts; `left_out` counts recordings by reason."""

    KIND = "ptacl-plan"
    VERSION = 1

    plan: dict[str, int]
    left_out: dict[str, int]
    layouts: tuple[str, ...]
    notes: tuple[str, ...]
    tables: dict[str, TableMatch]
    people_by_split: dict[str, int]
    unmatched: Unmatched


class PreprocessDocument(Document):
    """`preprocess`: what a call accepted, rejected and why, and what it did with each visit."""

    KIND = "ptacl-preprocess"
    VERSION = 1

    accepted: Accepted
    rejected: int
    reasons: dict[str, int]
    records_per_s: float | None
    plan: dict[str, int] = Field(default_factory=dict)
    left_out: dict[str, int] = Field(default_factory=dict)
    finished_visits: int = 0
    completed_visits: int = 0
    changed_visits: int = 0
    tables: dict[str, TableMatch] = Field(default_factory=dict)
    unmatched: Unmatched
