"""Onsets and offsets of the waves of a recording that is about to be shown."""

import numpy as np

from ptacl_app.drawing.trace import Trace
from ptacl_core.records import LEAD_NAMES
from ptacl_core.records.marks import EcgMarks

WINDOW_S = 10.0
"""The stretch that the R peaks were looked for in."""
NUM_LEADS = len(LEAD_NAMES)
"""Further leads have no say in where a wave begins."""


def find_marks(trace: Trace, r_peak_times_s: tuple[float, ...]) -> EcgMarks | None:
    """The marks over the twelve leads together; None with fewer than two beats.

    Takes about ten milliseconds: for a thread, not for the event loop.
    """
    if len(r_peak_times_s) < 2 or trace.lead_names[:NUM_LEADS] != LEAD_NAMES:
        return None
    from ptacl_core.preprocess.delineation import delineate

    rate_hz = trace.sampling_rate_hz
    first_part = np.nan_to_num(trace.signal_mv[:NUM_LEADS, : round(WINDOW_S * rate_hz)])
    peaks = np.round(np.asarray(r_peak_times_s) * rate_hz).astype(np.int64)
    peaks = peaks[peaks < first_part.shape[1]]
    if peaks.size < 2:
        return None
    return delineate(first_part, sampling_rate_hz=rate_hz, r_peak_samples=peaks)
