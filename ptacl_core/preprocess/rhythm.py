"""Whether detected peaks are heart beats: they repeat one shape and stand out of what is between.

A detector finds a rhythm in noise too. Only a rhythm that passes here gives a heart rate.
"""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64, Int64
from ptacl_core.preprocess.medians import median_along
from ptacl_core.preprocess.r_peaks import SlopeEnergy

MIN_CONSISTENCY = 0.6
"""Least correlation of the beats with the sum of the others, mean of the better half of leads."""

MIN_CONTRAST = 2.8
"""Least ratio of slope amplitude at the beats to the quiet 15 % of the record.

Noise of every colour stays under 2.5; real records with as much noise as signal reach 3.6.
"""

SURE_CONSISTENCY = 0.9
MIN_SURE_CONTRAST = 2.0
"""Beats as alike as this need less contrast: a fast rate leaves little quiet between them."""

MIN_STEEPNESS = 2.0
"""Least ratio of the steepest 32 ms of the beats to the record's; a sine wave has 1.4."""

MAX_STEP = 0.5
"""Most of a beat's range that its end may differ from its start; a step has 1."""

MAX_BETWEEN = 0.88
"""Most slope amplitude between two beats, relative to the beats'; at 1 every other is missed."""

MIN_BEAT_CORRELATION = 0.4
MIN_BEAT_AMPLITUDE = 0.7
"""A peak that is below both its record's shape and its record's amplitude is not a beat."""

MIN_RR_S = 0.24
MAX_RR_S = 3.0

BEAT_REACH_S = 0.090
BEAT_STRIDE_S = 0.004
BEAT_MARGIN = 5


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
        is_sure = self.consistency >= SURE_CONSISTENCY
        return (
            self.consistency >= MIN_CONSISTENCY
            and self.contrast >= (MIN_SURE_CONTRAST if is_sure else MIN_CONTRAST)
            and self.steepness >= MIN_STEEPNESS
            and self.step <= MAX_STEP
        )

    @property
    def is_too_fast(self) -> bool:
        """True when there are complexes between the beats: above about 235 a minute."""
        return self.between > MAX_BETWEEN


def judge_beats(
    signal_mv: Float32[Array, "lead sample"],
    r_peak_samples: Int64[Array, " peak"],
    energy: SlopeEnergy,
    *,
    sampling_rate_hz: float,
) -> tuple[Int64[Array, " beat"], RhythmEvidence]:
    """The peaks without those that noise made, and the evidence that the others are beats.

    Left out is what is unlike the other beats and weaker than they are; an ectopic beat is
    unlike the others too, but not weaker.

    Consistency: per lead, the median correlation of each beat (+-70 ms) with the sum of the
    other beats, then the mean of the better half of the leads. Contrast: amplitude of the slope
    energy at the beats over its 15 % quantile. Steepness: largest change in 32 ms within 50 ms
    of the beats over the root mean square of such changes. Step: difference of the ends of
    +-90 ms over the range inside, mean beat, median lead. Between: highest slope amplitude in
    the middle 40 % of an RR interval over that of the beats, median.
    """
    beats, inside = _cut_beats(signal_mv, r_peak_samples, sampling_rate_hz)
    if len(inside) < 2:
        return r_peak_samples, RhythmEvidence(0.0, 0.0, 0.0, 1.0, 0.0)
    correlation = _correlations(beats)
    amplitude = _amplitude_at(energy, inside)
    typical = float(median_along(amplitude))
    is_doubtful = (median_along(correlation, axis=0) < MIN_BEAT_CORRELATION) & (
        amplitude < MIN_BEAT_AMPLITUDE * typical
    )
    if len(inside) >= 4 and is_doubtful.any():
        kept = np.setdiff1d(r_peak_samples, inside[is_doubtful], assume_unique=True)
        beats, amplitude = beats[:, ~is_doubtful], amplitude[~is_doubtful]
        correlation = _correlations(beats)
        typical = float(median_along(amplitude))
    else:
        kept = r_peak_samples
    quiet_at = int(0.15 * len(energy.amplitude))
    quiet = float(np.partition(energy.amplitude, quiet_at)[quiet_at])
    return kept, RhythmEvidence(
        consistency=_better_half(median_along(correlation, axis=1)),
        contrast=typical / max(quiet, 1e-9),
        steepness=_steepness(beats, signal_mv, sampling_rate_hz),
        step=_step(beats),
        between=_between(energy, kept) / max(typical, 1e-9),
    )


