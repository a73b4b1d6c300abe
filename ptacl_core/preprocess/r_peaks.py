"""R peaks of a multi-lead ECG, whatever the polarity of its leads (method.md §1).

Slope energy: the 5-20 Hz derivative of every lead is squared, summed over the leads, each
weighted by how impulsive it is, and integrated over 120 ms. Its peaks above an adaptive
threshold, 250 ms apart, are QRS complexes; each is refined to the maximum of the leads'
summed magnitude within 50 ms.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex64

from ptacl_core.arrays import Array, Float32, Float64, Int64
from ptacl_core.preprocess.medians import median_along

ENERGY_RATE_HZ = 125.0
MIN_TRANSFORM_RATE_HZ = 240.0
INTEGRATION_S = 0.120
REFRACTORY_S = 0.250
T_WAVE_S = 0.360
REFINE_S = 0.050
_MIN_DURATION_S = 1.0
_CHUNK_S = 60.0
_CHUNK_OVERLAP_S = 4.0
MIN_SIGNAL_MV = 1e-6
_MAX_SIGNAL_MV = 1e6


class SlopeEnergy(NamedTuple):
    """QRS amplitude over time: root of the integrated slope energy, on a coarse grid."""

    amplitude: Float64[Array, " step"]
    samples_per_step: float


def detect_r_peaks(
    signal_mv: Float32[Array, "*lead sample"], *, sampling_rate_hz: float
) -> Int64[Array, " beat"]:
    """Sample indices of the R peaks, ascending, at least 250 ms apart.

    Works on one lead or many, on raw or denoised samples, and never raises: what holds no
    beat (empty, constant, not finite, under one second) gives an empty array. A rhythm is
    found in noise too; whether to believe it is the quality checks' business.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite: no sample
        leads = np.atleast_2d(np.asarray(signal_mv, dtype=np.float32))
    nothing = np.empty(0, np.int64)
    if leads.ndim != 2 or not math.isfinite(sampling_rate_hz) or sampling_rate_hz < 40:
        return nothing
    num_samples = leads.shape[1]
    if leads.size == 0 or num_samples < _MIN_DURATION_S * sampling_rate_hz:
        return nothing
    if not np.isfinite(leads).all():
        leads = np.nan_to_num(leads, nan=0.0, posinf=0.0, neginf=0.0)
    largest = max(float(leads.max()), -float(leads.min()))
    if largest > _MAX_SIGNAL_MV:  # no voltage: only kept from overflowing
        leads = leads * np.float32(_MAX_SIGNAL_MV / largest)
    chunk = round(_CHUNK_S * sampling_rate_hz)
    if num_samples <= 2 * chunk:
        return _detect(leads, sampling_rate_hz)
    overlap = round(_CHUNK_OVERLAP_S * sampling_rate_hz)
    parts = []
    for start in range(0, num_samples, chunk):
        first, stop = max(0, start - overlap), min(num_samples, start + chunk + overlap)
        peaks = first + _detect(leads[:, first:stop], sampling_rate_hz)
        parts.append(peaks[(peaks >= start) & (peaks < start + chunk)])
    peaks = np.concatenate(parts)
    is_apart = np.diff(peaks, prepend=-num_samples) >= REFRACTORY_S * sampling_rate_hz
    return peaks[is_apart]


def _detect(leads: Float32[Array, "lead sample"], sampling_rate_hz: float) -> Int64[Array, " beat"]:
    energy = compute_slope_energy(leads, sampling_rate_hz=sampling_rate_hz)
    return peaks_from_energy(leads, energy, sampling_rate_hz=sampling_rate_hz)


def peaks_from_energy(
    leads: Float32[Array, "lead sample"], energy: SlopeEnergy, *, sampling_rate_hz: float
) -> Int64[Array, " beat"]:
    """R peaks of finite leads whose slope energy is at hand."""
    steps = _choose_peaks(energy.amplitude, sampling_rate_hz / energy.samples_per_step)
    if steps.size == 0:
        return np.empty(0, np.int64)
    centres = np.rint(steps * energy.samples_per_step).astype(np.int64)
    return _refine(leads, np.minimum(centres, leads.shape[1] - 1), sampling_rate_hz)


