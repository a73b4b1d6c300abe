"""Whether detected peaks are heart beats: they repeat one shape and stand out of what is between.

A detector finds a rhythm in noise too. Only a rhythm that passes here gives a heart rate.
"""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64, Int64
from ptacl_core.preprocess.r_peaks import SlopeEnergy, compute_slope_energy

MIN_CONSISTENCY = 0.6
"""Least correlation of the beats with the sum of the others, mean of the better half of leads."""

MIN_CONTRAST = 2.8
"""Least ratio of slope amplitude at the beats to the quiet 15 % of the record.

Noise of every colour stays under 2.5; real records with as much noise as signal reach 3.6.
"""

MIN_STEEPNESS = 2.0
"""Least ratio of the steepest 32 ms of the beats to the record's; a sine wave has 1.4."""

MAX_STEP = 0.5
"""Most of a beat's range that its end may differ from its start; a step has 1."""

MAX_BETWEEN = 0.88
"""Most slope amplitude between two beats, relative to the beats'; at 1 every other is missed."""

MIN_BEAT_CORRELATION = 0.4
MIN_BEAT_AMPLITUDE = 0.7
"""A peak that is below both its record's shape and its record's amplitude is no beat."""

MIN_RR_S = 0.24
MAX_RR_S = 3.0

_BEAT_REACH_S = 0.090
_BEAT_STRIDE_S = 0.004
_BEAT_MARGIN = 5


class RhythmEvidence(NamedTuple):
    """How much a set of peaks looks like heart beats."""

    consistency: float
    contrast: float
    steepness: float
    step: float
    between: float

    @property
    def is_credible(self) -> bool:
        """True when every figure passes."""
        return (
            self.consistency >= MIN_CONSISTENCY
            and self.contrast >= MIN_CONTRAST
            and self.steepness >= MIN_STEEPNESS
            and self.step <= MAX_STEP
        )

    @property
    def is_too_fast(self) -> bool:
        """True when there are complexes between the beats: above about 235 a minute."""
        return self.between > MAX_BETWEEN


def weigh_rhythm(
    signal_mv: Float32[Array, "lead sample"],
    r_peak_samples: Int64[Array, "beat"],
    *,
    sampling_rate_hz: float,
    energy: SlopeEnergy | None = None,
) -> RhythmEvidence:
    """Evidence from the beats of a denoised recording; nothing with fewer than two inside.

    Consistency: per lead, the median correlation of each beat (+-70 ms) with the sum of the
    other beats, then the mean of the better half of the leads. Contrast: amplitude of the slope
    energy at the beats over its 15 % quantile. Steepness: largest change in 32 ms within 50 ms
    of the beats over the root mean square of such changes. Step: difference of the ends of
    +-90 ms over the range inside, mean beat, median lead. Between: highest slope amplitude in
    the middle 40 % of an RR interval over that of the beats, median. `energy` spares its
    computation.
    """
    beats, inside = _cut_beats(signal_mv, r_peak_samples, sampling_rate_hz)
    if len(inside) < 2:
        return RhythmEvidence(0.0, 0.0, 0.0, 1.0, 0.0)
    if energy is None:
        energy = compute_slope_energy(signal_mv, sampling_rate_hz=sampling_rate_hz)
    at_beats = np.median(_amplitude_at(energy, inside))
    quiet = np.sort(energy.amplitude)[int(0.15 * len(energy.amplitude))]
    return RhythmEvidence(
        consistency=_better_half(np.median(_correlations(beats), axis=1)),
        contrast=float(at_beats / max(quiet, 1e-9)),
        steepness=_steepness(beats, signal_mv, sampling_rate_hz),
        step=_step(beats),
        between=_between(energy, r_peak_samples) / max(float(at_beats), 1e-9),
    )


def drop_doubtful(
    signal_mv: Float32[Array, "lead sample"],
    r_peak_samples: Int64[Array, "beat"],
    energy: SlopeEnergy,
    *,
    sampling_rate_hz: float,
) -> Int64[Array, "kept"]:
    """Leave out peaks that noise made: unlike the other beats and weaker than they are.

    An ectopic beat is unlike the others too, but not weaker.
    """
    beats, inside = _cut_beats(signal_mv, r_peak_samples, sampling_rate_hz)
    if len(inside) < 4:
        return r_peak_samples
    correlation = np.median(_correlations(beats), axis=0)
    amplitude = _amplitude_at(energy, inside)
    is_doubtful = (correlation < MIN_BEAT_CORRELATION) & (
        amplitude < MIN_BEAT_AMPLITUDE * np.median(amplitude)
    )
    return np.setdiff1d(r_peak_samples, inside[is_doubtful], assume_unique=True)


