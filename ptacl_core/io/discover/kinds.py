"""What one file is, from its first bytes and its name: recording, table, a part, or neither."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ptacl_core.errors import RecordError
from ptacl_core.io.cine.nifti_header import is_nifti
from ptacl_core.io.cine.raw_images import is_raw_image
from ptacl_core.io.ecg.arrays.table_columns import find_lead_columns
from ptacl_core.io.ecg.detection import FORMAT_BYTES, detect_ecg_format, find_wfdb_header
from ptacl_core.io.files.bounded_file import check_file, read_bytes
from ptacl_core.io.files.delimited_columns import open_delimited
from ptacl_core.io.files.dicom_sniffing import HEAD_BYTES, is_dicom_head, sniff_kind
from ptacl_core.io.phenotypes.columns import COVARIATE_NAMES, find_meaning
from ptacl_core.records import PHENOTYPE_NAMES

Modality = Literal["ecg", "cmr", "phenotypes", "pairs", "unknown"]

_COMPANION_NAMES = {"manifest.csv", "manifest.cvs", "dicomdir", "simulation.json"}
_SIMULATION_PAPERS = {"generation.json", "card.json", "card.md"}
"""What `ptacl simulate` writes beside its files and simulation.json."""
_ARRAY_ENDINGS = (".npy", ".npz")
_TABLE_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".csv.gz", ".tsv.gz")
_MAX_SIDECAR_BYTES = 1024**2
_OFFICE_BYTES = 4096
_WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xltx", ".ods")
_ECG_SIDECAR_KEYS = {"lead_names", "sampling_rate_hz", "unit", "lead_axis"}


@dataclass(frozen=True, slots=True)
class FileKind:
    """`modality` and `format` as the readers name them; `reason` why an unknown one is not used.

    `is_mr_image` marks one DICOM image, which is a cine only with its fellows; `is_archive` a zip
    to look into; `head` are the file's first `FORMAT_BYTES`, where they were read.
    """

    modality: Modality = "unknown"
    format: str = ""
    reason: str = ""
    is_mr_image: bool = False
    is_archive: bool = False
    head: bytes | None = None


def find_kind(path: Path) -> FileKind | None:
    """The kind of the file `path`; None when it is a part of another recording or mere paperwork.

    Reads the first kilobytes only. A file that cannot be read is of unknown kind, with the reason.
    """
    if path.name.lower() in _COMPANION_NAMES:
        return None
    if path.name in _SIMULATION_PAPERS and path.with_name("simulation.json").is_file():
        return None
    try:
        check_file(path, max_bytes=1024**4)
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            if _is_binary(path, head):
                return _binary_kind(path, head)
            head += stream.read(FORMAT_BYTES - HEAD_BYTES)
        return _text_kind(path, head)
    except RecordError as error:
        return FileKind(reason=without_name(error))
    except (OSError, ValueError) as error:
        return FileKind(reason=f"the file cannot be read ({type(error).__name__})")


def _is_binary(path: Path, head: bytes) -> bool:
    """Whether the file is of a kind that its first bytes settle."""
    has_mark = is_dicom_head(head) or head.startswith(b"PK") or is_nifti(head)
    has_mark = has_mark or is_raw_image(head)
    return has_mark or path.name.lower().endswith(_ARRAY_ENDINGS)


def _binary_kind(path: Path, head: bytes) -> FileKind | None:
    if is_dicom_head(head):
        return _dicom_kind(head)
    if path.name.lower().endswith(_ARRAY_ENDINGS):
        return _array_kind(path)
    if head.startswith(b"PK"):
        office = _find_office_kind(path, head)
        return FileKind(reason=office) if office else FileKind(is_archive=True)
    if is_raw_image(head):
        return FileKind("cmr", "nrrd" if head.startswith(b"NRRD") else "mha")
    return _nifti_kind(path)


def _find_office_kind(path: Path, head: bytes) -> str:
    """What a zip is that an office program wrote, "" for any other: its XML is no ECG's."""
    ending = path.suffix.lower()
    is_office = b"[Content_Types].xml" in head[:_OFFICE_BYTES]
    is_open_document = b"mimetypeapplication/vnd.oasis" in head[:_OFFICE_BYTES]
    if ending in _WORKBOOK_ENDINGS or (is_office and b"xl/" in head):
        return "an Excel workbook or one like it; save the table as CSV"
    return "an office document; save a table as CSV" if is_office or is_open_document else ""


