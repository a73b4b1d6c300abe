"""A cine in several NIfTI files: one per slice, or one volume per trigger time (dcm2niix)."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.cine.nifti import read_nifti_cine
from ptacl_core.io.cine.nifti_header import NiftiHeader, read_nifti, read_nifti_header
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import CineRecord, Finding

_LEFT_OUT = re.compile(
    r"(?<![a-z])(seg|gt|mask|label|la|lax|[234] ?ch|ed|es|lge|perf|tag|t1|t2)(?![a-z0-9])",
    re.IGNORECASE,
)
_TRIGGER_TIME = re.compile(r"_t(\d+)(?=$|_|\.)")
_NIFTI_NAME = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_SLICE_NAME = re.compile(
    r"((?:.*[ _.-])?(?:b|s|sl|slice|z|sax|sa|cine)[ _.-]?)(\d{1,2})", re.IGNORECASE
)
_SAME_MM = 0.5
_MIN_FRAMES = 4


@dataclass(frozen=True, slots=True)
class NiftiPart:
    """One file of a set: where it is, its name without ending, its header."""

    path: Path
    stem: str
    header: NiftiHeader


def find_nifti_set(files: Sequence[tuple[Path, str]]) -> list[NiftiPart]:
    """Those of the NIfTI `files` (path, name) that together are one cine; empty when none are.

    They share sizes and pixel size, and their names differ in their last number alone. Masks,
    long-axis views and other sequences are known by name and left out.
    """
    groups: dict[tuple[object, ...], list[NiftiPart]] = defaultdict(list)
    for path, name in files:
        stem = re.sub(r"\.nii(\.gz)?$", "", Path(name).name, flags=re.IGNORECASE)
        if _LEFT_OUT.search(stem.replace("_", " ")):
            continue
        header = read_nifti_header(path)
        shape = (*header.shape, 1, 1, 1)[:4]
        pattern = re.sub(r"\d+(?=\D*$)", "#", stem)
        pixel_mm = tuple(round(float(step), 3) for step in header.pixdim[:2])
        groups[pattern, shape, pixel_mm].append(NiftiPart(path, stem, header))
    sets = [parts for parts in groups.values() if len(parts) > 1 and _is_cine(parts)]
    return max(sets, key=len) if sets else []


def find_parts_of_folder(paths: Sequence[Path]) -> set[Path]:
    """The NIfTI files of one folder when all of them are one cine in parts; empty otherwise.

    Stricter than `find_nifti_set`, since the files of several people may lie in one folder: the
    last number must follow a word for a slice and run from 0 or 1 without a gap, or be a trigger
    time.
    """
    volumes = [path for path in paths if _NIFTI_NAME.search(path.name)]
    stems = [_NIFTI_NAME.sub("", path.name) for path in volumes]
    wanted = [
        (path, stem)
        for path, stem in zip(volumes, stems, strict=True)
        if not _LEFT_OUT.search(stem.replace("_", " "))
    ]
    matches = [_SLICE_NAME.fullmatch(stem) for _, stem in wanted]
    numbers = sorted(int(match[2]) for match in matches if match)
    first = min(numbers, default=-1)
    is_run = first in {0, 1} and numbers == list(range(first, first + len(wanted)))
    prefixes = {match[1] for match in matches if match}
    are_times = all(_TRIGGER_TIME.search(stem) for _, stem in wanted)
    if len(wanted) < 2 or not ((is_run and len(prefixes) == 1) or are_times):
        return set()
    parts = find_nifti_set([(path, path.name) for path, _ in wanted])
    return {path for path, _ in wanted} if len(parts) == len(wanted) else set()


def read_nifti_set(parts: Sequence[NiftiPart]) -> CineRecord:
    """The cine in the files of a set.

    Slices ascend along their normal where the files state positions, else in the order of the
    numbers in their names (`slices_by_name`). Raises as `read_nifti_cine`, and
    UnsupportedFormatError for slices of different planes.
    """
    if _frames_of(parts[0].header) > 1:
        return _join_slices(parts)
    return _join_frames(parts)


def _is_cine(parts: Sequence[NiftiPart]) -> bool:
    header = parts[0].header
    if _frames_of(header) > 1:
        return (*header.shape, 1, 1, 1)[2] == 1
    times = {_time_of(part) for part in parts}
    return None not in times and len(times) == len(parts) >= _MIN_FRAMES


def _frames_of(header: NiftiHeader) -> int:
    return (*header.shape, 1, 1, 1)[3]


def _time_of(part: NiftiPart) -> int | None:
    match = _TRIGGER_TIME.search(part.stem)
    return int(match[1]) if match else None


def _join_slices(parts: Sequence[NiftiPart]) -> CineRecord:
    affines = [_read_affine(part.path) for part in parts]
    normals = np.array([np.cross(affine[:3, 0], affine[:3, 1]) for affine in affines])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    if (np.abs(normals @ normals[0]) < np.cos(np.deg2rad(2))).any():
        raise UnsupportedFormatError(
            f"expected slices of one plane, found {len(parts)} NIfTI files in different planes; "
            "give those of the short axis"
        )
    positions = np.array([affine[:3, 3] for affine in affines]) @ normals[0]
    order = np.argsort(positions, kind="stable")
    steps = np.diff(positions[order])
    findings: list[Finding] = []
    if (steps < _SAME_MM).any():
        order = np.array(sorted(range(len(parts)), key=lambda index: _natural(parts[index].stem)))
        message = "the files do not state where their slices lie; the order is that of their names"
        findings.append(Finding("slices_by_name", "warning", message))
    records = [read_nifti_cine(parts[index].path) for index in order]
    first = records[0]
    slice_mm = first.spacing_mm[0] if findings else float(np.median(steps))
    findings.insert(0, Finding("slices_joined", "info", f"{len(parts)} files hold a slice each"))
    return replace(
        first,
        frames=np.concatenate([record.frames for record in records]),
        spacing_mm=(slice_mm, *first.spacing_mm[1:]),
        findings=(*findings, *first.findings),
    )


def _join_frames(parts: Sequence[NiftiPart]) -> CineRecord:
    ordered = sorted(parts, key=lambda part: _time_of(part) or 0)
    header = ordered[0].header
    columns, rows, num_slices = (*header.shape, 1)[:3]
    frames = np.empty((num_slices, len(parts), rows, columns), np.float32)
    for at, part in enumerate(ordered):
        own, voxels = read_nifti(part.path)
        frames[:, at] = voxels.reshape(num_slices, rows, columns) * own.slope + own.intercept
    column_mm, row_mm, slice_mm = (
        abs(float(step)) * header.mm_per_unit for step in (*header.pixdim, np.nan)[:3]
    )
    times_ms = np.array([_time_of(part) for part in ordered], dtype=np.float64)
    message = f"{len(parts)} files hold a moment each; their times were read from their names"
    findings = (Finding("frames_joined", "info", message),)
    return CineRecord(frames, (slice_mm, row_mm, column_mm), times_ms, "nifti", findings)


def _read_affine(path: Path) -> np.ndarray:
    import nibabel

    with library_faults(path.name, "NIfTI header"):
        return np.asarray(nibabel.load(path).affine, dtype=np.float64)  # pyright: ignore


def _natural(stem: str) -> list[tuple[int, str]]:
    """A key that sorts `b2` before `b10`."""
    pieces = re.findall(r"\d+|\D+", stem)
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]
