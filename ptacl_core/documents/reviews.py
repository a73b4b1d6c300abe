"""What reviewers ask for: a reporting checklist, a cohort's data sheet, a manifest of egress."""

from typing import Literal

from pydantic import Field

from ptacl_core.documents.bundle import Membership
from ptacl_core.documents.model import Document, Part

ItemStatus = Literal["answered", "partly", "author"]


class ChecklistItem(Part):
    """One item: what it asks in our words, what is known, from which files, what is left.

    `answered`: nothing is left; `partly`: `left` is the author's to write; `author`: nothing on
    disk answers it.
    """

    number: str
    section: str
    asks: str
    status: ItemStatus
    answer: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    left: str = ""


class ChecklistDocument(Document):
    """Every item of TRIPOD+AI or CLAIM, answered from a run and its cohort or left to the author.

    `items` stand in the checklist's order with its numbers. Nothing is answered that a file does
    not tell.
    """

    KIND = "ptacl-checklist"
    VERSION = 1

    checklist: Literal["tripod-ai", "claim"]
    title: str
    reference: str
    cohort: str
    run: str
    items: tuple[ChecklistItem, ...]
    unfit: str | None = None
    note: str
    software: str


class VariableSheet(Part):
    """One variable over recordings: how many have it, how it is distributed.

    None where a figure is of fewer people than may be told. Quantiles are 5, 25, 50, 75, 95 %.
    """

    name: str
    unit: str
    present: int | None
    missing: int | None
    mean: float | None = None
    sd: float | None = None
    quantiles: tuple[float, ...] = ()


class SplitSheet(Part):
    """People and recordings of one split."""

    people: int | None
    ecg: int | None
    cmr: int | None
    pairs: int | None


class DataSheetDocument(Document):
    """The data sheet of a cohort: composition, collection, preprocessing, missingness, use.

    Counts are of people unless they say recordings. With `smallest_cell` above 1 no figure is of
    fewer people, in sum or in part: such a count is null, or missing from its table and named in
    `suppressed`. `left_to_author` are the questions that no file answers.
    """

    KIND = "ptacl-data-sheet"
    VERSION = 1

    cohort: str
    source: str
    smallest_cell: int
    people: int
    recordings: dict[str, int | None]
    splits: dict[str, SplitSheet]
    people_in_two_splits: int | None
    sex: dict[str, int | None]
    visits_per_person: dict[str, int | None]
    formats: dict[str, dict[str, int | None]]
    variables: tuple[VariableSheet, ...]
    rejected: dict[str, dict[str, int | None]] | None = None
    """Recordings left out by modality and reason; null where the cohort does not say."""
    findings: dict[str, dict[str, int | None]] = Field(default_factory=dict)
    """Recordings in use by modality and finding."""
    preprocessing: dict[str, dict[str, str]] | None = None
    preprocessing_hash: str
    manifest_sha256: str | None
    suppressed: tuple[str, ...] = ()
    left_to_author: tuple[str, ...]
    note: str
    software: str


class EgressFile(Part):
    """One file of the folder: what it is, and why no person can be told from it."""

    name: str
    sha256: str
    num_bytes: int
    what: str
    why_harmless: str


class IdentifierScan(Part):
    """What was looked for in every file of the folder, in every spelling, and what was found."""

    pseudonyms: int
    identifiers: int
    """0: the cohort keeps no identifiers."""
    recording_hashes: int
    files: int
    bytes: int
    found: int


class EgressDocument(Document):
    """What leaves a data owner's platform with a run: files, reasons, the scan, membership.

    `suppressed` names the figures that were left out because they are of fewer than ten people.
    """

    KIND = "ptacl-egress"
    VERSION = 1

    run: str
    cohort: str
    software: str
    smallest_cell: int
    files: tuple[EgressFile, ...]
    scan: IdentifierScan
    membership: tuple[Membership, ...]
    suppressed: tuple[str, ...]
