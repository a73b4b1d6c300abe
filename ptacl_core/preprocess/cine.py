"""CineRecord → PreparedCine: the mid slice, the heart in the middle, 50 phases, [0, 1]."""

import math

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.config.preprocess import CineSettings
from ptacl_core.errors import ConfigError
from ptacl_core.preprocess.cavity import find_phases
from ptacl_core.preprocess.cine_resample import crop_frames, resample_cycle
from ptacl_core.preprocess.heart_centre import find_heart_centre, find_segmentation_centre
from ptacl_core.records import CineRecord, Finding, PreparedCine

_LEFT_VENTRICLE_LABELS = (1, 2)
_FEW_FRAMES = 12
_PLAUSIBLE_CYCLE_MS = (350.0, 2500.0)
_MUCH_PADDING = 0.25
_NEAR_CYCLE = 0.2
"""The cavity is nearly as large for a fifth of the cycle before the R wave."""


def prepare_cine(record: CineRecord, settings: CineSettings | None = None) -> PreparedCine:
    """One slice of `record` as the cine encoder takes it: float32 [50, 84, 84] in [0, 1].

    The middle slice (or the middle of those with left ventricle in the segmentation) is resampled
    to square pixels of `pixel_mm`, cut around the heart centre (given, from the segmentation, or
    found from movement) with zeros outside the image, resampled to 50 phases of the cycle, clipped
    at the upper percentile and min-max scaled over the whole sequence (method.md §2). End-diastole
    comes first: as the source states it, else frame 0, the one nearest the R wave, unless the
    largest cavity lies far from it.

    `findings` are those of the record and of this step; a cine that cannot be used carries a
    finding of severity "reject" and zeros.

    Raises ConfigError for a manual centre outside the image.
    """
    settings = settings or CineSettings()
    findings = list(record.findings)
    slice_index = _choose_slice(record, settings.slice_choice, findings)
    finite, num_bad = _finite_stack(record.frames)
    centre_px = _choose_centre(record, finite, slice_index, settings, findings)
    cine, timing = _put_end_diastole_first(record, finite[slice_index], centre_px, findings)
    step_px = _steps_px(record.spacing_mm, settings.pixel_mm, findings)
    cropped, padded = crop_frames(
        cine - cine.min(), centre_px=centre_px, step_px=step_px, size_px=settings.size_px
    )
    _report_padding(padded, findings)
    if num_bad:
        source = np.roll(record.frames[slice_index], -timing[0], axis=0)
        _report_non_finite(source, centre_px, step_px, settings, findings)
    _report_time(record, settings, findings)
    frames = np.zeros(cropped.shape)
    if len(cropped) >= 2:
        frames = _scale(cropped, settings, findings)
    if any(finding.severity == "reject" for finding in findings):
        frames = np.zeros((settings.num_frames, settings.size_px, settings.size_px))
    return PreparedCine(
        frames=frames.astype(np.float32),
        slice_index=slice_index,
        centre_px=centre_px,
        frame_interval_ms=_interval_ms(record, settings.num_frames),
        findings=tuple(findings),
        end_diastole_frame=timing[0],
        end_systole_phase=_to_phase(timing, len(cine), settings.num_frames),
    )


