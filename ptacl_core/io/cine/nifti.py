"""NIfTI → CineRecord, with the segmentation beside it when there is one."""

import math
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, UInt8
from ptacl_core.errors import MissingUnitError, RecordError, UnsupportedFormatError
from ptacl_core.io.cine.nifti_header import NiftiHeader, read_nifti
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.records import CineRecord, Finding

_PLAUSIBLE_INTERVAL_MS = (5.0, 200.0)
_PLAUSIBLE_SLICE_MM = (3.0, 20.0)
_MAX_STACK_MM = 200.0
_LONG_STACK_MM = 170.0
_MIN_CINE_FRAMES = 15
_MAX_LABEL = 3


def read_nifti_cine(path: Path, *, segmentation_path: Path | None = None) -> CineRecord:
    """The cine in a NIfTI file: (X,Y,Z,T), (X,Y,1,T) or (X,Y,T), X along image columns.

    The time between frames is `pixdim` in the header's unit where that is plausible for a heart
    beat, else in the unit that is (s or ms), else unknown (NaN, a finding). `segmentation_path`
    is a NIfTI file of the same sizes with labels 1 LV cavity, 2 myocardium, 3 RV cavity.

    Raises UnreadableFileError, UnsupportedFormatError (a still volume, colour),
    MissingUnitError (no pixel size).
    """
    findings: list[Finding] = []
    header, voxels = read_nifti(path)
    stored, spacing, interval = _arrange(header, voxels, shown_name(path), findings)
    frames = np.empty(stored.shape, dtype=np.float32)
    is_scaled = header.slope != 1.0 or header.intercept != 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is counted below
        for index, volume in enumerate(stored):
            frames[index] = volume * header.slope + header.intercept if is_scaled else volume
    num_bad = int(frames.size - np.isfinite(frames).sum())
    if num_bad:
        findings.append(
            Finding("non_finite_pixels", "warning", f"{num_bad} pixels are not finite numbers")
        )
    interval_ms = _interval_ms(header, interval, findings)
    segmentation = _read_segmentation(segmentation_path, stored.shape, findings)
    times_ms = np.arange(stored.shape[1], dtype=np.float64) * interval_ms
    return CineRecord(frames, spacing, times_ms, "nifti", tuple(findings), segmentation)


def _arrange(
    header: NiftiHeader, voxels: np.ndarray, shown: str, findings: list[Finding]
) -> tuple[np.ndarray, tuple[float, float, float], float]:
    """Voxels as [slice, frame, row, column], spacing (slice, row, column) mm, frame `pixdim`."""
    sizes = header.shape
    steps = [*map(abs, header.pixdim), 0.0, 0.0, 0.0, 0.0]
    columns, rows, num_slices, num_frames, num_volumes = (*sizes, 1, 1, 1, 1)[:5]
    if len(sizes) < 2 or math.prod(sizes[5:]) != 1 or (num_frames > 1 and num_volumes > 1):
        raise UnsupportedFormatError(
            f"{shown}: expected axes (X, Y, Z, T), found sizes {sizes}; save the cine alone"
        )
    column_mm, row_mm, slice_mm = (step * header.mm_per_unit for step in steps[:3])
    interval = steps[3]
    if num_volumes > 1:  # (X, Y, Z, 1, T)
        num_frames, interval = num_volumes, steps[4]
    elif num_frames == 1 and num_slices > 1 and _is_time(num_slices, slice_mm):
        findings.append(
            Finding(
                "third_axis_is_time",
                "warning",
                f"the third of three axes ({num_slices} long, step {slice_mm:g}) was taken as "
                "time, it is not a stack of short-axis slices",
            )
        )
        interval = steps[3] if len(sizes) > 3 and steps[3] > 0 else steps[2]
        num_slices, num_frames, slice_mm = 1, num_slices, math.nan
    elif _are_exchanged(num_slices, num_frames, slice_mm):
        findings.append(
            Finding(
                "axes_exchanged",
                "warning",
                f"{num_slices} slices of {slice_mm:g} mm with {num_frames} frames are not a heart: "
                "the third axis was taken as time, the fourth as slices",
            )
        )
        stored = voxels.reshape(num_frames, num_slices, rows, columns)
        return stored, (slice_mm, row_mm, column_mm), interval
    if num_frames == 1:
        raise UnsupportedFormatError(
            f"{shown}: expected a cine with axes (X, Y, Z, T), found a still volume of sizes "
            f"{sizes}; one slice over time is saved as (X, Y, 1, T)"
        )
    if not all(math.isfinite(step) and step > 0 for step in (row_mm, column_mm)):
        raise MissingUnitError(
            f"{shown}: expected the pixel size in mm, the header gives {header.pixdim[:2]}; write "
            "pixdim again"
        )
    if not 0 < slice_mm < math.inf:
        slice_mm = math.nan
    stored = voxels.reshape(num_frames, num_slices, rows, columns).transpose(1, 0, 2, 3)
    return stored, (slice_mm, row_mm, column_mm), interval


