"""Any sampling rate to the target's, and any length to ten seconds (formats.md)."""

from fractions import Fraction

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.records import Finding

MIN_RATE_HZ = 90.0
"""Lowest rate that still shows a QRS complex (PTB-XL's small files have 100 Hz)."""

MAX_RATE_HZ = 20_000.0
"""Highest rate that any electrocardiograph writes, with room; above it the unit is wrong."""


def resample_ecg(
    signal_mv: Float32[Array, "lead sample"], *, from_hz: float, to_hz: float
) -> Float32[Array, "lead resampled"]:
    """Polyphase resampling along time; the duration is kept.

    The ratio is the nearest fraction with a denominator up to 1000, so the time scale is right
    to half a sample in ten seconds. Equal rates give the same array back.
    """
    ratio = Fraction(to_hz / from_hz).limit_denominator(1000)
    if ratio == 1:
        return signal_mv
    from scipy.signal import resample_poly

    resampled = resample_poly(
        signal_mv.astype(np.float64), ratio.numerator, ratio.denominator, axis=1, padtype="line"
    )
    return resampled.astype(np.float32)


def keep_start(
    signal_mv: Float32[Array, "lead sample"], *, num_samples: int, sampling_rate_hz: float
) -> tuple[Float32[Array, "lead kept"], tuple[Finding, ...]]:
    """The first `num_samples`; a longer recording is cut and says so, a shorter one is kept."""
    present = signal_mv.shape[1]
    if present <= num_samples:
        return signal_mv, ()
    message = (
        f"the first {num_samples / sampling_rate_hz:.1f} s of "
        f"{present / sampling_rate_hz:.1f} s are used"
    )
    # A rounding of a sample or two is not news.
    is_news = present - num_samples > 0.02 * sampling_rate_hz
    findings = (Finding("trimmed", "info", message),) if is_news else ()
    return signal_mv[:, :num_samples], findings


def pad_end(
    signal: Float32[Array, "lead sample"], *, num_samples: int
) -> Float32[Array, "lead padded"]:
    """Zeros after the end, up to `num_samples`; zero is the baseline of a denoised lead."""
    missing = num_samples - signal.shape[1]
    return signal if missing <= 0 else np.pad(signal, ((0, 0), (0, missing)))
