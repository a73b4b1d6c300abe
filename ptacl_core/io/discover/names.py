"""Whose recording a file is, from its name: UK Biobank bulk names, else the stem."""

import re
from dataclasses import dataclass
from pathlib import PurePath

_BULK_NAME = re.compile(
    r"(?P<subject>[A-Za-z0-9-]+)_(?P<field>20205|20209|2020[0-9]|2021[0-9]|6025)"
    r"_(?P<instance>\d+)(?:_(?P<array>\d+))?",
)
_FIELD_MODALITIES = {"20205": "ecg", "20209": "cmr"}
_OTHER_FIELDS = {
    "20208": "long-axis cine (UK Biobank 20208), the short-axis one is 20209",
    "6025": "exercise ECG (UK Biobank 6025), its three leads are not the standard ones",
}
_NAMELESS = {
    "ecg",
    "ekg",
    "rest",
    "cine",
    "cmr",
    "mri",
    "mr",
    "sa",
    "sax",
    "dicom",
    "dcm",
    "images",
    "heart",
}
"""Names that say what a file is and not whose: the folder's name is the subject then."""


@dataclass(frozen=True, slots=True)
class RecordingName:
    """What a name says: subject, visit ("" unless UK Biobank), the modality of a bulk field.

    `reason` is set for bulk fields that are never used.
    """

    subject: str
    visit: str = ""
    modality: str | None = None
    reason: str = ""


def parse_name(path: PurePath) -> RecordingName:
    """The meaning of a file's or folder's name; `path` may be relative, or inside an archive."""
    stem = strip_endings(path.name)
    match = _BULK_NAME.fullmatch(stem)
    if match:
        field = match["field"]
        modality = _FIELD_MODALITIES.get(field)
        reason = "" if modality else _OTHER_FIELDS.get(field, f"UK Biobank field {field}: not used")
        return RecordingName(match["subject"], match["instance"], modality, reason)
    parent = path.parent.name
    if stem.lower() in _NAMELESS and parent:
        return parse_name(path.parent)
    return RecordingName(stem)


def strip_endings(name: str) -> str:
    """The name without its ending, `.nii.gz` and `.csv.gz` whole; folders keep theirs short."""
    stem = re.sub(r"\.gz$", "", name, flags=re.IGNORECASE)
    return re.sub(r"(?<=.)\.[A-Za-z][A-Za-z0-9]{0,7}$", "", stem)
