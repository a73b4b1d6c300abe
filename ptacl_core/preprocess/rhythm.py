"""Whether detected peaks are heart beats: they repeat one shape and stand out of what is between.

A detector finds a rhythm in noise too. Only a rhythm that passes here gives a heart rate.
"""

from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
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

MIN_RR_S = 0.24
MAX_RR_S = 3.0


class RhythmEvidence(NamedTuple):
    """How much a set of peaks looks like heart beats."""

    consistency: float
    contrast: float
    steepness: float
    step: float

    @property
    def is_credible(self) -> bool:
        """True when every figure passes."""
        return (
            self.consistency >= MIN_CONSISTENCY
            and self.contrast >= MIN_CONTRAST
            and self.steepness >= MIN_STEEPNESS
            and self.step <= MAX_STEP
        )


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
    +-90 ms over the range inside, mean beat, median lead. `energy` spares its computation.
    """
    reach = round(0.090 * sampling_rate_hz)
    num_samples = signal_mv.shape[1]
    inside = r_peak_samples[(r_peak_samples >= reach) & (r_peak_samples < num_samples - reach)]
    if len(inside) < 2:
        return RhythmEvidence(0.0, 0.0, 0.0, 1.0)
    stride = max(1, round(0.004 * sampling_rate_hz))
    half = reach // stride
    beats = signal_mv[:, inside[:, None] + stride * np.arange(-half, half + 1)]
    if energy is None:
        energy = compute_slope_energy(signal_mv, sampling_rate_hz=sampling_rate_hz)
    margin = round(0.020 / 0.004)
    return RhythmEvidence(
        consistency=_consistency(beats[:, :, margin:-margin]),
        contrast=_contrast(energy, inside),
        steepness=_steepness(beats, signal_mv, sampling_rate_hz),
        step=_step(beats),
    )


def heart_rate_from_peaks(
    r_peak_samples: Int64[Array, "beat"], *, sampling_rate_hz: float
) -> float | None:
    """60 / median RR in beats per minute; None with fewer than two intervals of 0.24-3 s."""
    rr_interval_s = np.diff(r_peak_samples) / sampling_rate_hz
    valid = rr_interval_s[(rr_interval_s >= MIN_RR_S) & (rr_interval_s <= MAX_RR_S)]
    return None if valid.size < 2 else float(60.0 / np.median(valid))


def _consistency(beats: Float32[Array, "lead beat offset"]) -> float:
    centred = beats - beats.mean(axis=2, keepdims=True)
    others = centred.sum(axis=1, keepdims=True) - centred
    product = np.einsum("lbo,lbo->lb", centred, others)
    power = np.einsum("lbo,lbo->lb", centred, centred) * np.einsum("lbo,lbo->lb", others, others)
    return _better_half(np.median(product / np.sqrt(np.maximum(power, 1e-20)), axis=1))


def _contrast(energy: SlopeEnergy, peaks: Int64[Array, "beat"]) -> float:
    steps = np.rint(peaks / energy.samples_per_step).astype(np.int64)
    at_beats = energy.amplitude[np.minimum(steps, len(energy.amplitude) - 1)]
    quiet = np.sort(energy.amplitude)[int(0.15 * len(energy.amplitude))]
    return float(np.median(at_beats) / max(quiet, 1e-9))


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
