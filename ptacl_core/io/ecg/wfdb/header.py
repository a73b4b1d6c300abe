"""Headers of WFDB records: signals, their storage and scale, and the segments of long records."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptacl_core.errors import RecordError, UnreadableFileError
from ptacl_core.io.files.bounded_file import read_bytes, read_head, shown_name

_MAX_HEADER_BYTES = 1024**2
_RECORD_LINE_BYTES = 1024
_MAX_SIGNALS = 1000
_MAX_SEGMENTS = 10_000
DEFAULT_GAIN = 200.0
"""Steps per mV of an uncalibrated signal, as the format's definition says."""

_FORMAT = re.compile(r"(\d{1,4})(?:x(\d{1,6}))?(?::(\d{1,9}))?(?:\+(\d{1,12}))?")
_GAIN = re.compile(r"([-+]?[0-9.]+(?:[eE][-+]?\d{1,3})?)(?:\((-?\d{1,12})(?:\.0*)?\))?(?:/(\S+))?")
_RATE = re.compile(r"([0-9.]+(?:[eE][-+]?\d{1,3})?)(?:/.*)?")


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One signal as its header line describes it."""

    file_name: str
    sample_format: int
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float
    baseline: int
    unit: str
    checksum: int | None
    description: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of a multi-segment record: another record beside it, or "~" for a gap."""

    record_name: str
    num_frames: int

    @property
    def is_gap(self) -> bool:
        """Whether nothing was recorded."""
        return self.record_name == "~"


@dataclass(frozen=True, slots=True)
class Header:
    """A record's header; `num_frames` None: to be taken from the signal file's size.

    A multi-segment record has `segments` and no signals of its own.
    """

    frame_rate_hz: float | None
    num_frames: int | None
    signals: tuple[SignalLine, ...]
    segments: tuple[Segment, ...] = ()


def read_header(path: Path) -> Header:
    """The header file `path`. Raises as `parse_header` and for files that cannot be read."""
    return parse_header(read_bytes(path, max_bytes=_MAX_HEADER_BYTES), name=shown_name(path))


def find_segment_headers(header_paths: Sequence[Path]) -> set[Path]:
    """Those of the `.hea` files of one folder that are segments of another one's record."""
    segments: set[Path] = set()
    for path in header_paths:
        try:
            head = read_head(path, num_bytes=_RECORD_LINE_BYTES)
            if not any(
                b"/" in words[0] for line in head.splitlines() if (words := line.split(None, 1))
            ):
                continue
            header = read_header(path)
        except RecordError:
            continue  # reading it tells why
        segments |= {path.with_name(f"{part.record_name}.hea") for part in header.segments}
    return segments


def parse_header(data: bytes, *, name: str) -> Header:
    """The header in `data`; comment lines (they may hold clinical text) are not kept.

    Raises UnreadableFileError for lines that do not parse or are missing.
    """
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    fields = lines[0].split() if lines else []
    if len(fields) < 2:
        raise UnreadableFileError(
            f"{name}: expected a WFDB header (name, number of signals, rate, samples), found none"
        )
    num_signals = _to_count(fields[1], name, "number of signals")
    if not 1 <= num_signals <= _MAX_SIGNALS:
        raise UnreadableFileError(
            f"{name}: expected 1 to {_MAX_SIGNALS} signals, the header says {num_signals}"
        )
    num_segments = _count_segments(fields[0], name)
    if num_segments is None and len(lines) - 1 < num_signals:
        raise UnreadableFileError(
            f"{name}: the header promises {num_signals} signals and describes {len(lines) - 1}; "
            "it is cut short"
        )
    rate_hz = None
    if len(fields) > 2:
        rate = _RATE.fullmatch(fields[2])
        rate_hz = _to_float(rate[1], name, "sampling rate") if rate else None
        if rate_hz is None:
            raise UnreadableFileError(f"{name}: the sampling rate in line 1 is not a number")
    num_frames = _to_count(fields[3], name, "number of samples") if len(fields) > 3 else 0
    if num_segments is not None:
        segments = _parse_segments(lines[1:], num_segments, name)
        return Header(rate_hz, num_frames or None, (), segments)
    signals = tuple(
        _parse_signal(line, name=name, number=number)
        for number, line in enumerate(lines[1 : num_signals + 1], start=1)
    )
    return Header(rate_hz, num_frames or None, signals)


def _count_segments(record_field: str, name: str) -> int | None:
    """The number after the slash of `name/segments`; None for a record that is one piece."""
    _, slash, count_text = record_field.partition("/")
    if not slash:
        return None
    count = _to_count(count_text, name, "number of segments")
    if not 1 <= count <= _MAX_SEGMENTS:
        raise UnreadableFileError(
            f"{name}: expected 1 to {_MAX_SEGMENTS} segments, the header says {count}"
        )
    return count


def _parse_segments(lines: list[str], count: int, name: str) -> tuple[Segment, ...]:
    if len(lines) < count:
        raise UnreadableFileError(
            f"{name}: the header promises {count} segments and lists {len(lines)}; it is cut short"
        )
    segments: list[Segment] = []
    for line in lines[:count]:
        record_name, _, length = line.partition(" ")
        segments.append(Segment(record_name, _to_count(length.strip(), name, "segment's length")))
    return tuple(segments)


def _parse_signal(line: str, *, name: str, number: int) -> SignalLine:
    fields = line.split(maxsplit=8)
    where = f"signal {number}"
    coding = _FORMAT.fullmatch(fields[1]) if len(fields) > 1 else None
    if coding is None:
        raise UnreadableFileError(
            f"{name}: expected a file name and a storage format for {where}, found neither"
        )
    gain, baseline, unit = DEFAULT_GAIN, None, "mV"
    if len(fields) > 2:
        scale = _GAIN.fullmatch(fields[2])
        if scale is None:
            raise UnreadableFileError(
                f"{name}: the gain of {where} is not a number of steps per unit"
            )
        gain = _to_float(scale[1], name, f"gain of {where}") or 0.0
        baseline = int(scale[2]) if scale[2] is not None else None
        unit = scale[3] or "mV"
    if baseline is None:
        baseline = _to_int(fields[4], name, f"ADC zero of {where}") if len(fields) > 4 else 0
    return SignalLine(
        file_name=fields[0],
        sample_format=int(coding[1]),
        samples_per_frame=int(coding[2] or 1),
        skew=int(coding[3] or 0),
        byte_offset=int(coding[4] or 0),
        gain=gain,
        baseline=baseline,
        unit=unit,
        checksum=_to_int(fields[6], name, f"checksum of {where}") if len(fields) > 6 else None,
        description=fields[8] if len(fields) > 8 else "",
    )


def _to_count(text: str, name: str, what: str) -> int:
    number = _to_int(text, name, what)
    if number < 0:
        raise UnreadableFileError(f"{name}: the {what} in the header is negative")
    return number


def _to_int(text: str, name: str, what: str) -> int:
    if re.fullmatch(r"[-+]?\d{1,18}", text) is None:
        raise UnreadableFileError(f"{name}: the {what} in the header is not a whole number")
    return int(text)


def _to_float(text: str, name: str, what: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UnreadableFileError(f"{name}: the {what} in the header is not a number") from error
