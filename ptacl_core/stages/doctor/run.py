"""`ptacl doctor FILE`: what the readers and preprocessing make of one file, folder or archive."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from ptacl_core.documents.doctor import FileReport, SourceReport
from ptacl_core.errors import ConfigError, PtaclError, UnsupportedFormatError
from ptacl_core.ingest.make_plan import Discovery, make_plan
from ptacl_core.io import discover
from ptacl_core.io.discover.found import FoundFile
from ptacl_core.io.discover.kinds import find_kind
from ptacl_core.io.discover.names import parse_name
from ptacl_core.io.ecg.detection import find_wfdb_header
from ptacl_core.io.files.bounded_file import check_file
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.stages.doctor.recordings import (
    describe_cine,
    describe_ecg,
    describe_pairs,
    describe_phenotypes,
)

HIDDEN = "…"
"""Stands for the part of a file name that may name a participant."""

_MAX_SOURCE_BYTES = 1024**4
_NAMED_BY_HINTS = (
    "; or say it here: --leads, --unit and --sampling-rate-hz of an ECG, --axes and --spacing-mm "
    "of a cine"
)


def run(
    path: Path,
    *,
    ecg_hints: Mapping[str, Any] | None = None,
    cine_hints: Mapping[str, Any] | None = None,
) -> FileReport:
    """A report on `path` for people and scripts; `kind` says which one.

    "ecg" and "cmr" tell format, sizes, findings and what preprocessing finds; "phenotypes" and
    "pairs" what the table holds; "source" what a folder or archive holds. Hints are those of
    `read_ecg` and `read_cine` for arrays that say nothing about themselves. Names that may be a
    participant's are hidden, in errors too.

    Raises RecordError when the readers can make nothing of it, ConfigError for wrong hints.
    """
    path = path if path.name else path.resolve()
    try:
        report = _inspect(path, ecg_hints or {}, cine_hints or {})
    except PtaclError as error:
        raise type(error)(_hide(str(error), path)) from None
    return report.model_copy(update={"file": _hide(path.name, path)})


def parse_spacing(text: str | None) -> tuple[float, ...] | None:
    """`1.8,1.8` or `10,1.8,1.8` as numbers in mm. Raises ConfigError."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"--spacing-mm: expected slice,row,column or row,column in mm, got '{text}'"
        ) from None


def _inspect(path: Path, ecg_hints: Mapping[str, Any], cine_hints: Mapping[str, Any]) -> FileReport:
    if path.is_dir():
        return _inspect_source(path)
    if find_wfdb_header(path) is not None or ecg_hints:
        return describe_ecg(path, ecg_hints)
    check_file(path, max_bytes=_MAX_SOURCE_BYTES)
    if cine_hints:
        return describe_cine(path, cine_hints)
    return _inspect_file(path)


def _inspect_file(path: Path) -> FileReport:
    """A file by what its content says that it is."""
    kind = find_kind(path)
    if kind is None:
        raise UnsupportedFormatError(
            f"{clean_text(path.name)}: part of another recording, or a list or sidecar beside one; "
            "give the recording itself, or its folder"
        )
    if kind.is_archive:
        return _inspect_source(path)
    describe = _DESCRIBE.get("cmr" if kind.is_mr_image else kind.modality)
    if describe is None:
        advice = _NAMED_BY_HINTS if path.suffix.lower() in (".npy", ".npz") else ""
        raise UnsupportedFormatError(f"{clean_text(path.name)}: {kind.reason}{advice}")
    return describe(path)


_DESCRIBE: dict[str, Callable[[Path], FileReport]] = {
    "ecg": describe_ecg,
    "cmr": describe_cine,
    "phenotypes": describe_phenotypes,
    "pairs": describe_pairs,
}


def _inspect_source(path: Path) -> FileReport:
    """A folder or archive: its only recording, or how many of what it holds."""
    files = list(discover(path))
    recordings = [file for file in files if file.modality in ("ecg", "cmr")]
    if not recordings and not any(file.modality in ("phenotypes", "pairs") for file in files):
        reasons = "; ".join(f"{n} × {reason}" for reason, n in _reasons(files, path).items())
        raise UnsupportedFormatError(
            f"{clean_text(path.name)}: holds no ECG, no CMR and no table that the readers know"
            f"{f' ({reasons})' if reasons else ''}"
        )
    if len(files) == 1 and recordings:
        only = recordings[0]
        return _DESCRIBE[only.modality](only.path)
    counts = make_plan(Discovery([files])).count()
    return SourceReport(
        patients=counts["people"],
        visits=counts["visits"],
        pairs=counts["pairs"],
        nobody=counts["recordings_left_out"],
        ecg=_formats(files, "ecg"),
        cmr=_formats(files, "cmr"),
        phenotype_tables=sum(file.modality == "phenotypes" for file in files),
        pairs_files=sum(file.modality == "pairs" for file in files),
        left_out=_reasons(files, path),
    )


def _formats(files: list[FoundFile], modality: str) -> dict[str, int]:
    return dict(Counter(file.format for file in files if file.modality == modality).most_common())


def _reasons(files: list[FoundFile], path: Path) -> dict[str, int]:
    reasons = (
        _hide(_hide(file.reason, file.path), path) for file in files if file.modality == "unknown"
    )
    return dict(Counter(reasons).most_common())


def _hide(text: str, path: Path) -> str:
    """`text` without the part of the file's name that may name a participant."""
    subject = parse_name(PurePath(path.name)).subject
    name = path.name.replace(subject, HIDDEN)
    hidden = text.replace(clean_text(path.name, max_length=80), name)
    hidden = re.sub(rf"{re.escape(subject)}(?=[._])", HIDDEN, hidden) if subject else hidden
    return clean_text(hidden, max_length=1000)
