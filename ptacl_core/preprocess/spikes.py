"""Spikes of a few milliseconds: pacemaker pulses and artefacts, bridged before filtering.

A wavelet smears a spike over tens of milliseconds until it looks like a QRS complex, so that
a pacemaker, or a loose contact, would be counted as heart beats.
"""

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.records import LEAD_NAMES, Finding

_MIN_CURVATURE_MV = 0.3
_NEAR_S = 0.006
_AROUND_S = 0.020
_MIN_SHARPNESS = 0.8
_MIN_NOISE_RATIO = 8.0
_MEDIAN_TO_SIGMA = 0.6745 * 1.414  # of the difference of two samples
_MAX_SHARE = 0.02
_BRIDGE_S = 0.010


def remove_spikes(
    signal_mv: Float32[Array, "12 sample"], *, sampling_rate_hz: float
) -> tuple[Float32[Array, "12 sample"], Int64[Array, " spike"], tuple[Finding, ...]]:
    """Interpolate across spikes narrower than about 6 ms; return when they were.

    A spike stands out from the samples 6 ms either side by at least 80 % of the range that the
    lead has further out, up to 20 ms; the tip of the steepest QRS complex reaches about half.
    Where more than 2 % of a lead qualifies it is noise, which the noise check names.
    """
    curvature = signal_mv[:, 1:-1] - 0.5 * (signal_mv[:, 2:] + signal_mv[:, :-2])
    limit = 0.5 * _MIN_CURVATURE_MV
    peak = np.maximum(curvature.max(axis=1), -curvature.min(axis=1))
    suspects = np.flatnonzero(peak > limit)
    nothing = np.empty(0, np.int64)
    if suspects.size == 0:
        return signal_mv, nothing, ()
    near = max(1, round(_NEAR_S * sampling_rate_hz))
    around = max(near + 1, round(_AROUND_S * sampling_rate_hz))
    bridge = max(1, round(_BRIDGE_S * sampling_rate_hz))
    num_samples = signal_mv.shape[1]
    cleaned = signal_mv.copy()
    times: list[np.ndarray] = []
    touched: list[str] = []
    for lead in suspects:
        samples = signal_mv[lead]
        centres = 1 + np.flatnonzero(np.abs(curvature[lead]) > limit)
        change = np.abs(samples[near:] - samples[:-near])
        noise_mv = float(np.median(change)) / _MEDIAN_TO_SIGMA
        least = max(_MIN_CURVATURE_MV, _MIN_NOISE_RATIO * noise_mv)
        is_sharp = _stands_out(samples, centres, near=near, around=around, least_mv=least)
        spikes = centres[is_sharp]
        if spikes.size == 0 or spikes.size > _MAX_SHARE * num_samples:
            continue
        is_bridged = np.zeros(num_samples, bool)
        for offset in range(-bridge, bridge + 1):
            is_bridged[np.clip(spikes + offset, 0, num_samples - 1)] = True
        kept = np.flatnonzero(~is_bridged)
        cleaned[lead] = np.interp(np.arange(num_samples), kept, samples[kept])
        times.append(spikes)
        touched.append(LEAD_NAMES[lead])
    if not times:
        return signal_mv, nothing, ()
    moments = np.unique(np.concatenate(times))
    moments = moments[np.diff(moments, prepend=-num_samples) > 2 * bridge]
    finding = Finding(
        "spikes",
        "warning",
        f"{len(moments)} spikes narrower than {_NEAR_S * 1000:.0f} ms interpolated",
        tuple(touched),
    )
    return cleaned, moments.astype(np.int64), (finding,)


def find_pacing(
    spike_samples: Int64[Array, " spike"],
    r_peak_samples: Int64[Array, " beat"],
    *,
    sampling_rate_hz: float,
) -> tuple[Finding, ...]:
    """`paced` when most beats follow a spike within 250 ms (the longest paced PR interval)."""
    if len(spike_samples) < 3 or len(r_peak_samples) < 3:
        return ()
    reach = 0.25 * sampling_rate_hz
    delays = r_peak_samples[:, None] - spike_samples[None, :]
    is_led = ((delays >= 0) & (delays <= reach)).any(axis=1)
    if is_led.mean() < 0.6:
        return ()
    message = f"{int(is_led.sum())} of {len(r_peak_samples)} beats follow a pacing spike"
    return (Finding("paced", "warning", message),)


def _stands_out(
    samples: np.ndarray, centres: np.ndarray, *, near: int, around: int, least_mv: float
) -> np.ndarray:
    last = len(samples) - 1
    side = np.arange(near, around + 1)
    before = samples[np.maximum(centres[:, None] - side, 0)]
    after = samples[np.minimum(centres[:, None] + side, last)]
    rise_before = samples[centres] - before[:, 0]
    rise_after = samples[centres] - after[:, 0]
    height = np.where(
        rise_before * rise_after > 0, np.minimum(np.abs(rise_before), np.abs(rise_after)), 0.0
    )
    highest = np.maximum(before.max(axis=1), after.max(axis=1))
    lowest = np.minimum(before.min(axis=1), after.min(axis=1))
    return (height > least_mv) & (height > _MIN_SHARPNESS * (highest - lowest))
