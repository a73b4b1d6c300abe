"""From R peaks to the matrix that turns ECG tokens into cardiac phases (method.md §4, §6).

Every complete R-R interval gives one row of linear-interpolation weights per phase; the mean
over the valid beats is one matrix per recording, so the local ECG embedding is a single product
matrix @ tokens, without a loop over beats.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, Int64

MIN_RR_S = 0.3
MAX_RR_S = 2.0
MIN_TOKENS_PER_BEAT = 2
ECTOPY_TOLERANCE = 0.5
"""Beats whose RR differs from the median by more than this share are left out."""

MIN_REMAINING_BEATS = 2
"""Beats that must remain for others to be left out as ectopic."""


def beat_step_matrix(
    r_peak_samples: Int64[Array, " beat"],
    *,
    num_samples: int,
    patch_samples: int,
    num_steps: int,
    mode: Literal["phase", "tokens"] = "phase",
    sampling_rate_hz: float = 500.0,
) -> tuple[Float32[Array, "step token"], bool]:
    """Interpolation weights from the tokens of a crop to the phases of a beat.

    Row k is the mean over valid beats [r0, r1) of the weights of linear interpolation at phase
    (k + 1/2) / num_steps: token position (r0 + (k + 1/2) (r1 - r0) / num_steps) / patch - 1/2,
    clamped to the crop. Mode "tokens" cuts tokens floor(r0 / patch) .. floor(r1 / patch) and
    resizes them, as the paper words it; it is off by up to half a token.

    A beat is valid when it lies fully inside the crop, its RR is 0.3-2.0 s and at least two
    tokens; beats outside +-50 % of the median RR are dropped when two others remain.

    Args:
        r_peak_samples: R peaks relative to the start of the crop; those outside are ignored.
        num_samples: length of the crop.
        patch_samples: samples per token.
        num_steps: phases per beat (13).
        mode: see above.
        sampling_rate_hz: has a default here because prepared ECGs have one rate.

    Returns:
        The matrix, rows summing to 1, and True; or zeros and False without a valid beat.
    """
    peaks = np.asarray(r_peak_samples, dtype=np.int64).reshape(-1)
    matrices, is_valid = beat_step_matrices(
        [peaks],
        crop_starts=np.zeros(1, np.int64),
        num_samples=num_samples,
        patch_samples=patch_samples,
        num_steps=num_steps,
        mode=mode,
        sampling_rate_hz=sampling_rate_hz,
    )
    return matrices[0], bool(is_valid[0])


def beat_step_matrices(
    r_peak_samples: Sequence[Int64[Array, " _"]],
    *,
    crop_starts: Int64[Array, " record"],
    num_samples: int,
    patch_samples: int,
    num_steps: int,
    mode: Literal["phase", "tokens"] = "phase",
    sampling_rate_hz: float = 500.0,
) -> tuple[Float32[Array, "record step token"], Bool[Array, " record"]]:
    """`beat_step_matrix` for a batch: ragged R peaks of whole records, each with its crop start.

    Same arguments and rules; `r_peak_samples[i]` counts from the start of record i and
    `crop_starts[i]` is where its crop of `num_samples` begins.
    """
    if patch_samples < 1 or num_samples < patch_samples or num_samples % patch_samples:
        raise ValueError(
            f"num_samples must be a multiple of patch_samples, got {num_samples} and "
            f"{patch_samples}"
        )
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, got {num_steps}")
    num_records = len(r_peak_samples)
    if len(crop_starts) != num_records:
        raise ValueError(f"{num_records} lists of R peaks but {len(crop_starts)} crop starts")
    record, start, stop = find_valid_beats(
        r_peak_samples, crop_starts, num_samples, patch_samples, sampling_rate_hz
    )
    num_tokens = num_samples // patch_samples
    if mode == "phase":
        position = _phase_positions(start, stop, num_steps, patch_samples)
        lowest, highest = np.zeros(len(start)), np.full(len(start), num_tokens - 1.0)
    elif mode == "tokens":
        lowest = np.floor(start / patch_samples)
        highest = np.floor(stop / patch_samples) - 1.0
        steps = np.arange(num_steps) + 0.5
        width = (highest - lowest + 1.0)[:, None]
        position = lowest[:, None] + steps * width / num_steps - 0.5
    else:
        raise ValueError(f"mode must be 'phase' or 'tokens', got {mode!r}")
    position = np.clip(position, lowest[:, None], highest[:, None])
    left = np.minimum(position.astype(np.int64), num_tokens - 1)
    right = np.minimum(left + 1, num_tokens - 1)
    fraction = position - left

    beats_per_record = np.bincount(record, minlength=num_records)
    share = 1.0 / beats_per_record[record]
    row = (record[:, None] * num_steps + np.arange(num_steps)) * num_tokens
    flat = np.concatenate([(row + left).ravel(), (row + right).ravel()])
    weight = np.concatenate(
        [((1.0 - fraction) * share[:, None]).ravel(), (fraction * share[:, None]).ravel()]
    )
    size = num_records * num_steps * num_tokens
    matrices = np.bincount(flat, weights=weight, minlength=size)
    shape = (num_records, num_steps, num_tokens)
    return matrices.astype(np.float32).reshape(shape), beats_per_record > 0


def _phase_positions(
    start: Int64[Array, " beat"], stop: Int64[Array, " beat"], num_steps: int, patch_samples: int
) -> Float64[Array, "beat step"]:
    phase = (np.arange(num_steps) + 0.5) / num_steps
    return (start[:, None] + phase * (stop - start)[:, None]) / patch_samples - 0.5


def find_valid_beats(
    r_peak_samples: Sequence[Int64[Array, " _"]],
    crop_starts: Int64[Array, " record"],
    num_samples: int,
    patch_samples: int,
    sampling_rate_hz: float,
) -> tuple[Int64[Array, " beat"], Int64[Array, " beat"], Int64[Array, " beat"]]:
    """Record, first and last sample (in its crop) of every valid beat, ordered by record."""
    counts = np.array([len(peaks) for peaks in r_peak_samples], dtype=np.int64)
    nothing = np.empty(0, np.int64)
    if counts.sum() < 2:
        return nothing, nothing, nothing
    peaks = np.concatenate([np.asarray(p, dtype=np.int64).reshape(-1) for p in r_peak_samples])
    owner = np.repeat(np.arange(len(counts)), counts)
    peaks = peaks - np.asarray(crop_starts, dtype=np.int64)[owner]
    interval = peaks[1:] - peaks[:-1]
    is_valid = (
        (owner[1:] == owner[:-1])
        & (peaks[:-1] >= 0)
        & (peaks[1:] <= num_samples)
        & (interval >= MIN_RR_S * sampling_rate_hz)
        & (interval <= MAX_RR_S * sampling_rate_hz)
        & (interval >= MIN_TOKENS_PER_BEAT * patch_samples)
    )
    kept = np.flatnonzero(is_valid)
    record, interval = owner[kept], interval[kept]
    is_regular = _is_regular(record, interval, len(counts))
    kept = kept[is_regular]
    return record[is_regular], peaks[kept], peaks[kept + 1]


def _is_regular(
    record: Int64[Array, " beat"], interval: Int64[Array, " beat"], num_records: int
) -> Bool[Array, " beat"]:
    """Beats near their record's median RR; all of a record where too few would remain."""
    if record.size == 0:
        return np.ones(0, bool)
    order = np.lexsort((interval, record))
    ordered = interval[order]
    count = np.bincount(record, minlength=num_records)
    first = np.cumsum(count) - count
    has_beats = count > 0
    median = np.zeros(num_records)
    low = (first + (count - 1) // 2)[has_beats]
    high = (first + count // 2)[has_beats]
    median[has_beats] = 0.5 * (ordered[low] + ordered[high])
    is_near = np.abs(interval - median[record]) <= ECTOPY_TOLERANCE * median[record]
    num_near = np.bincount(record, weights=is_near, minlength=num_records)
    return is_near | (num_near < MIN_REMAINING_BEATS)[record]
