"""What is drawn as an ECG: samples of any leads at any rate, and which processing they have had."""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64

EDGE_S = 2.0
"""Both ends are continued by their mirror images before a filter, for so long at least."""
HIGH_PASS_HZ, LOW_PASS_HZ = 0.05, 150.0
LOW_PASS_ORDER = 4
NOTCH_HALF_WIDTH_HZ = 1.0
MAINS_HZ = (50.0, 60.0)


class EcgFilter(Enum):
    """What a recording went through before it was drawn; the value is what the screen says."""

    RAW = "raw"
    DIAGNOSTIC = "0.05–150 Hz"
    NOTCH = "0.05–150 Hz, mains notch"
    MODEL = "denoised, as the model sees it"


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A recording to draw: all leads at one rate; `offset_s` is when its first sample lies."""

    signal_mv: Float32[Array, "lead sample"]
    sampling_rate_hz: float
    lead_names: tuple[str, ...]
    offset_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.signal_mv.shape[1] / self.sampling_rate_hz

    def sample_of(self, time_s: float) -> int:
        """The sample nearest to a time, within the recording."""
        sample = round((time_s - self.offset_s) * self.sampling_rate_hz)
        return min(max(sample, 0), max(self.signal_mv.shape[1] - 1, 0))

    def time_of(self, sample: int) -> float:
        """When a sample lies, in seconds."""
        return self.offset_s + sample / self.sampling_rate_hz

    def snap(self, time_s: float) -> float:
        """The time of the nearest sample."""
        return self.time_of(self.sample_of(time_s))

    def millivolts_at(self, time_s: float, lead: int) -> float:
        """The voltage of a lead at the nearest sample; NaN where there is none."""
        if not 0 <= lead < self.signal_mv.shape[0] or self.signal_mv.shape[1] == 0:
            return float("nan")
        return float(self.signal_mv[lead, self.sample_of(time_s)])


def filter_trace(trace: Trace, choice: EcgFilter) -> Trace:
    """The recording through a filter without delay; RAW and MODEL change nothing.

    High-pass of first order at 0.05 Hz and Butterworth low-pass of order 4 at 150 Hz, the band
    that the AHA names for a diagnostic ECG (Kligfield, J Am Coll Cardiol 2007;49:1109), applied
    to the spectrum, so that no wave moves. The notch takes out 50 or 60 Hz and its multiples,
    whichever stands out more. Samples that are missing stay missing.
    """
    if choice in (EcgFilter.RAW, EcgFilter.MODEL):
        return trace
    signal = trace.signal_mv.astype(np.float64)
    is_missing = ~np.isfinite(signal)
    signal[is_missing] = 0.0
    rate_hz = trace.sampling_rate_hz
    num_edge = min(round(EDGE_S * rate_hz), max(signal.shape[1] - 1, 0))
    padded = np.pad(signal, ((0, 0), (num_edge, num_edge)), mode="reflect")
    spectrum = np.fft.rfft(padded, axis=1)
    frequencies_hz = np.fft.rfftfreq(padded.shape[1], 1 / rate_hz)
    gain = _compute_band_gain(frequencies_hz)
    if choice is EcgFilter.NOTCH:
        gain = gain * _compute_notch_gain(frequencies_hz, find_mains_hz(spectrum, frequencies_hz))
    filtered = np.fft.irfft(spectrum * gain, padded.shape[1], axis=1)
    filtered = filtered[:, num_edge : num_edge + signal.shape[1]].astype(np.float32)
    filtered[is_missing] = np.nan
    return Trace(filtered, rate_hz, trace.lead_names, trace.offset_s)


def _compute_band_gain(frequencies_hz: Float64[Array, " bin"]) -> Float64[Array, " bin"]:
    ratio = (frequencies_hz / HIGH_PASS_HZ) ** 2
    high_pass = ratio / (1 + ratio)
    low_pass = 1 / np.sqrt(1 + (frequencies_hz / LOW_PASS_HZ) ** (2 * LOW_PASS_ORDER))
    return np.sqrt(high_pass) * low_pass


def _compute_notch_gain(
    frequencies_hz: Float64[Array, " bin"], mains_hz: float
) -> Float64[Array, " bin"]:
    """1 − a bell at the mains and each of its multiples below half the sampling rate."""
    gain = np.ones_like(frequencies_hz)
    for multiple in np.arange(mains_hz, frequencies_hz[-1] + 1, mains_hz):
        bell = np.exp(-0.5 * ((frequencies_hz - multiple) / (NOTCH_HALF_WIDTH_HZ / 2)) ** 2)
        gain *= 1 - bell
    return gain


def find_mains_hz(spectrum: Array, frequencies_hz: Float64[Array, " bin"]) -> float:
    """50 or 60 Hz, whichever stands out more from its surroundings."""
    power = (np.abs(spectrum) ** 2).sum(axis=0)

    def prominence(mains_hz: float) -> float:
        distance = np.abs(frequencies_hz - mains_hz)
        around = power[(distance > 2) & (distance < 5)]
        line = power[distance < 0.6]
        if line.size == 0 or around.size == 0:
            return 0.0
        return float(line.max() / max(float(np.median(around)), 1e-30))

    return max(MAINS_HZ, key=prominence)
