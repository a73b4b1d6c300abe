"""What a walk finds: one recording or table, where it lies, whose its name says it is."""

from dataclasses import dataclass, field
from pathlib import Path, PurePath

from ptacl_core.io.discover.kinds import Modality
from ptacl_core.io.identity.facts import NO_FACTS, InsideFacts


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, or a folder of DICOM files, and whose recording its name alone says it is.

    `format` is what the reader will find ("wfdb", "dicom_zip", "nifti" …), "" when unknown;
    `reason` says why an unknown file is not used. `place` is its path for the user, from the
    source's own name on, also inside archives. `facts` are what the file says of its person;
    `is_mixed` marks images that lie among those of another examination; `member` is then the place
    of the first of them below `place`, which tells it from the others.
    """

    path: Path
    modality: Modality
    subject: str
    visit: str = ""
    format: str = ""
    reason: str = ""
    place: PurePath = field(default=PurePath(), compare=False)
    facts: InsideFacts = field(default=NO_FACTS, compare=False, repr=False)
    is_mixed: bool = False
    member: str = ""