def heart_rate_from_peaks(
    r_peak_samples: Int64[Array, " beat"], *, sampling_rate_hz: float
) -> float | None:
    """60 / median RR in beats per minute; None with fewer than two intervals of 0.24-3 s."""
    rr_interval_s = np.diff(r_peak_samples) / sampling_rate_hz
    valid = rr_interval_s[(rr_interval_s >= MIN_RR_S) & (rr_interval_s <= MAX_RR_S)]
    return None if valid.size < 2 else float(60.0 / median_along(valid))


def _cut_beats(
    signal_mv: Float32[Array, "lead sample"],
    r_peak_samples: Int64[Array, " peak"],
    sampling_rate_hz: float,
) -> tuple[Float32[Array, "lead beat offset"], Int64[Array, " beat"]]:
    """+-90 ms around each peak that has them, every 4 ms, and those peaks."""
    reach = round(BEAT_REACH_S * sampling_rate_hz)
    stride = max(1, round(BEAT_STRIDE_S * sampling_rate_hz))
    last = signal_mv.shape[1] - reach
    inside = r_peak_samples[(r_peak_samples >= reach) & (r_peak_samples < last)]
    half = reach // stride
    return signal_mv[:, inside[:, None] + stride * np.arange(-half, half + 1)], inside


def _correlations(beats: Float32[Array, "lead beat offset"]) -> Float32[Array, "lead beat"]:
    """Of each beat's inner +-70 ms with the sum of the others, lead by lead."""
    inner = beats[:, :, BEAT_MARGIN:-BEAT_MARGIN]
    centred = inner - inner.mean(axis=2, keepdims=True)
    others = centred.sum(axis=1, keepdims=True) - centred
    product = np.einsum("lbo,lbo->lb", centred, others)
    power = np.einsum("lbo,lbo->lb", centred, centred) * np.einsum("lbo,lbo->lb", others, others)
    return product / np.sqrt(np.maximum(power, 1e-20))


def _amplitude_at(energy: SlopeEnergy, peaks: Int64[Array, " beat"]) -> Float64[Array, " beat"]:
    steps = np.rint(peaks / energy.samples_per_step).astype(np.int64)
    return energy.amplitude[np.minimum(steps, len(energy.amplitude) - 1)]


def _between(energy: SlopeEnergy, peaks: Int64[Array, " beat"]) -> float:
    steps = np.rint(peaks / energy.samples_per_step).astype(np.int64)
    width = np.diff(steps)
    starts, stops = steps[:-1] + (3 * width) // 10, steps[:-1] + (7 * width) // 10 + 1
    bounds = np.stack([starts, np.minimum(stops, len(energy.amplitude) - 1)], axis=1).ravel()
    # Every other piece lies between two beats, the rest around the beats themselves.
    highest = np.maximum.reduceat(energy.amplitude, bounds)[::2]
    return float(median_along(highest))


def _steepness(
    beats: Float32[Array, "lead beat offset"],
    signal_mv: Float32[Array, "lead sample"],
    sampling_rate_hz: float,
) -> float:
    stride = max(1, round(BEAT_STRIDE_S * sampling_rate_hz))
    lag = max(1, round(0.032 * sampling_rate_hz / stride))
    around = max(lag, round(0.066 * sampling_rate_hz / stride))
    coarse = signal_mv[:, :: 2 * stride]  # every other step is enough for a mean
    half = max(1, lag // 2)
    changes = coarse[:, half:] - coarse[:, :-half]
    typical = np.sqrt(np.einsum("ls,ls->l", changes, changes) / changes.shape[1])
    centre = beats.shape[2] // 2
    near = beats[:, :, max(0, centre - around) : centre + around + 1]
    steepest = np.abs(near[:, :, lag:] - near[:, :, :-lag]).max(axis=2)
    return _better_half(median_along(steepest, axis=1) / np.maximum(typical, 1e-9))


def _step(beats: Float32[Array, "lead beat offset"]) -> float:
    mean_beat = beats.mean(axis=1)
    span = np.maximum(mean_beat.max(axis=1) - mean_beat.min(axis=1), 1e-9)
    return float(median_along(np.abs(mean_beat[:, -1] - mean_beat[:, 0]) / span))


def _better_half(per_lead: Float32[Array, " lead"] | np.floating) -> float:
    ordered = np.sort(np.atleast_1d(per_lead))
    return float(ordered[len(ordered) // 2 :].mean())
