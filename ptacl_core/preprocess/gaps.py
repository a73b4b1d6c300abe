"""Missing samples: short gaps are bridged and told, ends without samples are cut off and told.

A gap in a few leads leaves the other leads as they are: a straight line takes its place, and a
lead that misses a fifth of its samples counts as off. Only what most leads miss in the middle of
the recording keeps it out.
"""

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32
from ptacl_core.records import LEAD_NAMES, Finding

MAX_GAP_S = 0.1
"""Longest gap of most leads that is bridged, in seconds: shorter than a QRS complex."""

MAX_MISSING_FRACTION = 0.2
"""A lead that misses more of its samples counts as off."""

MAX_LEADS_WITH_GAP = 4
"""Leads that may miss the same stretch; as many as may be off."""


def find_recorded_stretch(
    signal_mv: Float32[Array, "12 sample"],
) -> tuple[int, int]:
    """First sample and end of the recording without the ends that most leads miss.

    A lead without any sample has no say. Without one sample of most leads: (0, 0).
    """
    is_missing = ~np.isfinite(signal_mv)
    is_missing = is_missing[~is_missing.all(axis=1)]
    num_missing = np.count_nonzero(is_missing, axis=0)
    recorded = np.flatnonzero(num_missing <= min(MAX_LEADS_WITH_GAP, len(is_missing) - 1))
    return (int(recorded[0]), int(recorded[-1]) + 1) if len(recorded) else (0, 0)


def fill_gaps(
    signal_mv: Float32[Array, "12 sample"], *, sampling_rate_hz: float
) -> tuple[Float32[Array, "12 sample"], tuple[Finding, ...]]:
    """Interpolate runs of samples that are not finite; zero the leads that miss too much.

    `missing_lead` (warning) names leads without samples or without `MAX_MISSING_FRACTION` of
    them, which become zeros and are left to the flat-lead check; `gap_filled` (warning) names
    those with a straight line in the gap. `missing_samples` (reject) when more than
    `MAX_LEADS_WITH_GAP` leads miss the same stretch for longer than `MAX_GAP_S`, or miss 5 % of
    the recording between them. The result is always finite.
    """
    is_missing = ~np.isfinite(signal_mv)
    if not is_missing.any():
        return signal_mv, ()
    filled = signal_mv.copy()
    num_samples = signal_mv.shape[1]
    counts = np.count_nonzero(is_missing, axis=1)
    is_absent = counts > MAX_MISSING_FRACTION * num_samples
    positions = np.arange(num_samples)
    for lead in np.flatnonzero(counts):
        present = np.flatnonzero(~is_missing[lead])
        if len(present):
            filled[lead] = np.interp(positions, present, signal_mv[lead, present])
    is_common = np.count_nonzero(is_missing, axis=0) > MAX_LEADS_WITH_GAP
    longest_s = _longest_run(is_common) / sampling_rate_hz
    if longest_s > MAX_GAP_S or np.count_nonzero(is_common) > 0.05 * num_samples:
        filled[counts == num_samples] = 0.0
        message = (
            f"most leads miss the same {longest_s:.2f} s, or over 5 % of the recording; up to "
            f"{MAX_GAP_S:.1f} s can be bridged"
        )
        return filled, (Finding("missing_samples", "reject", message, _names(counts > 0)),)
    filled[is_absent] = 0.0
    return filled, tuple(_gap_findings(is_missing, counts, is_absent, sampling_rate_hz))


def _gap_findings(
    is_missing: Bool[Array, "12 sample"],
    counts: np.ndarray,
    is_absent: Bool[Array, "12"],
    sampling_rate_hz: float,
) -> list[Finding]:
    findings = []
    if is_absent.any():
        message = f"over {MAX_MISSING_FRACTION:.0%} of the lead's samples are missing: taken as off"
        if (counts[is_absent] == is_missing.shape[1]).all():
            message = "the lead holds no sample"
        findings.append(Finding("missing_lead", "warning", message, _names(is_absent)))
    is_bridged = (counts > 0) & ~is_absent
    if is_bridged.any():
        longest_s = max(_longest_run(lead) for lead in is_missing[is_bridged]) / sampling_rate_hz
        message = f"a straight line stands for missing samples, in gaps of up to {longest_s:.2f} s"
        findings.append(Finding("gap_filled", "warning", message, _names(is_bridged)))
    return findings


def _names(mask: Bool[Array, "12"]) -> tuple[str, ...]:
    return tuple(lead for lead, is_named in zip(LEAD_NAMES, mask, strict=True) if is_named)


def _longest_run(is_missing: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_missing.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