def _put_end_diastole_first(
    record: CineRecord,
    cine: Float32[Array, "frame height width"],
    centre_px: tuple[float, float],
    findings: list[Finding],
) -> tuple[Float32[Array, "frame height width"], tuple[int, int | None]]:
    """The cycle from end-diastole on; that frame and end-systole, in frames of the source.

    What the source states counts; else frame 0, the one at the R wave, as long as the largest
    cavity lies within `_NEAR_CYCLE` of it; else the frame of the largest cavity.
    """
    num_frames = len(cine)
    phases = None
    if num_frames > 1 and all(0 < value < math.inf for value in record.spacing_mm[1:]):
        spacing_mm = record.spacing_mm[1], record.spacing_mm[2]
        phases = find_phases(cine, centre_px=centre_px, spacing_mm=spacing_mm)
    stated = record.end_diastole
    first = 0 if stated is None else stated
    is_far = phases is not None and _apart(phases.end_diastole, first, num_frames) > _NEAR_CYCLE
    if phases is not None and is_far and stated is None:
        first = phases.end_diastole
        message = (
            f"the largest cavity is in frame {first} of {num_frames} (from 0), not near the first; "
            "the cycle was turned so that it comes first"
        )
        findings.append(Finding("end_diastole_moved", "warning", message))
    elif phases is not None and is_far:
        message = (
            f"the source states frame {first} of {num_frames} as end-diastole, the largest cavity "
            f"is in frame {phases.end_diastole}; the stated one was taken"
        )
        findings.append(Finding("end_diastole_disagrees", "warning", message))
    end_systole = phases.end_systole if phases is not None else None
    stated_es = record.end_systole
    if stated_es is not None:
        if end_systole is not None and _apart(end_systole, stated_es, num_frames) > _NEAR_CYCLE:
            message = (
                f"the source states frame {stated_es} of {num_frames} as end-systole, the smallest "
                f"cavity is in frame {end_systole}; the stated one was taken"
            )
            findings.append(Finding("end_systole_disagrees", "warning", message))
        end_systole = stated_es
    return np.roll(cine, -first, axis=0) if first else cine, (first, end_systole)


def _apart(frame: int, other: int, num_frames: int) -> float:
    """Distance of two frames on the closed cycle, in parts of it."""
    steps = abs(frame - other) % num_frames
    return min(steps, num_frames - steps) / num_frames


def _to_phase(timing: tuple[int, int | None], num_frames: int, num_phases: int) -> int | None:
    first, end_systole = timing
    if end_systole is None:
        return None
    return round((end_systole - first) % num_frames * num_phases / num_frames) % num_phases