def _text_kind(path: Path, head: bytes) -> FileKind | None:
    if path.suffix.lower() == ".json":
        return _json_kind(path)
    header = find_wfdb_header(path)
    if header is not None:
        return FileKind("ecg", "wfdb") if header == path else None
    if path.name.lower().endswith(_TABLE_ENDINGS):
        return _table_kind(path)
    ecg_format = detect_ecg_format(path, head)
    if ecg_format == "hdf5" and _holds_images(path):
        return FileKind("cmr", "ismrmrd")
    return _table_kind(path) if ecg_format == "csv" else FileKind("ecg", ecg_format, head=head)


def _holds_images(path: Path) -> bool:
    """Whether an HDF5 file has the image series of ISMRMRD."""
    from ptacl_core.io.ecg.arrays.hdf5 import list_datasets, open_hdf5

    with open_hdf5(path) as file:
        datasets = list_datasets(file, path.name)
    return any(key.endswith("/data") and "image" in key for key in datasets)


def without_name(error: Exception) -> str:
    """The error's text without the file name that stands before it (it may name a participant)."""
    before, colon, after = str(error).partition(": ")
    return after if colon and " " not in before.strip() else str(error)


def _dicom_kind(head: bytes) -> FileKind | None:
    kind = sniff_kind(head)
    if kind == "mr":
        return FileKind(is_mr_image=True)
    if kind == "waveform":
        return FileKind("ecg", "dicom")
    if kind == "directory":
        return None
    return FileKind(reason="DICOM, but neither an MR image nor an ECG waveform")


def _nifti_kind(path: Path) -> FileKind | None:
    name = path.name.lower()
    if name.startswith("seg_"):
        if path.with_name(path.name[4:]).is_file():
            return None
        return FileKind(reason="a segmentation without its cine beside it")
    if name.startswith(("la_", "lax_")):
        return FileKind(reason="a long-axis cine, the short-axis one is sa.nii.gz")
    if name.removesuffix(".gz").removesuffix(".nii").endswith(("_gt", "_ed", "_es")):
        return FileKind(reason="a segmentation or single phase, not a cine")
    return FileKind("cmr", "nifti")


def _array_kind(path: Path) -> FileKind:
    """Arrays say nothing about themselves: the sidecar decides."""
    array_format = path.suffix.lower().removeprefix(".")
    for beside in _sidecars(path):
        keys = _json_keys(beside)
        if "axes" in keys:
            return FileKind("cmr", array_format)
        if keys & _ECG_SIDECAR_KEYS:
            return FileKind("ecg", array_format)
    return FileKind(
        reason=f"an array without {path.stem}.json beside it that says what it is (axes and "
        "spacing_mm of a cine; lead_names, sampling_rate_hz and unit of an ECG)"
    )


def _sidecars(path: Path) -> list[Path]:
    candidates = (path.with_name(f"{path.name}.json"), path.with_suffix(".json"))
    return [candidate for candidate in candidates if candidate.is_file()]


def _json_keys(path: Path) -> set[str]:
    try:
        document = json.loads(read_bytes(path, max_bytes=_MAX_SIDECAR_BYTES))
    except (RecordError, ValueError, RecursionError):
        return set()  # the array is then of unknown kind, which is told
    return set(document) if isinstance(document, dict) else set()


def _json_kind(path: Path) -> FileKind | None:
    stem = path.name[: -len(".json")]
    described = [path.with_name(stem), *(path.with_name(stem + end) for end in _ARRAY_ENDINGS)]
    if any(candidate.is_file() for candidate in described):
        return None
    return FileKind(reason="JSON without the recording that it would describe beside it")


def _table_kind(path: Path) -> FileKind:
    columns = open_delimited(path).columns
    meanings = [meaning for column in columns if (meaning := find_meaning(column)) is not None]
    quantities = {meaning.quantity for meaning in meanings}
    words = [column.strip().lower() for column in columns]
    if any("ecg" in word for word in words) and any(
        "cmr" in word or "cine" in word for word in words
    ):
        return FileKind("pairs", "csv")
    if "subject" in quantities and quantities & {*PHENOTYPE_NAMES, *COVARIATE_NAMES, "sex"}:
        return FileKind("phenotypes", "csv")
    num_leads = len(find_lead_columns(list(columns)))
    is_numeric = len(columns) >= 8 and all(_is_number(word) for word in words if word)
    if num_leads >= 2 or is_numeric:
        return FileKind("ecg", detect_ecg_format(path))
    return FileKind(
        reason="a text file that is neither a phenotype table, a list of pairs nor an ECG with "
        "leads as columns"
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
