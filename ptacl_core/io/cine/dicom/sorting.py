"""Images of one short-axis stack → a slice × frame grid, by geometry and time alone."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.cine.dicom.header import ImageHeader
from ptacl_core.io.cine.dicom.planes import cluster_positions, project_positions
from ptacl_core.records import Finding

MAX_MISSING_FRACTION = 0.1
_GAP_FACTOR = 1.5

_TimeKey = Callable[[ImageHeader], float | None]
_TIME_KEYS: tuple[tuple[str, _TimeKey], ...] = (
    ("trigger time", lambda header: header.trigger_ms),
    ("temporal position", lambda header: header.temporal_position),
    ("instance number", lambda header: header.instance_number),
    ("acquisition time", lambda header: header.acquisition_time),
    ("content time", lambda header: header.content_time),
)


@dataclass(frozen=True, slots=True)
class SortedStack:
    """Images by slice (along the stack) and frame (by time); None where a file is missing."""

    grid: list[list[ImageHeader | None]]
    positions_mm: Float64[Array, "slice"]
    findings: list[Finding]


def sort_stack(headers: Sequence[ImageHeader]) -> SortedStack:
    """Order `headers` (one plane, one matrix) by position along the normal, then by time.

    Frames are matched between slices by rank, never by trigger time, which differs with the heart
    rate (formats.md). Repeated acquisitions: the last whole one. A slice that lacks up to a
    tenth of its frames keeps its place with gaps; slices of another length are left out. Raises
    UnsupportedFormatError when nothing in the headers orders the frames.
    """
    findings: list[Finding] = []
    positions_mm = project_positions(headers)
    labels = cluster_positions(positions_mm)
    num_slices = int(labels.max()) + 1
    candidates = [
        _acquisitions(
            [header for header, label in zip(headers, labels, strict=True) if label == at]
        )
        for at in range(num_slices)
    ]
    num_frames = _usual_length(candidates)
    chosen, num_repeated = [], 0
    for acquisitions in candidates:
        whole = [images for images in acquisitions if len(images) == num_frames]
        num_repeated += len(acquisitions) > 1
        chosen.append((whole or [max(acquisitions, key=len)])[-1])
    if num_repeated:
        findings.append(
            Finding(
                "repeated_slices",
                "info",
                f"{num_repeated} slices were acquired more than once, the last whole one was taken",
            )
        )
    ordered, key_names = [], Counter()
    for images in chosen:
        key_name, in_time = _order_frames(images)
        key_names[key_name] += 1
        ordered.append(in_time)
    _report_time_key(key_names, num_slices, findings)
    grid, kept = _fill_grid(ordered, num_frames, findings)
    centres = np.array([float(np.median(positions_mm[labels == at])) for at in kept])
    _report_gaps(centres, findings)
    return SortedStack(grid, centres, findings)


def _acquisitions(images: list[ImageHeader]) -> list[list[ImageHeader]]:
    """The acquisitions of one slice, oldest first: by series, then by repeats within a series."""
    by_series: dict[tuple[int, str], list[ImageHeader]] = defaultdict(list)
    for image in images:
        by_series[image.series_number, image.series_uid].append(image)
    series = list(by_series.values())
    if all(len(members) == 1 for members in series):
        series = [images]  # one series per frame: together they are one acquisition
    series.sort(key=_age_key)
    return [acquisition for members in series for acquisition in _split_repeats(members)]


def _split_repeats(images: list[ImageHeader]) -> list[list[ImageHeader]]:
    """Split where several images claim the same time: each claims it once per acquisition."""
    for key in (_TIME_KEYS[0][1], _TIME_KEYS[1][1]):
        values = [key(image) for image in images]
        counts = Counter(values)
        if None in counts or not 1 < len(counts) < len(images):
            continue
        rounds: dict[int, list[ImageHeader]] = defaultdict(list)
        repeats: Counter[float | None] = Counter()
        for image in sorted(images, key=_recency):
            rounds[repeats[key(image)]].append(image)
            repeats[key(image)] += 1
        return [rounds[number] for number in sorted(rounds)]
    return [images]


def _recency(image: ImageHeader) -> tuple[float, float, float]:
    return (
        float(image.acquisition_number or 0),
        image.acquisition_time or 0.0,
        float(image.instance_number or 0),
    )


def _age_key(images: list[ImageHeader]) -> tuple[object, ...]:
    return (
        images[0].series_number,
        min(image.acquisition_time or 0.0 for image in images),
        images[0].series_uid,
    )


def _usual_length(candidates: list[list[list[ImageHeader]]]) -> int:
    """The number of frames that most slices have; of equally common ones the largest."""
    lengths = Counter(max(len(images) for images in acquisitions) for acquisitions in candidates)
    moving = {length: number for length, number in lengths.items() if length > 1} or lengths
    return max(moving, key=lambda length: (moving[length], length))


def _order_frames(images: list[ImageHeader]) -> tuple[str, list[ImageHeader]]:
    if len(images) == 1:
        return "", images
    for name, key in _TIME_KEYS:
        values = [key(image) for image in images]
        if None not in values and len(set(values)) == len(values):
            by_value = dict(zip(values, images, strict=True))
            return name, [by_value[value] for value in sorted(v for v in values if v is not None)]
    raise UnsupportedFormatError(
        "expected frames ordered by trigger time, temporal position, instance number or "
        "acquisition time, found none of them distinct; export the series again with its headers"
    )


def _report_time_key(key_names: Counter[str], num_slices: int, findings: list[Finding]) -> None:
    for name, number in sorted(key_names.items()):
        if name not in {"", "trigger time"}:
            findings.append(
                Finding(
                    "no_trigger_time",
                    "warning",
                    f"{number} of {num_slices} slices have no usable trigger times, their frames "
                    f"were ordered by {name}",
                )
            )


def _fill_grid(
    ordered: list[list[ImageHeader]], num_frames: int, findings: list[Finding]
) -> tuple[list[list[ImageHeader | None]], list[int]]:
    """Rows of `num_frames` with the slices they are; incomplete ones get gaps or are dropped."""
    offset = _usual_offset([images for images in ordered if len(images) == num_frames])
    grid: list[list[ImageHeader | None]] = []
    kept: list[int] = []
    dropped = []
    for index, images in enumerate(ordered):
        missing = num_frames - len(images)
        if missing == 0:
            grid.append(list(images))
        elif 0 < missing <= max(1, int(MAX_MISSING_FRACTION * num_frames)) and len(images) > 1:
            grid.append(_place_frames(images, num_frames, offset))
        else:
            dropped.append(len(images))
            continue
        kept.append(index)
    if dropped:
        counts = ", ".join(map(str, sorted(dropped)[:12]))
        findings.append(
            Finding(
                "odd_slices",
                "warning",
                f"{len(dropped)} slices with {counts} frames were left out, the others have "
                f"{num_frames}",
            )
        )
    return grid, kept


def _usual_offset(complete: list[list[ImageHeader]]) -> float:
    """First trigger time in frame intervals, over the complete slices."""
    offsets = []
    for images in complete:
        triggers_ms = _triggers_ms(images)
        if triggers_ms is not None:
            offsets.append(triggers_ms[0] / np.median(np.diff(triggers_ms)))
    return float(np.median(offsets)) if offsets else 0.0


def _place_frames(
    images: list[ImageHeader], num_frames: int, offset: float
) -> list[ImageHeader | None]:
    """Put the frames of an incomplete slice where their times, else their numbers, say."""
    places = np.arange(len(images))
    triggers_ms = _triggers_ms(images)
    numbers = np.array([image.instance_number or 0 for image in images], dtype=np.float64)
    if triggers_ms is not None:
        places = np.rint(triggers_ms / np.median(np.diff(triggers_ms)) - offset)
    elif len(set(numbers.tolist())) == len(images):
        places = np.rint((numbers - numbers[0]) / np.median(np.diff(numbers)))
    places = places.astype(np.int64)
    if len(set(places.tolist())) < len(images) or places.min() < 0 or places.max() >= num_frames:
        places = np.arange(len(images))
    row: list[ImageHeader | None] = [None] * num_frames
    for place, image in zip(places, images, strict=True):
        row[place] = image
    return row


def _triggers_ms(images: list[ImageHeader]) -> Float64[Array, " frame"] | None:
    values = [image.trigger_ms for image in images]
    if None in values or len(set(values)) < len(values) or len(values) < 2:
        return None
    return np.array(values, dtype=np.float64)


def _report_gaps(centres_mm: Float64[Array, "slice"], findings: list[Finding]) -> None:
    if len(centres_mm) < 3:
        return
    steps = np.diff(centres_mm)
    usual = float(np.median(steps))
    if np.any(steps > _GAP_FACTOR * usual):
        findings.append(
            Finding(
                "slice_gap",
                "warning",
                f"the slices lie {usual:.1f} mm apart with a gap of {steps.max():.1f} mm; a slice "
                "may be missing",
            )
        )
