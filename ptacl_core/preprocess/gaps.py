"""Missing samples: short gaps are bridged and told, long ones keep the recording out."""

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.records import LEAD_NAMES, Finding

MAX_GAP_S = 0.1
"""Longest gap that is bridged, in seconds: shorter than a QRS complex with its flanks."""


def fill_gaps(
    signal_mv: Float32[Array, "12 sample"], *, sampling_rate_hz: float
) -> tuple[Float32[Array, "12 sample"], tuple[Finding, ...]]:
    """Interpolate short runs of samples that are not finite; zero what cannot be.

    A lead without any sample becomes zeros and is left to the flat-lead check (`missing_lead`
    names it). A run longer than `MAX_GAP_S`, or more than 5 % of a lead, rejects
    (`missing_samples`). The result is always finite.
    """
    is_missing = ~np.isfinite(signal_mv)
    if not is_missing.any():
        return signal_mv, ()
    filled = signal_mv.copy()
    num_samples = signal_mv.shape[1]
    longest_allowed = max(1, round(MAX_GAP_S * sampling_rate_hz))
    absent: list[str] = []
    bridged: list[str] = []
    broken: list[str] = []
    longest = 0
    for lead, name in enumerate(LEAD_NAMES):
        missing = is_missing[lead]
        count = int(missing.sum())
        if count == 0:
            continue
        if count == num_samples:
            absent.append(name)
            filled[lead] = 0.0
            continue
        present = np.flatnonzero(~missing)
        filled[lead] = np.interp(np.arange(num_samples), present, signal_mv[lead, present])
        run = _longest_run(missing)
        longest = max(longest, run)
        is_short = run <= longest_allowed and count <= 0.05 * num_samples
        (bridged if is_short else broken).append(name)
    findings = []
    if absent:
        findings.append(
            Finding("missing_lead", "warning", "the lead holds no sample", tuple(absent))
        )
    if bridged:
        findings.append(
            Finding(
                "gap_filled",
                "warning",
                f"missing samples interpolated, gaps of at most {MAX_GAP_S * 1000:.0f} ms",
                tuple(bridged),
            )
        )
    if broken:
        findings.append(
            Finding(
                "missing_samples",
                "reject",
                f"gap of {longest / sampling_rate_hz:.2f} s or over 5 % of the lead missing; "
                f"up to {MAX_GAP_S:.1f} s can be bridged",
                tuple(broken),
            )
        )
    return filled, tuple(findings)


def _longest_run(is_missing: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_missing.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max())
