"""From R peaks to the complete beats of a recording, and to what its RR intervals tell."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.preprocess.beat_steps import find_valid_beats

NUM_RHYTHM_VALUES = 3
"""Values of `rhythm_values`."""


def beat_spans(
    r_peak_samples: Sequence[Int64[Array, " _"]],
    *,
    num_samples: int,
    sampling_rate_hz: float = 500.0,
) -> Int64[Array, "record beat 2"]:
    """First and last sample [r0, r1) of every complete beat, R to R; rows are filled with -1.

    A beat is complete under the rules of `beat_step_matrix`: inside the first `num_samples`
    samples, 0.3 to 2.0 s long, and within 50 % of the recording's median RR where two such
    beats remain. A recording without one has a row of -1 only; there is always one column.
    Prepared ECGs have one rate, so that it has a default.
    """
    num_records = len(r_peak_samples)
    record, start, stop = find_valid_beats(
        r_peak_samples, np.zeros(num_records, np.int64), num_samples, 1, sampling_rate_hz
    )
    counts = np.bincount(record, minlength=num_records)
    spans = np.full((num_records, max(1, int(counts.max(initial=0))), 2), -1, np.int64)
    place = np.arange(len(record)) - np.repeat(np.cumsum(counts) - counts, counts)
    spans[record, place] = np.stack([start, stop], axis=1)
    return spans


def rhythm_values(
    r_peak_samples: Sequence[Int64[Array, " _"]],
    *,
    num_samples: int,
    sampling_rate_hz: float = 500.0,
) -> Float32[Array, "record value"]:
    """Median RR minus 1 s, SD of RR, root mean square of successive differences, in seconds.

    All intervals between R peaks within the first `num_samples` samples count, ectopic ones
    too: what resampling a beat to a fixed length takes away is kept here. Zeros where there
    is not an interval; the last value is 0 where there is only one.
    """
    values = np.zeros((len(r_peak_samples), NUM_RHYTHM_VALUES), np.float32)
    for row, peaks in enumerate(r_peak_samples):
        inside = np.asarray(peaks, np.int64)
        inside = inside[(inside >= 0) & (inside <= num_samples)]
        rr_s = np.diff(inside) / sampling_rate_hz
        if len(rr_s):
            changes_s = np.diff(rr_s)
            spread_s = float(np.sqrt(np.mean(changes_s**2))) if len(changes_s) else 0.0
            values[row] = (float(np.median(rr_s)) - 1.0, float(rr_s.std()), spread_s)
    return values