def _choose_slice(record: CineRecord, choice: str, findings: list[Finding]) -> int:
    middle = len(record.frames) // 2
    if choice == "middle":
        return middle
    if record.segmentation is not None:
        has_ventricle = np.isin(record.segmentation, _LEFT_VENTRICLE_LABELS).any(axis=(1, 2, 3))
        bearing = np.flatnonzero(has_ventricle)
        if bearing.size:
            return int(bearing[bearing.size // 2])
    findings.append(
        Finding(
            "no_segmentation",
            "warning",
            "no left ventricle in a segmentation, the middle slice of the stack was taken",
        )
    )
    return middle


def _finite_stack(
    frames: Float32[Array, "slice frame height width"],
) -> tuple[Float32[Array, "slice frame height width"], int]:
    is_finite = np.isfinite(frames)
    num_bad = int(frames.size - is_finite.sum())
    if not num_bad:
        return frames, 0
    lowest = float(frames[is_finite].min()) if num_bad < frames.size else 0.0
    return np.where(is_finite, frames, np.float32(lowest)), num_bad


def _choose_centre(
    record: CineRecord,
    finite: Float32[Array, "slice frame height width"],
    slice_index: int,
    settings: CineSettings,
    findings: list[Finding],
) -> tuple[float, float]:
    """The heart centre (row, column) in source pixels: given, segmented, found, or the image's."""
    height, width = finite.shape[2:]
    if settings.centre_px is not None:
        row, column = settings.centre_px
        if not (0 <= row < height and 0 <= column < width):
            raise ConfigError(
                f"centre_px: expected a point (row, column) inside the image of {height} × {width} "
                f"pixels, got ({row:g}, {column:g})"
            )
        return row, column
    if record.segmentation is not None:
        centre_px = find_segmentation_centre(record.segmentation[slice_index])
        if centre_px is None:
            everything = record.segmentation.reshape(-1, height, width)
            centre_px = find_segmentation_centre(everything)
        if centre_px is not None:
            return centre_px
    spacing_mm = record.spacing_mm[1], record.spacing_mm[2]
    if all(0 < value < math.inf for value in spacing_mm):
        centre_px = find_heart_centre(finite, spacing_mm=spacing_mm)
        if centre_px is not None:
            return centre_px
    findings.append(
        Finding(
            "heart_not_found",
            "warning",
            "nothing in the images beats like a heart, the image centre was taken",
        )
    )
    return (height - 1) / 2, (width - 1) / 2


def _steps_px(
    spacing_mm: tuple[float, float, float], pixel_mm: float | None, findings: list[Finding]
) -> tuple[float, float]:
    """The new pixel size in source pixels, (row, column); (1, 1) keeps the source's."""
    if pixel_mm is None:
        return 1.0, 1.0
    if all(0 < value < math.inf for value in spacing_mm[1:]):
        return pixel_mm / spacing_mm[1], pixel_mm / spacing_mm[2]
    findings.append(
        Finding(
            "no_pixel_size",
            "reject",
            f"expected the pixel size in mm, the record has {spacing_mm[1:]}; give it, or set "
            "pixel_mm to none",
        )
    )
    return 1.0, 1.0


def _report_padding(padded: float, findings: list[Finding]) -> None:
    if padded > 0:
        severity = "warning" if padded > _MUCH_PADDING else "info"
        findings.append(
            Finding("padded", severity, f"{padded:.0%} of the window lie outside the image")
        )


def _report_non_finite(
    source: Float32[Array, "frame height width"],
    centre_px: tuple[float, float],
    step_px: tuple[float, float],
    settings: CineSettings,
    findings: list[Finding],
) -> None:
    """Reject when pixels that are not numbers lie in the window that is used."""
    window = np.where(np.isfinite(source), 0, 1).astype(np.float32)
    touched, _ = crop_frames(window, centre_px=centre_px, step_px=step_px, size_px=settings.size_px)
    num_touched = int((touched > 0).sum())
    if num_touched:
        findings.append(
            Finding(
                "not_finite",
                "reject",
                f"{num_touched} of {touched.size} pixels around the heart are not finite numbers",
            )
        )


def _report_time(record: CineRecord, settings: CineSettings, findings: list[Finding]) -> None:
    num_frames = record.frames.shape[1]
    if num_frames < 2:
        findings.append(
            Finding("still_image", "reject", "expected a cine, the record has one frame")
        )
        return
    if num_frames != settings.num_frames:
        findings.append(
            Finding(
                "frames_resampled",
                "warning" if num_frames < _FEW_FRAMES else "info",
                f"{num_frames} frames were resampled to {settings.num_frames} over the cycle",
            )
        )
    interval_ms = _interval_ms(record, settings.num_frames)
    smallest, largest = _PLAUSIBLE_CYCLE_MS
    if interval_ms is not None and not smallest <= interval_ms * settings.num_frames <= largest:
        findings.append(
            Finding(
                "implausible_cycle",
                "warning",
                f"the frames cover {interval_ms * settings.num_frames:.0f} ms, a heart beat lasts "
                f"{smallest:.0f} to {largest:.0f} ms",
            )
        )


def _interval_ms(record: CineRecord, num_frames: int) -> float | None:
    """Time between the resampled frames, None when the source does not state it."""
    times_ms = record.frame_times_ms
    if len(times_ms) < 2 or not np.isfinite(times_ms).all():
        return None
    interval_ms = float(np.median(np.diff(times_ms)))
    return interval_ms * len(times_ms) / num_frames if interval_ms > 0 else None


def _scale(
    cropped: Float64[Array, "frame height width"], settings: CineSettings, findings: list[Finding]
) -> Float64[Array, "phase height width"]:
    """50 phases, clipped and min-max scaled over the whole sequence; a flat one is rejected."""
    phases = resample_cycle(cropped, settings.num_frames)
    lowest = float(phases.min())
    highest = float(np.percentile(phases, settings.upper_percentile))
    if not highest > lowest:
        highest = float(phases.max())
    if not highest > lowest:
        findings.append(
            Finding("constant_image", "reject", "every pixel around the heart has the same value")
        )
        return np.zeros(phases.shape)
    if not np.ptp(cropped, axis=0).max() > 0:
        findings.append(Finding("no_movement", "warning", "all frames are the same image"))
    return np.clip((phases - lowest) / (highest - lowest), 0, 1)