def compute_slope_energy(
    leads: Float32[Array, "lead sample"], *, sampling_rate_hz: float
) -> SlopeEnergy:
    """QRS amplitude of the leads together; the grid is about 125 steps a second.

    The band limit makes a coarse grid exact: the spectrum is cut at 24 Hz and transformed
    back at the coarse rate.
    """
    # Nothing above 24 Hz is looked at: means of neighbours halve the transform.
    merged = max(1, int(sampling_rate_hz // MIN_TRANSFORM_RATE_HZ))
    if merged > 1:
        whole = leads[:, : leads.shape[1] // merged * merged]
        total = whole[:, ::merged].copy()
        for part in range(1, merged):
            total += whole[:, part::merged]
        leads = total / np.float32(merged)
        sampling_rate_hz /= merged
    num_samples = leads.shape[1]
    margin = round(0.5 * sampling_rate_hz)
    padded_length = next_smooth(num_samples + 2 * margin)
    after = padded_length - num_samples - margin
    # Mirrored ends: no jump that would pass for a beat.
    padded = np.empty((leads.shape[0], padded_length), np.float32)
    padded[:, margin : margin + num_samples] = leads
    padded[:, :margin] = leads[:, margin:0:-1]
    padded[:, margin + num_samples :] = leads[:, -2 : -after - 2 : -1]
    num_steps = next_smooth(math.ceil(padded_length * ENERGY_RATE_HZ / sampling_rate_hz))
    samples_per_step = padded_length / num_steps

    spectrum = np.fft.rfft(padded, axis=1)
    gain = slope_gain(
        min(num_steps // 2, spectrum.shape[1]), sampling_rate_hz / padded_length, num_steps
    )
    scale = np.float32(num_steps / padded_length)
    slopes = np.fft.irfft(spectrum[:, : len(gain)] * (gain * scale), n=num_steps, axis=1)
    energies = np.square(slopes, out=slopes)
    summed = (_lead_weights(energies) @ energies).astype(np.float64)
    half = max(1, round(INTEGRATION_S * sampling_rate_hz / samples_per_step)) // 2
    # The grid point nearest to the first sample; its remainder is below half a step (4 ms).
    first = round(margin / samples_per_step)
    count = math.floor((num_samples - 1) / samples_per_step) + 1
    total = np.concatenate(([0.0], np.cumsum(summed)))
    # The mirrored margins are wider than the window: it never reaches the ends of the grid.
    integrated = total[first + half + 1 :][:count] - total[first - half :][:count]
    amplitude = np.sqrt(np.maximum(integrated, 0.0))
    return SlopeEnergy(amplitude, samples_per_step * merged)


@lru_cache(maxsize=16)
def slope_gain(num_bins: int, bin_hz: float, num_steps: int) -> Complex64[Array, "bin"]:
    """Derivative within 5-20 Hz, edges of 4-6 and 18-24 Hz; nothing at the coarse Nyquist."""
    frequency_hz = np.arange(num_bins) * bin_hz
    rise = np.clip((frequency_hz - 4.0) / 2.0, 0, 1)
    fall = np.clip((24.0 - frequency_hz) / 6.0, 0, 1)
    is_below = np.arange(num_bins) < num_steps / 2
    return (2j * np.pi * frequency_hz * rise * fall * is_below).astype(np.complex64)


def _lead_weights(energies: Float32[Array, "lead step"]) -> Float32[Array, " lead"]:
    """Every lead counts by its impulsiveness, not its voltage: noise spreads, a QRS does not."""
    num_steps = energies.shape[1]
    middle, top = num_steps // 2, min(num_steps - 1, int(0.97 * num_steps))
    ordered = np.partition(energies, (middle, top), axis=1)
    typical, high = ordered[:, middle], ordered[:, top]
    scale = energies.mean(axis=1)
    is_live = scale > MIN_SIGNAL_MV**2
    contrast = np.where(is_live, high / np.maximum(typical, 1e-12 + 0.01 * high), 0.0)
    return (contrast / np.maximum(scale, 1e-12)).astype(np.float32)


def _choose_peaks(amplitude: Float64[Array, " step"], steps_per_s: float) -> Int64[Array, " beat"]:
    nothing = np.empty(0, np.int64)
    reach = max(1, round(0.5 * REFRACTORY_S * steps_per_s))
    highest = _highest_within(amplitude, reach)
    previous = np.concatenate(([-1.0], amplitude[:-1]))
    candidates = np.flatnonzero((amplitude >= highest) & (amplitude > previous))
    if candidates.size == 0:
        return nothing
    reference = _reference_level(amplitude, steps_per_s)
    if reference <= 0:
        return nothing
    heights = amplitude[candidates]
    kept = _keep_apart(candidates, heights, 0.35 * reference, steps_per_s)
    kept = _search_back(candidates, heights, kept, 0.2 * reference, steps_per_s)
    return candidates[kept]


def _highest_within(amplitude: Float64[Array, " step"], reach: int) -> Float64[Array, " step"]:
    """The largest value within `reach` steps of each, by windows that double."""
    highest = np.full(amplitude.size + 2 * reach, -1.0)
    highest[reach:-reach] = amplitude
    width, wanted = 1, 2 * reach + 1
    while width < wanted:
        shift = min(width, wanted - width)
        highest = np.maximum(highest[:-shift], highest[shift:])
        width += shift
    return highest


def _reference_level(amplitude: Float64[Array, " step"], steps_per_s: float) -> float:
    """Median of the maxima of 2-second windows: one artefact or pause does not move it."""
    num_windows = max(1, int(amplitude.size / (2.0 * steps_per_s)))
    starts = np.arange(num_windows) * amplitude.size // num_windows
    return float(median_along(np.maximum.reduceat(amplitude, starts)))


def _keep_apart(
    candidates: Int64[Array, " candidate"],
    heights: Float64[Array, " candidate"],
    threshold: float,
    steps_per_s: float,
) -> list[int]:
    """Highest first; none within the refractory time, no T wave of a higher neighbour."""
    refractory = REFRACTORY_S * steps_per_s
    t_wave = T_WAVE_S * steps_per_s
    kept: list[tuple[int, int, float]] = []
    places, tops = candidates.tolist(), heights.tolist()
    for index in np.argsort(-heights, kind="stable").tolist():
        place, top = places[index], tops[index]
        if top < threshold:
            break
        for _other, other_place, other_top in kept:
            distance = place - other_place
            if abs(distance) < refractory or (0 < distance < t_wave and top < 0.5 * other_top):
                break
        else:
            kept.append((index, place, top))
    return sorted(index for index, _place, _top in kept)


def _search_back(
    candidates: Int64[Array, " candidate"],
    heights: Float64[Array, " candidate"],
    kept: list[int],
    threshold: float,
    steps_per_s: float,
) -> list[int]:
    """Fill gaps longer than 1.66 times the median RR with the best smaller candidate."""
    if len(kept) < 3:
        return kept
    intervals = np.diff(candidates[kept])
    is_long = intervals > 1.66 * median_along(intervals)
    peaks = list(kept)
    for position in np.flatnonzero(is_long):
        left, right = kept[position], kept[position + 1]
        inner = np.arange(left + 1, right)
        is_eligible = (
            (heights[inner] >= threshold)
            & (candidates[inner] - candidates[left] >= T_WAVE_S * steps_per_s)
            & (candidates[right] - candidates[inner] >= 0.30 * steps_per_s)
        )
        eligible = inner[is_eligible]
        if eligible.size:
            peaks.append(int(eligible[np.argmax(heights[eligible])]))
    return sorted(peaks)


def _refine(
    leads: Float32[Array, "lead sample"],
    centres: Int64[Array, " candidate"],
    sampling_rate_hz: float,
) -> Int64[Array, " beat"]:
    """Move each beat to the maximum of the summed magnitude within 50 ms.

    Where two deflections of one complex are nearly as high (R in one lead, S in another),
    the one that the record's average beat has is taken, so that every beat uses the same.
    """
    reach = max(1, round(REFINE_S * sampling_rate_hz))
    flank = max(reach + 1, round(0.120 * sampling_rate_hz))
    offsets = np.arange(-flank, flank + 1)
    index = np.clip(centres[:, None] + offsets, 0, leads.shape[1] - 1)
    beats = leads[:, index]
    is_flank = np.abs(offsets) > reach + (flank - reach) // 4
    baseline = beats @ (is_flank / np.float32(is_flank.sum())).astype(np.float32)
    beats -= baseline[:, :, None]
    magnitude = np.abs(beats, out=beats).sum(axis=0)
    window = magnitude[:, flank - reach : flank + reach + 1]
    inside = index[:, flank - reach : flank + reach + 1]
    expected = int(np.argmax(median_along(window, axis=0)))
    highest = window.max(axis=1, keepdims=True)
    tolerance = max(1, round(0.012 * sampling_rate_hz))
    near = window[:, max(0, expected - tolerance) : expected + tolerance + 1]
    use_near = near.max(axis=1) >= 0.85 * highest[:, 0]
    chosen = np.where(
        use_near, near.argmax(axis=1) + max(0, expected - tolerance), window.argmax(axis=1)
    )
    peaks = inside[np.arange(len(centres)), chosen]
    peaks = np.sort(peaks).astype(np.int64)
    is_apart = np.diff(peaks, prepend=-leads.shape[1]) >= 0.2 * sampling_rate_hz
    return peaks[is_apart]


@lru_cache(maxsize=64)
def next_smooth(length: int) -> int:
    """Smallest even number >= length with no prime factor above 5: a fast transform."""
    best = 1 << max(1, (length - 1).bit_length())
    power_of_five = 1
    while power_of_five < best:
        odd = power_of_five
        while odd < best:
            quotient = -(-length // odd)
            even = odd * max(2, 1 << (quotient - 1).bit_length())
            best = min(best, even)
            odd *= 3
        power_of_five *= 5
    return best