def heart_rate_from_peaks(
    r_peak_samples: Int64[Array, "beat"], *, sampling_rate_hz: float
) -> float | None:
    """60 / median RR in beats per minute; None with fewer than two intervals of 0.24-3 s."""
    rr_interval_s = np.diff(r_peak_samples) / sampling_rate_hz
    valid = rr_interval_s[(rr_interval_s >= MIN_RR_S) & (rr_interval_s <= MAX_RR_S)]
    return None if valid.size < 2 else float(60.0 / np.median(valid))


def _cut_beats(
    signal_mv: Float32[Array, "lead sample"],
    r_peak_samples: Int64[Array, "peak"],
    sampling_rate_hz: float,
) -> tuple[Float32[Array, "lead beat offset"], Int64[Array, "beat"]]:
    """+-90 ms around each peak that has them, every 4 ms, and those peaks."""
    reach = round(_BEAT_REACH_S * sampling_rate_hz)
    stride = max(1, round(_BEAT_STRIDE_S * sampling_rate_hz))
    last = signal_mv.shape[1] - reach
    inside = r_peak_samples[(r_peak_samples >= reach) & (r_peak_samples < last)]
    half = reach // stride
    return signal_mv[:, inside[:, None] + stride * np.arange(-half, half + 1)], inside


def _correlations(beats: Float32[Array, "lead beat offset"]) -> Float32[Array, "lead beat"]:
    """Of each beat's inner +-70 ms with the sum of the others, lead by lead."""
    inner = beats[:, :, _BEAT_MARGIN:-_BEAT_MARGIN]
    centred = inner - inner.mean(axis=2, keepdims=True)
    others = centred.sum(axis=1, keepdims=True) - centred
    product = np.einsum("lbo,lbo->lb", centred, others)
    power = np.einsum("lbo,lbo->lb", centred, centred) * np.einsum("lbo,lbo->lb", others, others)
    return product / np.sqrt(np.maximum(power, 1e-20))


def _amplitude_at(energy: SlopeEnergy, peaks: Int64[Array, "beat"]) -> Float64[Array, "beat"]:
    steps = np.rint(peaks / energy.samples_per_step).astype(np.int64)
    return energy.amplitude[np.minimum(steps, len(energy.amplitude) - 1)]


def _between(energy: SlopeEnergy, peaks: Int64[Array, "beat"]) -> float:
    steps = np.rint(peaks / energy.samples_per_step).astype(np.int64)
    width = np.diff(steps)
    starts, stops = steps[:-1] + (3 * width) // 10, steps[:-1] + (7 * width) // 10
    highest = [
        energy.amplitude[start : stop + 1].max() for start, stop in zip(starts, stops, strict=True)
    ]
    return float(np.median(highest))


def _steepness(
    beats: Float32[Array, "lead beat offset"],
    signal_mv: Float32[Array, "lead sample"],
    sampling_rate_hz: float,
) -> float:
    """`beats` are 4 ms apart, so eight of their steps are the 32 ms taken from the record."""
    lag = max(1, round(0.032 * sampling_rate_hz))
    changes = signal_mv[:, ::4][:, lag // 4 :] - signal_mv[:, ::4][:, : -(lag // 4)]
    typical = np.sqrt(np.einsum("ls,ls->l", changes, changes) / changes.shape[1])
    centre = beats.shape[2] // 2
    near = beats[:, :, max(0, centre - 16) : centre + 17]
    steepest = np.abs(near[:, :, 8:] - near[:, :, :-8]).max(axis=2)
    return _better_half(np.median(steepest, axis=1) / np.maximum(typical, 1e-9))


def _step(beats: Float32[Array, "lead beat offset"]) -> float:
    mean_beat = beats.mean(axis=1)
    span = np.maximum(mean_beat.max(axis=1) - mean_beat.min(axis=1), 1e-9)
    return float(np.median(np.abs(mean_beat[:, -1] - mean_beat[:, 0]) / span))


def _better_half(per_lead: Float32[Array, "lead"]) -> float:
    ordered = np.sort(per_lead)
    return float(ordered[len(ordered) // 2 :].mean())
