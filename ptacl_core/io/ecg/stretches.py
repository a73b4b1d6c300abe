"""Recordings with gaps: the longest stretch of 12 leads without one."""

from collections.abc import Sequence
from dataclasses import dataclass

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.records import Finding

MIN_STRETCH_S = 10.0
"""What an encoder takes; a recording that is cut into shorter pieces is of no use."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples without a gap: where they start within the recording, and how many there are."""

    start_sample: float
    num_samples: int

    @property
    def stop_sample(self) -> float:
        """One past the last sample."""
        return self.start_sample + self.num_samples


def find_longest_stretch(pieces: Sequence[Piece]) -> range:
    """The indices of consecutive pieces that touch (within half a sample) and last longest."""
    best = range(0)
    best_samples = 0
    first = 0
    for index in range(1, len(pieces) + 1):
        if index < len(pieces) and _touch(pieces[index - 1], pieces[index]):
            continue
        num_samples = sum(piece.num_samples for piece in pieces[first:index])
        if num_samples > best_samples:
            best, best_samples = range(first, index), num_samples
        first = index
    return best


def describe_stretch(
    name: str, *, start_sample: float, num_samples: int, sampling_rate_hz: float
) -> Finding:
    """The `gap_cut` warning for a stretch taken out of a recording with gaps.

    Raises UnsupportedFormatError when it is shorter than `MIN_STRETCH_S`.
    """
    duration_s = num_samples / sampling_rate_hz
    if num_samples + 0.5 < MIN_STRETCH_S * sampling_rate_hz:
        raise UnsupportedFormatError(
            f"{name}: the recording has gaps, and its longest stretch of 12 leads without one "
            f"lasts {duration_s:.1f} s; {MIN_STRETCH_S:g} s are needed"
        )
    return Finding(
        "gap_cut",
        "warning",
        f"the recording has gaps; its longest stretch without one was taken, {duration_s:.1f} s "
        f"from {start_sample / sampling_rate_hz:.1f} s on",
    )


def _touch(before: Piece, after: Piece) -> bool:
    return abs(after.start_sample - before.stop_sample) <= 0.5
