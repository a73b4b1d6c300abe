"""The colours of a similarity map: ECG steps by CMR steps."""

import numpy as np

from ptacl_core.arrays import Array, Float32, UInt8

_LOW, _MIDDLE, _HIGH = (12, 20, 60), (90, 110, 140), (255, 225, 110)
_LIT = (245, 165, 36)
_DIM_LIT = (150, 100, 30)


def colour_map(
    values: Float32[Array, "row column"], step: int | None
) -> UInt8[Array, "row column rgb"]:
    """Dark blue for the lowest value, through grey, to yellow for the highest.

    The row and column of `step` are tinted amber, their crossing is plain amber.
    """
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    share = (np.nan_to_num(values, nan=low) - low) / max(high - low, 1e-12)
    stops = np.array([_LOW, _MIDDLE, _HIGH], np.float64)
    colours = np.stack(
        [np.interp(share, (0.0, 0.5, 1.0), stops[:, channel]) for channel in range(3)], axis=-1
    )
    if step is not None:
        tint = np.array(_DIM_LIT, np.float64)
        colours[step, :] = 0.65 * colours[step, :] + 0.35 * tint
        colours[:, step] = 0.65 * colours[:, step] + 0.35 * tint
        colours[step, step] = _LIT
    return colours.astype(np.uint8)
