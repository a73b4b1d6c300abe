"""The z-score of an ECG over lead groups, leads or the whole record (method.md §1)."""

from typing import Literal

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32

LEAD_GROUPS = (slice(0, 3), slice(3, 6), slice(6, 12))
"""I-II-III, aVR-aVL-aVF, V1-V6: inside a group the voltage ratios are kept."""

FLAT_STD_MV = 1e-6
"""Standard deviation under which a lead is flat: it becomes zeros, never divided."""


def normalise_ecg(
    signal_mv: Float32[Array, "12 sample"],
    *,
    scope: Literal["group", "per_lead", "record", "none"] = "group",
    is_lead_off: Bool[Array, "12"] | None = None,
) -> Float32[Array, "12 sample"]:
    """Subtract the mean and divide by the population standard deviation of each scope.

    Leads that are off or flat become zeros and do not enter the statistics of their group.
    `scope` "none" keeps millivolts.
    """
    if scope == "none":
        return np.array(signal_mv, dtype=np.float32)
    num_samples = signal_mv.shape[1]
    mean = signal_mv.mean(axis=1, dtype=np.float64)
    centred = signal_mv - mean[:, None].astype(np.float32)
    variance = (centred[:, None, :] @ centred[:, :, None])[:, 0, 0] / np.float64(num_samples)
    is_live = variance > FLAT_STD_MV**2
    if is_lead_off is not None:
        is_live &= ~is_lead_off
    shift = np.zeros(12)
    scale = np.zeros(12)
    for leads in _scopes(scope):
        live = is_live[leads]
        if not live.any():
            continue
        group_mean = mean[leads][live].mean()
        between = np.square(mean[leads][live] - group_mean).mean()
        spread = np.sqrt(variance[leads][live].mean() + between)
        shift[leads] = group_mean
        scale[leads] = np.where(live, 1.0 / spread, 0.0)
    offset = (mean - shift) * scale
    centred *= scale[:, None].astype(np.float32)
    if np.abs(offset).max() > 0:
        centred += offset[:, None].astype(np.float32)
    return centred


def _scopes(scope: Literal["group", "per_lead", "record"]) -> tuple[slice, ...]:
    if scope == "group":
        return LEAD_GROUPS
    if scope == "record":
        return (slice(0, 12),)
    return tuple(slice(lead, lead + 1) for lead in range(12))
