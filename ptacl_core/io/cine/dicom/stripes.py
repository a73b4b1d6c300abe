"""Tag lines in an image: stripes of one spacing all over it, as tagging series begin with."""

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64

_LOWEST, _HIGHEST = 0.1, 0.45
"""Spatial frequencies of tag lines, in cycles per pixel (4 to 8 mm at 1.3 to 1.9 mm)."""
_LEAST_SHARE = 0.55
"""Of what lies between these frequencies, the share of two gratings (cines: below 0.35)."""
_LEAST_BAND = 0.3
"""Share of the whole image's contrast between these frequencies (cines: below 0.2)."""
_MIN_SIDE = 16


def has_tag_lines(frame: Float32[Array, "height width"]) -> bool:
    """Whether one or two gratings make up most of an image's finer structure."""
    if min(frame.shape) < _MIN_SIDE:
        return False
    power, frequency = _compute_power(frame)
    is_band = (frequency >= _LOWEST) & (frequency <= _HIGHEST)
    whole = float(power[frequency > 0].sum())
    band = float(power[is_band].sum())
    if not whole > 0 or band < _LEAST_BAND * whole:
        return False
    left = np.where(is_band, power, 0.0)
    gratings = _take_peak(left) + _take_peak(left)
    return gratings > _LEAST_SHARE * band


def _compute_power(
    frame: Float32[Array, "height width"],
) -> tuple[Float64[Array, "height width"], Float64[Array, "height width"]]:
    height, width = frame.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None, :]
    values = (frame - frame.mean(dtype=np.float64)) * window
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    return np.abs(np.fft.fft2(values)) ** 2, frequency


def _take_peak(power: Float64[Array, "height width"]) -> float:
    """The energy around the highest peak and its mirror image, which is then removed."""
    height, width = power.shape
    row, column = np.unravel_index(int(np.argmax(power)), power.shape)
    taken = 0.0
    for sign in (1, -1):
        rows = (sign * row + np.arange(-1, 2)) % height
        columns = (sign * column + np.arange(-1, 2)) % width
        taken += float(power[np.ix_(rows, columns)].sum())
        power[np.ix_(rows, columns)] = 0.0
    return taken
