"""What SCP-ECG leaves out of the rhythm to save room, put back: reference beats and samples."""

import struct
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.errors import UnreadableFileError
from ptacl_core.io.ecg.scp.sections import short_reads

_MAX_BEATS = 10_000


@dataclass(frozen=True, slots=True)
class Beat:
    """Where the reference beat was subtracted: first, fiducial and last sample, from 1.

    Only beats of type 0 are like the reference beat.
    """

    beat_type: int
    start: int
    fiducial: int
    stop: int


@dataclass(frozen=True, slots=True)
class BeatPlan:
    """Section 4. `fiducial` is the reference beat's, in samples from 1.

    `protected`: first and last samples of the stretches stored without decimation.
    """

    reference_ms: int
    fiducial: int
    beats: tuple[Beat, ...]
    protected: tuple[tuple[int, int], ...]


def read_beat_plan(section: bytes, *, name: str) -> BeatPlan:
    """Section 4: reference beat, where it was subtracted, protected stretches (if any are listed).

    Raises UnreadableFileError when the section is cut short.
    """
    with short_reads(name, "section 4"):
        reference_ms, fiducial, count = struct.unpack_from("<HHH", section)
        if count > _MAX_BEATS:
            raise UnreadableFileError(f"{name}: SCP section 4 lists {count} beats; it is damaged")
        beats = [struct.unpack_from("<HIII", section, 6 + 14 * index) for index in range(count)]
    at = 6 + 14 * count
    protected: list[tuple[int, int]] = []
    if len(section) >= at + 8 * count:
        protected = [struct.unpack_from("<II", section, at + 8 * index) for index in range(count)]
    return BeatPlan(
        reference_ms,
        fiducial,
        tuple(Beat(*beat) for beat in beats),
        tuple((first, last) for first, last in protected if 0 < first <= last),
    )


def find_r_samples(
    plan: BeatPlan, *, first_sample: int, counted_hz: float, rate_hz: float
) -> Float64[Array, " beat"] | None:
    """The cart's beats in samples of the rhythm (from 0); None when section 4 lists none.

    `plan` counts samples from 1, at `counted_hz`, as section 3 does for the first of a lead.
    """
    places = sorted({beat.fiducial for beat in plan.beats if beat.fiducial > 0})
    if not places:
        return None
    return np.rint((np.array(places, np.float64) - first_sample) * (rate_hz / counted_hz))


def place_stored_samples(
    *, num_samples: int, first_sample: int, factor: int, protected: tuple[tuple[int, int], ...]
) -> tuple[Float64[Array, " stored"], Int64[Array, " stored"]]:
    """Where each stored sample lies among the lead's, and for how many of them it stands.

    Protected stretches (numbered as section 3 numbers samples, the lead's first being
    `first_sample`) are stored sample by sample; elsewhere each stored sample is the mean of
    `factor` samples and lies in their middle; the last of a stretch may stand for fewer.
    """
    is_protected = np.zeros(num_samples, bool)
    for first, last in protected:
        is_protected[max(first - first_sample, 0) : max(last - first_sample + 1, 0)] = True
    edges = np.flatnonzero(np.diff(is_protected.astype(np.int8))) + 1
    starts: list[Array] = []
    for begin, end in zip([0, *edges], [*edges, num_samples], strict=True):
        step = 1 if is_protected[begin] else factor
        starts.append(np.arange(begin, end, step))
    first_of_each = np.concatenate(starts)
    ends = np.append(first_of_each[1:], num_samples)
    return (first_of_each + ends - 1) / 2.0, ends - first_of_each


def add_reference_beats(
    samples: Float64[Array, " sample"],
    reference: Int64[Array, " beat_sample"],
    plan: BeatPlan,
    *,
    first_sample: int,
) -> None:
    """Add the reference beat wherever it was subtracted, in place."""
    for beat in plan.beats:
        if beat.beat_type != 0:
            continue
        offset = plan.fiducial - beat.fiducial - 1  # sample number -> index in the reference beat
        first = max(beat.start, first_sample, -offset)
        stop = min(beat.stop, first_sample + len(samples) - 1, len(reference) - 1 - offset) + 1
        if first < stop:
            target = slice(first - first_sample, stop - first_sample)
            samples[target] += reference[first + offset : stop + offset]
