"""Where the waves of an ECG begin and end: beat by beat, and on the representative beat."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ptacl_core.arrays import Array, Float32

MARKS_RATE_HZ = 500.0
"""Rate at which every mark counts its samples."""

MARK_NAMES = ("p_onset", "p_offset", "qrs_onset", "qrs_offset", "t_peak", "t_end")
"""The marks of a beat, in the order in which they follow each other."""

REPRESENTATIVE_BEAT = -1
"""Number of the representative beat among an ECG's beats."""


@dataclass(frozen=True, slots=True)
class BeatMarks:
    """The marks of one beat, over all leads together, in samples at 500 Hz.

    On a recording they count from its first sample, on the representative beat from the first
    sample of that beat. A mark is None where the wave is absent or cannot be told.
    `beat_class` groups beats of one QRS shape: 0 is the class of the representative beat.
    """

    r_peak: int
    p_onset: int | None = None
    p_offset: int | None = None
    qrs_onset: int | None = None
    qrs_offset: int | None = None
    t_peak: int | None = None
    t_end: int | None = None
    beat_class: int = 0

    def at(self, name: str) -> int | None:
        """One mark by its name in `MARK_NAMES`."""
        value: int | None = getattr(self, name)
        return value

    def moved(self, **marks: int | None) -> "BeatMarks":
        """A copy with some marks elsewhere, as a person who drags them makes it."""
        values = {name: self.at(name) for name in MARK_NAMES} | marks
        return BeatMarks(r_peak=self.r_peak, beat_class=self.beat_class, **values)

    def as_dict(self) -> dict[str, int | None]:
        """R peak, class and marks as they stand in JSON documents."""
        marks = {name: self.at(name) for name in MARK_NAMES}
        return {"r_peak": self.r_peak, "beat_class": self.beat_class, **marks}


@dataclass(frozen=True, slots=True, eq=False)
class EcgMarks:
    """The marks of a recording: every beat, the representative beat, and why marks are absent.

    `representative_mv` is the average of the beats of class 0, in mV, with the level just before
    the QRS complex at 0; `representative` counts in its samples. `absent` names each mark that the
    representative beat lacks, with the reason in one sentence; `unsure` names each mark that
    another limit would put far elsewhere. `num_averaged` beats went into the average;
    `class_counts` says how many beats each class has.
    """

    beats: tuple[BeatMarks, ...]
    representative: BeatMarks | None
    representative_mv: Float32[Array, "12 sample"] | None
    num_averaged: int = 0
    class_counts: tuple[int, ...] = ()
    absent: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    unsure: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sampling_rate_hz: float = MARKS_RATE_HZ

    def interval_ms(self, start: str, stop: str) -> float | None:
        """From one mark of the representative beat to another, in ms; None without both."""
        if self.representative is None:
            return None
        first, last = self.representative.at(start), self.representative.at(stop)
        if first is None or last is None:
            return None
        return (last - first) * 1000.0 / self.sampling_rate_hz
