"""Real-time cines hold several beats: their period from the images, and one beat of each slice."""

import math

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.records import Finding

SHORTEST_BEAT_MS = 400.0
LONGEST_BEAT_MS = 1800.0
_SEVERAL_BEATS = 1.5
_SINGLE_BEAT_MS = 1600.0
"""Longer series are looked at for beats where nothing states the RR interval."""
_LONGEST_CYCLE_MS = 2500.0
"""No resting heart takes longer for one beat."""
_MOVING_QUANTILE = 0.95
_LEAST_DIP = 0.35
"""How much less alike frames half a beat apart must be than frames a beat apart."""


def cut_to_one_beat(
    frames: Float32[Array, "slice frame height width"],
    times_ms: Float64[Array, " frame"],
    *,
    rr_interval_ms: float | None,
    findings: list[Finding],
) -> tuple[Float32[Array, "slice beat height width"], Float64[Array, " beat"]]:
    """One beat of each slice, from its largest cavity on, when the series covers several.

    The beat's length is the RR interval where it is stated, else the lag at which the images come
    back (`beats_cut`); where they do not come back the series stays whole (`beats_unclear`), and is
    kept out when it is longer than any beat.
    Slices of real-time series start at any moment, so each is cut at its own end-diastole.
    """
    interval_ms = float(np.median(np.diff(times_ms))) if len(times_ms) > 2 else math.nan
    covered_ms = interval_ms * len(times_ms)
    limit_ms = _SEVERAL_BEATS * rr_interval_ms if rr_interval_ms else _SINGLE_BEAT_MS
    if not covered_ms > limit_ms:
        return frames, times_ms
    num_found = _find_period(frames, interval_ms)
    period = rr_interval_ms / interval_ms if rr_interval_ms else num_found
    if period is None or not period * _SEVERAL_BEATS <= len(times_ms):
        message = f"the frames cover {covered_ms:.0f} ms and no single beat was found in them"
        severity = "reject" if covered_ms > _LONGEST_CYCLE_MS else "warning"
        findings.append(Finding("beats_unclear", severity, message))
        return frames, times_ms
    num_kept = max(round(period), 2)
    beats = np.empty((len(frames), num_kept, *frames.shape[2:]), np.float32)
    for at, cine in enumerate(frames):
        start = _find_start(cine, num_kept)
        beats[at] = cine[start : start + num_kept]
    num_beats = len(times_ms) / period
    message = (
        f"{len(times_ms)} frames of {interval_ms:.0f} ms hold {num_beats:.1f} beats of "
        f"{period * interval_ms:.0f} ms; one was kept of each slice, from its largest cavity on"
    )
    findings.append(Finding("beats_cut", "warning", message))
    return beats, interval_ms * np.arange(num_kept)


def _find_period(
    frames: Float32[Array, "slice frame height width"], interval_ms: float
) -> float | None:
    """Frames after which the images come back, to a fraction of a frame; None when they do not."""
    num_frames = frames.shape[1]
    first = max(math.ceil(SHORTEST_BEAT_MS / interval_ms), 2)
    last = min(math.floor(LONGEST_BEAT_MS / interval_ms), num_frames - 3)
    if last - first < 2:
        return None
    curves = np.stack([_moving_pixels(cine) for cine in frames])
    lags = np.arange(last + 2)
    unlike = np.array(
        [np.mean((curves[:, lag:] - curves[:, : num_frames - lag]) ** 2) for lag in lags]
    )
    at = first + int(np.argmin(unlike[first : last + 1]))
    # A later multiple is as alike as the first return: the first dip nearly as deep counts.
    for lag in range(first, at):
        is_dip = unlike[lag] <= unlike[lag - 1] and unlike[lag] <= unlike[lag + 1]
        if is_dip and unlike[lag] <= 1.3 * unlike[at]:
            at = lag
            break
    if unlike[at] > (1 - _LEAST_DIP) * unlike[1:at].max():
        return None
    before, here, after = unlike[at - 1 : at + 2]
    curvature = before - 2 * here + after
    return at + (0.5 * (before - after) / curvature if curvature > 0 else 0.0)


def _moving_pixels(cine: Float32[Array, "frame height width"]) -> Float64[Array, "frame pixel"]:
    """The pixels that change most, on a grid of every other, smoothed over a step."""
    small = cine[:, ::2, ::2].reshape(len(cine), -1).astype(np.float64)
    spread = small.std(axis=0)
    number = max(16, round((1 - _MOVING_QUANTILE) * spread.size))
    chosen = np.argsort(spread, kind="stable")[-min(number, spread.size) :]
    return small[:, chosen] - small[:, chosen].mean(axis=0)


def _find_start(cine: Float32[Array, "frame height width"], num_kept: int) -> int:
    """The frame of the largest bright area around the middle, leaving a whole beat after it."""
    height, width = cine.shape[1:]
    centre = cine[:, height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None]
    bright = centre.reshape(len(cine), -1).mean(axis=1, dtype=np.float64)
    smooth = np.convolve(np.pad(bright, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    return int(np.argmax(smooth[: len(cine) - num_kept + 1]))
