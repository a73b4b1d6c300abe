"""One door for every cine: a folder, an archive or a file → CineRecord."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from ptacl_core.errors import RecordError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.cine.arrays import CineHints, read_array_cine
from ptacl_core.io.cine.dicom.read import is_dicom, read_dicom_cine
from ptacl_core.io.cine.nifti import read_nifti_cine
from ptacl_core.io.cine.nifti_header import is_nifti
from ptacl_core.io.ecg.detection import detect_ecg_format
from ptacl_core.io.files.archive import (
    ArchiveBudget,
    ArchiveLimits,
    ExtractedFile,
    extract_archive,
    is_zip,
)
from ptacl_core.io.files.bounded_file import check_file, shown_name
from ptacl_core.records import CineRecord, Finding

MAX_FOLDER_FILES = 100_000
_HEAD_BYTES = 1024
_SHORT_AXIS_STEM = "sa"
_READ_FORMATS = "folder or zip of DICOM files, enhanced DICOM, NIfTI, NPY or NPZ"


def read_cine(
    path: str | Path,
    *,
    axes: str | None = None,
    spacing_mm: Sequence[float] | None = None,
    frame_interval_ms: float | None = None,
    array_name: str | None = None,
) -> CineRecord:
    """The short-axis cine stack at `path`: raw float32 [slice, frame, height, width].

    The format is found by content. Slices are ordered along the stack, frames by time from the
    R-wave trigger; nothing is resampled or normalised. What was left out, missing, repeated or
    looks wrong is in `findings`.

    Args:
        path: A folder or zip (zips inside it too) of DICOM files, one enhanced DICOM file, a
            NIfTI file or a folder with `sa.nii.gz` (`seg_sa.nii.gz` beside it becomes
            `segmentation`), NPY or NPZ.
        axes: Of an NPY or NPZ array, one letter per axis of Z (slice), T (frame), Y (row), X
            (column): "ZTYX", "TYX". Never guessed; the keys may also stand in `<file>.json`.
        spacing_mm: Of an array: (slice, row, column) or (row, column).
        frame_interval_ms: Of an array: time between frames.
        array_name: Which array of an NPZ.

    Raises:
        UnreadableFileError: missing, empty, cut short or damaged.
        UnsupportedFormatError: another kind of file, or no short-axis cine in it.
        MissingUnitError: axes or pixel size neither in the file nor given.
    """
    source = Path(path)
    hints = CineHints(axes, spacing_mm, frame_interval_ms, array_name)
    try:
        if source.is_dir():
            return _read_folder(source)
        check_file(source, max_bytes=ArchiveLimits().max_archive_bytes)
        return _read_file(source, hints)
    except (OSError, ValueError) as error:  # a path or disk that fails on the way
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise UnreadableFileError(
            f"{shown_name(source)}: the path cannot be read ({reason}); check its name and rights"
        ) from error


def _read_file(source: Path, hints: CineHints) -> CineRecord:
    with source.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if head[128:132] == b"DICM":
        return _read_dicom([source], shown_name(source))
    if is_nifti(head):
        beside = source.with_name(f"seg_{source.name}")
        return read_nifti_cine(source, segmentation_path=beside if beside.is_file() else None)
    if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK\3\4") and b".npy" in head[:256]):
        return read_array_cine(source, hints)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        with tempfile.TemporaryDirectory(prefix="ptacl-cine-") as scratch:
            return _read_files(extract_archive(source, Path(scratch)), shown_name(source))
    raise UnsupportedFormatError(
        f"{shown_name(source)}: expected a short-axis cine ({_READ_FORMATS}), found "
        f"{_describe(source)}"
    )


def _read_folder(folder: Path) -> CineRecord:
    """The cine in a folder: its NIfTI, or all DICOM files under it, zips unpacked."""
    files: list[ExtractedFile] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file():  # no devices, pipes, dead links
                files.append(ExtractedFile(path, str(path.relative_to(folder))))
        if len(files) > MAX_FOLDER_FILES:
            raise UnsupportedFormatError(
                f"{shown_name(folder)}: the folder holds more than {MAX_FOLDER_FILES} files; give "
                "the folder of one examination"
            )
    with tempfile.TemporaryDirectory(prefix="ptacl-cine-") as scratch:
        budget = ArchiveBudget(ArchiveLimits(), 0)
        unpacked: list[ExtractedFile] = []
        for file in files:
            if is_zip(file.path) and file.path.suffix.lower() != ".npz":
                unpacked += extract_archive(file.path, Path(scratch), budget=budget)
            else:
                unpacked.append(file)
        return _read_files(unpacked, shown_name(folder))


def _read_files(files: Sequence[ExtractedFile], shown: str) -> CineRecord:
    """The cine among the files of one folder or archive."""
    stacks = [file for file in files if _nifti_stem(file) == _SHORT_AXIS_STEM]
    if len(stacks) > 1:
        raise UnsupportedFormatError(
            f"{shown}: expected one {_SHORT_AXIS_STEM}.nii.gz, found {len(stacks)}; give the "
            "folder of one examination"
        )
    if stacks:
        parent = PurePath(stacks[0].name).parent
        beside = [
            file.path
            for file in files
            if _nifti_stem(file) == f"seg_{_SHORT_AXIS_STEM}"
            and PurePath(file.name).parent == parent
        ]
        return read_nifti_cine(stacks[0].path, segmentation_path=next(iter(beside), None))
    dicom = [file for file in files if is_dicom(file.path)]
    volumes = [file.path for file in files if _nifti_stem(file) is not None]
    if dicom:
        used = {file.path for file in dicom}
        record = _read_dicom([file.path for file in dicom], shown)
        strays = [file for file in files if not _is_companion(file) and file.path not in used]
        if not strays:
            return record
        stray = Finding(
            "other_files", "info", f"{len(strays)} files that are no DICOM were left out"
        )
        return replace(record, findings=(*record.findings, stray))
    if len(volumes) == 1:
        return read_nifti_cine(volumes[0])
    found = f"{len(volumes)} NIfTI files of other names" if volumes else "neither"
    raise UnsupportedFormatError(
        f"{shown}: expected DICOM files of a short-axis cine or {_SHORT_AXIS_STEM}.nii.gz, found "
        f"{found} among {len(files)} files; give the folder or archive that holds the series"
    )


def _read_dicom(paths: Sequence[Path], shown: str) -> CineRecord:
    try:
        return read_dicom_cine(paths)
    except RecordError as error:
        raise type(error)(f"{shown}: {error}") from error


def _nifti_stem(file: ExtractedFile) -> str | None:
    """The name without `.nii` or `.nii.gz`; None for other names."""
    name = PurePath(file.name).name.lower().removesuffix(".gz")
    return name.removesuffix(".nii") if name.endswith(".nii") else None


def _is_companion(file: ExtractedFile) -> bool:
    """Lists that UK Biobank (misspelt at first) and exports put beside the images."""
    return PurePath(file.name).name.lower() in {"manifest.csv", "manifest.cvs", "dicomdir"}


def _describe(source: Path) -> str:
    try:
        kind = detect_ecg_format(source)
    except RecordError:
        return "a file of another kind"
    if kind in {"csv", "parquet", "hdf5"}:
        return f"a table or ECG ({kind}); an ECG is read with read_ecg"
    return f"an ECG ({kind}); read it with read_ecg"
