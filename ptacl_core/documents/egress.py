"""The manifest of `ptacl egress`: every file that may leave, and why it is harmless."""

from ptacl_core.documents.bundle import Membership
from ptacl_core.documents.model import Document, Part


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
