"""The signal that waves are delineated on: no baseline wander, no hum, nothing else changed.

Diagnostic filters must not bend the ST segment (AHA/ACC/HRS 2007, Circulation 115:1306): the
high pass is without phase and ends below 0.6 Hz, so that a regular rhythm above 36 a minute
loses nothing but its mean.
"""

from functools import lru_cache

import numpy as np

from ptacl_core.arrays import Array, Float32

_HIGH_PASS_HZ = (0.25, 0.60)
_LOW_PASS_HZ = (110.0, 170.0)
_MARGIN_S = 1.2
_MAINS_HZ = (50.0, 60.0)
_BESIDE_HZ = 1.5
_MIN_HUM_MV = 0.004
_MIN_HUM_RATIO = 3.0


def condition_ecg(
    signal_mv: Float32[Array, "lead sample"], *, sampling_rate_hz: float
) -> Float32[Array, "lead sample"]:
    """The leads without wander below 0.25-0.6 Hz, mains hum, and noise above 110-170 Hz."""
    without_hum = _subtract_hum(signal_mv, sampling_rate_hz)
    num_samples = signal_mv.shape[1]
    margin = min(num_samples - 1, round(_MARGIN_S * sampling_rate_hz))
    length = _even_smooth(num_samples + 2 * margin)
    after = length - num_samples - margin
    padded = np.empty((signal_mv.shape[0], length), np.float32)
    padded[:, margin : margin + num_samples] = without_hum
    # Turned about the end points, so that neither value nor slope jumps there.
    first, last = without_hum[:, :1], without_hum[:, -1:]
    padded[:, :margin] = 2.0 * first - without_hum[:, margin:0:-1]
    tail = min(after, num_samples - 1)
    padded[:, margin + num_samples : margin + num_samples + tail] = (
        2.0 * last - without_hum[:, -2 : -tail - 2 : -1]
    )
    padded[:, margin + num_samples + tail :] = padded[
        :, margin + num_samples + tail - 1 : margin + num_samples + tail
    ]
    spectrum = np.fft.rfft(padded, axis=1)
    spectrum *= _gain(length, sampling_rate_hz)
    filtered = np.fft.irfft(spectrum, n=length, axis=1)
    return filtered[:, margin : margin + num_samples].astype(np.float32, copy=False)


@lru_cache(maxsize=8)
def _gain(length: int, sampling_rate_hz: float) -> Float32[Array, " bin"]:
    frequency_hz = np.fft.rfftfreq(length, 1.0 / sampling_rate_hz)
    low = np.clip((frequency_hz - _HIGH_PASS_HZ[0]) / np.ptp(_HIGH_PASS_HZ), 0.0, 1.0)
    high = np.clip((_LOW_PASS_HZ[1] - frequency_hz) / np.ptp(_LOW_PASS_HZ), 0.0, 1.0)
    shape = np.sin(0.5 * np.pi * low) ** 2 * np.sin(0.5 * np.pi * high) ** 2
    return shape.astype(np.float32)


def _subtract_hum(
    signal_mv: Float32[Array, "lead sample"], sampling_rate_hz: float
) -> Float32[Array, "lead sample"]:
    """A steady line at 50 or 60 Hz, where a lead has three times what lies beside it."""
    num_samples = signal_mv.shape[1]
    if sampling_rate_hz < 130.0:
        return signal_mv
    basis = _hum_basis(num_samples, sampling_rate_hz)
    weights = (signal_mv @ basis) * np.float32(2.0 / num_samples)
    amplitude = np.hypot(weights[:, ::2], weights[:, 1::2])
    cleaned = signal_mv
    for line in range(len(_MAINS_HZ)):
        own, below, above = amplitude[:, 3 * line : 3 * line + 3].T
        hums = (own > _MIN_HUM_MV) & (own > _MIN_HUM_RATIO * np.maximum(below, above))
        if hums.any():
            columns = slice(6 * line, 6 * line + 2)
            cleaned = (
                cleaned - np.where(hums[:, None], weights[:, columns], 0) @ basis[:, columns].T
            )
    return cleaned


@lru_cache(maxsize=4)
def _hum_basis(num_samples: int, sampling_rate_hz: float) -> Float32[Array, "sample column"]:
    """Cosine and sine of each line, then of the frequencies 1.5 Hz below and above it."""
    time_s = np.arange(num_samples) / sampling_rate_hz
    columns = []
    for line_hz in _MAINS_HZ:
        for frequency_hz in (line_hz, line_hz - _BESIDE_HZ, line_hz + _BESIDE_HZ):
            phase = 2.0 * np.pi * frequency_hz * time_s
            columns += [np.cos(phase), np.sin(phase)]
    return np.stack(columns, axis=1).astype(np.float32)


@lru_cache(maxsize=64)
def _even_smooth(length: int) -> int:
    """Smallest even number >= length with no prime factor above 5: a fast transform."""
    candidate = length + length % 2
    while True:
        rest = candidate
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return candidate
        candidate += 2
