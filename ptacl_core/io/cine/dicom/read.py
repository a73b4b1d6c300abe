"""DICOM files of one examination → CineRecord: chosen, sorted, gated, then read."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64
from ptacl_core.errors import RecordError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.cine.dicom.beats import cut_to_one_beat
from ptacl_core.io.cine.dicom.header import ImageHeader, read_headers
from ptacl_core.io.cine.dicom.pixels import load_images
from ptacl_core.io.cine.dicom.selection import select_short_axis
from ptacl_core.io.cine.dicom.sorting import MAX_MISSING_FRACTION, SortedStack, sort_stack
from ptacl_core.io.files.dicom_sniffing import is_dicom_head
from ptacl_core.io.files.file_source import FileSource, read_part
from ptacl_core.records import CineRecord, Finding

MAX_PIXELS = 2**27
"""Pixels of a whole cine, 512 MB as float32 (UK Biobank: a sixth of it)."""
_PROSPECTIVE_FRACTION = 0.9
_SPACING_TOLERANCE = 0.1
_FRAME_INTERVALS_MS = (5.0, 150.0)


def is_dicom(source: FileSource) -> bool:
    """Whether the file is DICOM by its first bytes, with preamble or bare. Raises OSError."""
    return is_dicom_head(bytes(read_part(source, 0, 256)))


def read_dicom_cine(paths: Sequence[FileSource]) -> CineRecord:
    """The short-axis cine among the DICOM files `paths`, in any order.

    Slices ascend along the plane's normal (row × column direction), frames by time from the
    R-wave trigger. Files that are damaged, missing, repeated or of other series are findings.
    Raises UnreadableFileError when too little can be read, UnsupportedFormatError when there is no
    short-axis cine or its coding is not read.
    """
    headers, findings = _read_all_headers(paths)
    chosen, remarks = select_short_axis(headers)
    stack = sort_stack(chosen)
    findings += [*remarks, *stack.findings]
    frames, is_missing = _load_frames(stack)
    kept = np.flatnonzero(is_missing.mean(axis=1) <= _allowed_missing(frames.shape[1]))
    if not kept.size:
        raise UnreadableFileError(
            f"expected pixels of {is_missing.size} images, {int(is_missing.sum())} cannot be read "
            "or decoded; copy the files again or export them uncompressed"
        )
    if len(kept) < len(frames):
        findings.append(
            Finding(
                "unreadable_slices",
                "warning",
                f"{len(frames) - len(kept)} of {len(frames)} slices were left out, their pixels "
                "cannot be read",
            )
        )
        frames, is_missing = frames[kept], is_missing[kept]
    grid = [stack.grid[index] for index in kept]
    _repeat_previous(frames, is_missing, findings)
    images = [image for row in grid for image in row if image is not None]
    middle = grid[len(grid) // 2]
    frame_times_ms = _frame_times_ms(middle, findings)
    rr_intervals_ms = [image.nominal_interval_ms for image in images if image.nominal_interval_ms]
    frames, frame_times_ms = cut_to_one_beat(
        frames,
        frame_times_ms,
        rr_interval_ms=float(np.median(rr_intervals_ms)) if rr_intervals_ms else None,
        findings=findings,
    )
    _report_gating(images, frame_times_ms, findings)
    _report_variants(images, findings)
    spacing_mm = (_slice_spacing_mm(stack, kept, images, findings), *images[0].spacing_mm)
    if len(grid) == 1:
        findings.append(Finding("single_slice", "info", "the source holds one slice"))
    source_format = "dicom_enhanced" if images[0].is_enhanced else "dicom"
    return CineRecord(
        frames,
        spacing_mm,
        frame_times_ms,
        source_format,
        tuple(findings),
        person=images[0].person,
    )


def _read_all_headers(paths: Sequence[FileSource]) -> tuple[list[ImageHeader], list[Finding]]:
    headers: list[ImageHeader] = []
    faults: list[RecordError] = []
    num_others = 0
    for path in paths:
        try:
            read = read_headers(path)
        except RecordError as error:
            faults.append(error)
            continue
        headers += read
        num_others += not read
    if not headers and faults:
        raise type(faults[0])(
            f"expected MR images, none of {len(paths)} DICOM files can be used: {faults[0]}"
        )
    if not headers:
        raise UnsupportedFormatError(
            f"expected MR images, found {len(paths)} DICOM files of other kinds (an ECG waveform, "
            "CT, a report); give the short-axis MR series, or read an ECG with read_ecg"
        )
    findings = []
    if faults:
        findings.append(
            Finding(
                "unreadable_files",
                "warning",
                f"{len(faults)} of {len(paths)} DICOM files cannot be used, the first because: "
                f"{faults[0]}",
            )
        )
    if num_others:
        findings.append(
            Finding("other_dicom_excluded", "info", f"{num_others} DICOM files are not MR images")
        )
    return headers, findings


def _allowed_missing(num_frames: int) -> float:
    return max(1, int(MAX_MISSING_FRACTION * num_frames)) / num_frames if num_frames > 1 else 0.0


def _load_frames(
    stack: SortedStack,
) -> tuple[Float32[Array, "slice frame height width"], Bool[Array, "slice frame"]]:
    flat = [image for row in stack.grid for image in row]
    present = [image for image in flat if image is not None]
    rows, columns = present[0].layout.rows, present[0].layout.columns
    if len(flat) * rows * columns > MAX_PIXELS:
        raise UnsupportedFormatError(
            f"the cine has {len(flat)} images of {rows} × {columns} pixels, more than "
            f"{MAX_PIXELS / 1e6:.0f} million pixels are not read; give one examination"
        )
    frames = np.zeros((len(flat), rows, columns), dtype=np.float32)
    is_missing = np.array([image is None for image in flat])
    places = np.flatnonzero(~is_missing)
    for place, pixels in zip(places, load_images(present), strict=True):
        if pixels is None:
            is_missing[place] = True
        else:
            frames[place] = pixels
    shape = len(stack.grid), len(stack.grid[0])
    return frames.reshape(*shape, rows, columns), is_missing.reshape(shape)


def _repeat_previous(
    frames: Float32[Array, "slice frame height width"],
    is_missing: Bool[Array, "slice frame"],
    findings: list[Finding],
) -> None:
    """Fill each missing frame with the one before it in the cycle, and say so."""
    if not is_missing.any():
        return
    for at_slice, at_frame in np.argwhere(is_missing):
        before = at_frame - 1
        while is_missing[at_slice, before]:
            before -= 1
        frames[at_slice, at_frame] = frames[at_slice, before]
    findings.append(
        Finding(
            "missing_frames",
            "warning",
            f"{int(is_missing.sum())} of {is_missing.size} images are missing or unreadable (in "
            f"{int(is_missing.any(axis=1).sum())} slices), the frame before was repeated",
        )
    )


def _frame_times_ms(
    row: Sequence[ImageHeader | None], findings: list[Finding]
) -> Float64[Array, " frame"]:
    """Time of each frame from the trigger: as stated, else from the frame or RR interval."""
    num_frames = len(row)
    ranks = np.arange(num_frames, dtype=np.float64)
    present = [image for image in row if image is not None]
    stated = np.array(
        [np.nan if image is None or image.trigger_ms is None else image.trigger_ms for image in row]
    )
    known = np.isfinite(stated)
    if known.sum() == len(present) and np.all(np.diff(stated[known]) > 0) and num_frames > 1:
        return np.interp(ranks, ranks[known], stated[known])
    frame_intervals_ms = [image.frame_interval_ms for image in present if image.frame_interval_ms]
    if frame_intervals_ms:
        return ranks * float(np.median(frame_intervals_ms))
    clock_ms = _clock_times_ms(row)
    if clock_ms is not None:
        return clock_ms
    rr_intervals_ms = [image.nominal_interval_ms for image in present if image.nominal_interval_ms]
    if rr_intervals_ms:
        rr_interval_ms = float(np.median(rr_intervals_ms))
        findings.append(
            Finding(
                "frame_times_from_rr",
                "info",
                f"no trigger times; {num_frames} frames were spread over the RR interval of "
                f"{rr_interval_ms:.0f} ms",
            )
        )
        return ranks * rr_interval_ms / num_frames
    findings.append(
        Finding("frame_times_unknown", "warning", "the source states no time between frames")
    )
    return np.full(num_frames, np.nan)


def _clock_times_ms(row: Sequence[ImageHeader | None]) -> Float64[Array, " frame"] | None:
    """Times since the first frame by the clock of each image, as real-time series have them.

    None unless the clock steps evenly by what a frame can take: images that a beat or a whole
    acquisition share one clock time with say nothing.
    """
    present = [image for image in row if image is not None]
    for name in ("acquisition_time", "content_time"):
        clock_s = [getattr(image, name) for image in present]
        if len(present) < max(len(row), 3) or None in clock_s:
            continue
        times_ms = 1000.0 * (np.array(clock_s, dtype=np.float64) - clock_s[0])
        steps_ms = np.diff(times_ms)
        smallest, largest = _FRAME_INTERVALS_MS
        is_even = steps_ms.max() <= 2 * np.median(steps_ms)
        if is_even and smallest <= steps_ms.min() and steps_ms.max() <= largest:
            return times_ms
    return None


def _report_gating(
    images: Sequence[ImageHeader], frame_times_ms: Float64[Array, " frame"], findings: list[Finding]
) -> None:
    """Prospective gating leaves out late diastole: frames × interval well below RR."""
    rr_intervals_ms = [image.nominal_interval_ms for image in images if image.nominal_interval_ms]
    if not rr_intervals_ms or len(frame_times_ms) < 2:
        return
    rr_interval_ms = float(np.median(rr_intervals_ms))
    covered_ms = float(len(frame_times_ms) * np.median(np.diff(frame_times_ms)))
    if covered_ms < _PROSPECTIVE_FRACTION * rr_interval_ms:
        findings.append(
            Finding(
                "prospective_gating",
                "warning",
                f"the frames cover {covered_ms:.0f} of {rr_interval_ms:.0f} ms of the heart beat, "
                "late diastole is missing",
            )
        )


def _report_variants(images: Sequence[ImageHeader], findings: list[Finding]) -> None:
    if any(image.layout.is_inverted for image in images):
        findings.append(
            Finding("inverted", "info", "MONOCHROME1 pixels were inverted, so that bright is high")
        )
    num_invalid = sum(not image.has_valid_uids for image in images)
    if num_invalid:
        findings.append(
            Finding("invalid_uids", "info", f"{num_invalid} images carry malformed UIDs")
        )


def _slice_spacing_mm(
    stack: SortedStack,
    kept: np.ndarray,
    images: Sequence[ImageHeader],
    findings: list[Finding],
) -> float:
    """Distance of the slices from their positions; of a single slice as stated, else NaN."""
    stated_mm = [image.slice_spacing_mm for image in images if image.slice_spacing_mm]
    if len(kept) == 1:
        thickness_mm = [image.slice_thickness_mm for image in images if image.slice_thickness_mm]
        values = stated_mm or thickness_mm
        return float(np.median(values)) if values else float("nan")
    spacing_mm = float(np.median(np.diff(stack.positions_mm[kept])))
    if stated_mm:
        said_mm = float(np.median(stated_mm))
        if abs(said_mm - spacing_mm) > _SPACING_TOLERANCE * spacing_mm:
            findings.append(
                Finding(
                    "slice_spacing_differs",
                    "info",
                    f"the slices lie {spacing_mm:.2f} mm apart, the header says {said_mm:.2f} mm",
                )
            )
    return spacing_mm