def _is_time(length: int, step_mm: float) -> bool:
    """Whether a third axis cannot be slices: wrong step, or a stack longer than any heart."""
    smallest, largest = _PLAUSIBLE_SLICE_MM
    return not smallest <= step_mm <= largest or length * step_mm > _MAX_STACK_MM


def _are_exchanged(num_slices: int, num_frames: int, slice_mm: float) -> bool:
    """Whether slices and frames changed places: a stack as long as none, with hardly a frame."""
    is_long = num_slices >= _MIN_CINE_FRAMES and num_slices * slice_mm >= _LONG_STACK_MM
    return is_long and 1 < num_frames < _MIN_CINE_FRAMES


def _interval_ms(header: NiftiHeader, interval: float, findings: list[Finding]) -> float:
    smallest, largest = _PLAUSIBLE_INTERVAL_MS
    candidates = [unit for unit in (header.ms_per_time_unit, 1000.0, 1.0) if unit is not None]
    for ms_per_unit in candidates:
        if smallest <= interval * ms_per_unit <= largest:
            if header.ms_per_time_unit not in (None, ms_per_unit):
                findings.append(
                    Finding(
                        "time_unit_corrected",
                        "warning",
                        f"a frame interval of {interval:g} in the header's unit is not a "
                        f"heartbeat; it was taken as {interval * ms_per_unit:g} ms",
                    )
                )
            return interval * ms_per_unit
    findings.append(
        Finding(
            "frame_times_unknown",
            "warning",
            f"the header's frame interval ({interval:g}) is not a plausible time",
        )
    )
    return float("nan")


def _read_segmentation(
    path: Path | None, shape: tuple[int, ...], findings: list[Finding]
) -> UInt8[Array, "slice frame height width"] | None:
    if path is None:
        return None
    try:
        header, voxels = read_nifti(path)
    except RecordError:
        findings.append(
            Finding("segmentation_unusable", "warning", "the segmentation beside it is damaged")
        )
        return None
    num_slices, num_frames, rows, columns = shape
    labels = voxels * header.slope + header.intercept
    reason = None
    if labels.size == num_slices * num_frames * rows * columns and header.shape[:2] == (
        columns,
        rows,
    ):
        labels = labels.reshape(num_frames, num_slices, rows, columns).transpose(1, 0, 2, 3)
    else:
        reason = f"its sizes {header.shape} are not the cine's"
    if reason is None and not np.isin(labels, np.arange(_MAX_LABEL + 1)).all():
        reason = f"it has labels other than 0 to {_MAX_LABEL}"
    if reason is not None:
        findings.append(
            Finding("segmentation_unusable", "warning", f"the segmentation was left out: {reason}")
        )
        return None
    return labels.astype(np.uint8)
