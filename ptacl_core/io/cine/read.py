"""One door for every cine: a folder, an archive or a file → CineRecord."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePath

from ptacl_core.errors import RecordError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.cine.acdc_info import add_stated_facts, refuse_frame
from ptacl_core.io.cine.arrays import CineHints, read_array_cine
from ptacl_core.io.cine.dicom.read import is_dicom, read_dicom_cine
from ptacl_core.io.cine.ismrmrd import HDF5_MAGIC, read_ismrmrd_cine
from ptacl_core.io.cine.nifti import read_nifti_cine
from ptacl_core.io.cine.nifti_header import is_nifti
from ptacl_core.io.cine.nifti_sets import find_nifti_set, read_nifti_set
from ptacl_core.io.cine.raw_images import is_raw_image, read_raw_image
from ptacl_core.io.ecg.arrays.hdf5 import list_datasets, open_hdf5
from ptacl_core.io.ecg.detection import detect_ecg_format
from ptacl_core.io.files.archive import (
    ArchiveBudget,
    ArchiveLimits,
    ExtractedFile,
    extract_archive,
    is_zip,
)
from ptacl_core.io.files.bounded_file import check_file, shown_name
from ptacl_core.io.files.dicom_sniffing import is_dicom_head
from ptacl_core.io.files.file_source import FileSource
from ptacl_core.records import CineRecord, Finding

MAX_FOLDER_FILES = 100_000
_HEAD_BYTES = 1024
_SHORT_AXIS_STEM = "sa"
_READ_FORMATS = "folder or zip of DICOM files, enhanced DICOM, NIfTI, NRRD, MHA, NPY or NPZ"


def read_cine(
    path: str | Path,
    *,
    axes: str | None = None,
    spacing_mm: Sequence[float] | None = None,
    frame_interval_ms: float | None = None,
    array_name: str | None = None,
    end_diastole: int | None = None,
    end_systole: int | None = None,
) -> CineRecord:
    """The short-axis cine stack at `path`: raw float32 [slice, frame, height, width].

    The format is found by content. Slices are ordered along the stack, frames by time from the
    R-wave trigger; nothing is resampled or normalised. What was left out, missing, repeated or
    looks wrong is in `findings`.

    Args:
        path: A folder or zip (zips inside it too) of DICOM files, one enhanced DICOM file, a
            NIfTI file or a folder with `sa.nii.gz` (`seg_sa.nii.gz` beside it becomes
            `segmentation`) or with one file per slice or moment, NRRD, MHA, ISMRMRD images, NPY
            or NPZ.
        axes: Of an NPY or NPZ array, one letter per axis of Z (slice), T (frame), Y (row), X
            (column): "ZTYX", "TYX". Never guessed; the keys may also stand in `<file>.json`.
        spacing_mm: Of an array: (slice, row, column) or (row, column).
        frame_interval_ms: Of an array: time between frames.
        array_name: Which array of an NPZ.
        end_diastole: The frame (from 0) that a data set's table states, as M&Ms does; one that
            the cine does not have is a finding.
        end_systole: The same for end-systole.

    Raises:
        UnreadableFileError: missing, empty, cut short or damaged.
        UnsupportedFormatError: another kind of file, or no short-axis cine in it.
        MissingUnitError: axes or pixel size neither in the file nor given.
    """
    source = Path(path)
    hints = CineHints(axes, spacing_mm, frame_interval_ms, array_name)
    try:
        if source.is_dir():
            record = _read_folder(source)
        else:
            check_file(source, max_bytes=ArchiveLimits().max_archive_bytes)
            record = _read_file(source, hints)
    except (OSError, ValueError) as error:  # a path or disk that fails on the way
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise UnreadableFileError(
            f"{shown_name(source)}: the path cannot be read ({reason}); check its name and rights"
        ) from error
    stated = {"end_diastole": end_diastole, "end_systole": end_systole}
    given = {name: frame for name, frame in stated.items() if frame is not None}
    num_frames = record.frames.shape[1]
    possible = {name: frame for name, frame in given.items() if 0 <= frame < num_frames}
    findings = [
        refuse_frame(name, frame, num_frames)
        for name, frame in given.items()
        if name not in possible
    ]
    if not given:
        return record
    return replace(record, **possible, findings=(*record.findings, *findings))


def _read_file(source: Path, hints: CineHints) -> CineRecord:
    with source.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if is_dicom_head(head):
        return _read_dicom([source], shown_name(source))
    if is_nifti(head):
        beside = source.with_name(f"seg_{source.name}")
        record = read_nifti_cine(source, segmentation_path=beside if beside.is_file() else None)
        return add_stated_facts(record, source)
    if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK\3\4") and b".npy" in head[:256]):
        return read_array_cine(source, hints)
    if is_raw_image(head):
        return read_raw_image(
            source, spacing_mm=hints.spacing_mm, frame_interval_ms=hints.frame_interval_ms
        )
    if head.startswith(HDF5_MAGIC) and not _is_ecg(source):
        return read_ismrmrd_cine(source)
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
            assert isinstance(file.path, Path)  # the folder's own files
            if is_zip(file.path) and file.path.suffix.lower() != ".npz":
                unpacked += extract_archive(file.path, Path(scratch), budget=budget)
            else:
                unpacked.append(file)
        return _read_files(unpacked, shown_name(folder))


def _read_files(files: Sequence[ExtractedFile], shown: str) -> CineRecord:
    """The cine among the files of one folder or archive."""
    volumes = [
        (file.path, file.name)
        for file in files
        if isinstance(file.path, Path) and _nifti_stem(file) is not None
    ]
    stacks = [volume for volume in volumes if _stem_of(volume[1]) == _SHORT_AXIS_STEM]
    if len(stacks) > 1:
        raise UnsupportedFormatError(
            f"{shown}: expected one {_SHORT_AXIS_STEM}.nii.gz, found {len(stacks)}; give the "
            "folder of one examination"
        )
    if stacks:
        path, name = stacks[0]
        beside = [
            other
            for other, other_name in volumes
            if _stem_of(other_name) == f"seg_{_SHORT_AXIS_STEM}"
            and PurePath(other_name).parent == PurePath(name).parent
        ]
        return read_nifti_cine(path, segmentation_path=next(iter(beside), None))
    dicom = [file for file in files if is_dicom(file.path)]
    if dicom:
        return _read_dicom_files(files, dicom, shown)
    if len(volumes) == 1:
        return add_stated_facts(read_nifti_cine(volumes[0][0]), volumes[0][0])
    if parts := find_nifti_set(volumes):
        with _named(shown):
            return read_nifti_set(parts)
    what_lies_there = f"{len(volumes)} NIfTI files of other names" if volumes else "neither"
    raise UnsupportedFormatError(
        f"{shown}: expected DICOM files of a short-axis cine or {_SHORT_AXIS_STEM}.nii.gz, found "
        f"{what_lies_there} among {len(files)} files; give the folder or archive that holds the "
        "series"
    )


def _read_dicom_files(
    files: Sequence[ExtractedFile], dicom: Sequence[ExtractedFile], shown: str
) -> CineRecord:
    used = {id(file) for file in dicom}
    record = _read_dicom([file.path for file in dicom], shown)
    strays = [file for file in files if not _is_companion(file) and id(file) not in used]
    if not strays:
        return record
    stray = Finding("other_files", "info", f"{len(strays)} files that are not DICOM were left out")
    return replace(record, findings=(*record.findings, stray))


def _read_dicom(paths: Sequence[FileSource], shown: str) -> CineRecord:
    with _named(shown):
        return read_dicom_cine(paths)


@contextmanager
def _named(shown: str) -> Iterator[None]:
    """Put the name of the folder or archive before what a reader of its files says."""
    try:
        yield
    except RecordError as error:
        raise type(error)(f"{shown}: {error}") from error


def _is_ecg(source: Path) -> bool:
    """Whether HDF5 arrays are laid out as an ECG batch (shape or names say so)."""
    with open_hdf5(source) as file:
        datasets = list_datasets(file, shown_name(source))
    return not any(key.endswith("/data") and "image" in key for key in datasets)


def _stem_of(name: str) -> str:
    return PurePath(name).name.lower().removesuffix(".gz").removesuffix(".nii")


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
