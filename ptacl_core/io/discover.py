"""Folders and archives → the recordings and tables in them, one after another."""

import atexit
import json
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Literal

from ptacl_core.errors import RecordError
from ptacl_core.io.archive import (
    ArchiveBudget,
    ArchiveLimits,
    SafeArchive,
    kept_suffix,
    open_archive,
)
from ptacl_core.io.bounded_file import check_file
from ptacl_core.io.dicom_sniffing import HEAD_BYTES, is_dicom_head, sniff_kind, sniff_study
from ptacl_core.io.ecg_detection import detect_ecg_format, find_wfdb_header
from ptacl_core.io.nifti_header import is_nifti
from ptacl_core.io.recording_names import parse_name, strip_endings
from ptacl_core.io.table_kinds import find_table_kind

Modality = Literal["ecg", "cmr", "phenotypes", "pairs", "unknown"]

_LIMITS = ArchiveLimits(max_archive_bytes=1024**4, max_total_bytes=1024**4, max_members=5_000_000)
_COMPANIONS = {"manifest.csv", "manifest.cvs", "dicomdir", "readme", "license"}
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,120}")
_TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".tab")
_ARRAY_ENDINGS = (".npy", ".npz")
_NUM_PROBED = 8


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file, or a folder of DICOM files, and whose recording it is.

    `format` is what the reader will find ("wfdb", "dicom_zip", "nifti" …), "" when unknown;
    `reason` says why an unknown file is not used.
    """

    path: Path
    modality: Modality
    subject: str
    visit: str = ""
    format: str = ""
    reason: str = ""


@dataclass(slots=True)
class _Folder:
    """A folder on disk or inside an archive: `name` is where it stands for the user."""

    name: PurePath
    files: list[tuple[str, Path]]
    path: Path


@dataclass(slots=True)
class _Scratch:
    """Where archives are unpacked, and what they may use together."""

    root: Path | None
    budget: ArchiveBudget = field(default_factory=lambda: ArchiveBudget(_LIMITS, 0))

    def new_folder(self) -> Path:
        if self.root is None:
            self.root = Path(tempfile.mkdtemp(prefix="ptacl-discover-"))
            atexit.register(shutil.rmtree, self.root, ignore_errors=True)
        self.root.mkdir(parents=True, exist_ok=True)
        folder = self.root / f"{self.budget.next_number():06d}"
        folder.mkdir(mode=0o700)
        return folder


def discover(source: str | Path, *, scratch: Path | None = None) -> Iterator[FoundFile]:
    """Yield every recording and table in a file, folder or zip (zips inside zips too).

    Files are known by their first bytes and UK Biobank's bulk names (`<eid>_20205_2_0.xml`,
    `<eid>_20209_2_0.zip`), in an order that depends on names alone. A folder of MR images, or
    several below one folder that belong to one study, is one cine. What is of no use comes with
    modality "unknown" and a reason; parts of a recording (WFDB signal files, sidecars, manifests,
    segmentations) do not come by themselves.

    Recordings inside an archive are unpacked to `scratch`; without one, to a private temporary
    folder that is removed when the process ends, so that the paths stay good until then. Raises
    UnreadableFileError when `source` itself is missing or empty.
    """
    path = Path(source)
    place = _Scratch(scratch)
    if path.is_dir():
        yield from _walk(path, PurePath(path.name or path.resolve().name), place)
        return
    check_file(path, max_bytes=_LIMITS.max_archive_bytes)
    folder = _Folder(PurePath(""), [(path.name, path)], path.parent)
    yield from _scan_files(folder, place, depth=0, alone=True)


def _walk(path: Path, name: PurePath, place: _Scratch) -> Iterator[FoundFile]:
    """A folder on disk: its own files, then its subfolders, each in the order of names."""
    try:
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
    except OSError as error:
        reason = f"the folder cannot be read ({error.strerror})"
        yield FoundFile(path, "unknown", name.name, reason=reason)
        return
    files, folders = [], []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        else:
            files.append((entry.name, Path(entry.path)))
    if folders and _is_one_study(path):
        yield _found_dicom(path, name)
        files = [(file, at) for file, at in files if not is_dicom_head(_head(at))]
        folders = [folder for folder in folders if not _studies(path / folder, set())]
    yield from _scan_files(_Folder(name, files, path), place, depth=0)
    for folder in folders:
        yield from _walk(path / folder, name / folder, place)
