"""End-diastole and end-systole from the images: the area of the bright cavity over the cycle."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64

_REACH_MM = 38.0
_SMOOTHING_MM = 1.5
_NUM_HARMONICS = 4
_LEAST_CONTRACTION = 0.08
"""Smaller changes of the area are noise, not a beat."""
_MOST_NOISE = 0.5
"""What the harmonics leave of the curve, in parts of its swing, above which it says nothing."""


@dataclass(frozen=True, slots=True)
class CardiacPhases:
    """Frames of the largest and the smallest cavity, and by which part the area shrinks."""

    end_diastole: int
    end_systole: int
    contraction: float


def find_phases(
    cine: Float32[Array, "frame height width"],
    *,
    centre_px: tuple[float, float],
    spacing_mm: tuple[float, float],
) -> CardiacPhases | None:
    """End-diastole and end-systole of one slice, None when its cavity hardly changes.

    `centre_px` is the heart centre (row, column), `spacing_mm` (row, column). The area curve is
    smoothed over the closed cycle by its first harmonics.
    """
    area_mm2 = measure_cavity_mm2(cine, centre_px=centre_px, spacing_mm=spacing_mm)
    if len(area_mm2) < 4 or not area_mm2.max() > 0:
        return None
    spectrum = np.fft.rfft(area_mm2)
    spectrum[_NUM_HARMONICS + 1 :] = 0
    smooth = np.fft.irfft(spectrum, len(area_mm2))
    largest, smallest = float(smooth.max()), float(smooth.min())
    contraction = (largest - smallest) / largest
    noise = float(np.std(area_mm2 - smooth)) / max(largest - smallest, 1e-9)
    if contraction < _LEAST_CONTRACTION or noise > _MOST_NOISE:
        return None
    return CardiacPhases(int(np.argmax(smooth)), int(np.argmin(smooth)), contraction)


def measure_cavity_mm2(
    cine: Float32[Array, "frame height width"],
    *,
    centre_px: tuple[float, float],
    spacing_mm: tuple[float, float],
) -> Float64[Array, " frame"]:
    """Area of the bright region around the heart centre in each frame, in mm².

    Bright is above the threshold that divides the pixels within 38 mm best (Otsu, IEEE Trans SMC
    1979); of the regions in each frame the one that overlaps most with the cavity of the mean
    image counts, so that the right ventricle beside it does not join by turns.
    """
    from scipy.ndimage import gaussian_filter

    height, width = cine.shape[1:]
    row_mm = (np.arange(height)[:, None] - centre_px[0]) * spacing_mm[0]
    column_mm = (np.arange(width)[None, :] - centre_px[1]) * spacing_mm[1]
    distance_mm = np.hypot(row_mm, column_mm)
    rows = np.flatnonzero((distance_mm <= _REACH_MM).any(axis=1))
    columns = np.flatnonzero((distance_mm <= _REACH_MM).any(axis=0))
    if not len(rows) or not len(columns):
        return np.zeros(len(cine))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    near = distance_mm[window] <= _REACH_MM
    sigma = (0, _SMOOTHING_MM / spacing_mm[0], _SMOOTHING_MM / spacing_mm[1])
    frames = gaussian_filter(cine[(slice(None), *window)].astype(np.float64), sigma)
    if not np.ptp(frames[:, near]) > 0:
        return np.zeros(len(cine))
    threshold = _divide(frames[:, near])
    bright = (frames.mean(axis=0) > threshold) & near
    cavity = _central_region(bright, near, distance_mm[window])
    areas = np.zeros(len(cine))
    for at, frame in enumerate(frames):
        regions = _label((frame > threshold) & near)
        number = int(regions.max())
        if number:
            overlap = np.bincount(regions[cavity], minlength=number + 1)[1:]
            areas[at] = np.count_nonzero(regions == 1 + int(overlap.argmax()))
    return areas * spacing_mm[0] * spacing_mm[1]


def _label(is_bright: Bool[Array, "height width"]) -> np.ndarray:
    """The number of the connected region of each pixel, 0 for those in none."""
    from scipy.ndimage import label

    regions = np.zeros(is_bright.shape, np.int32)
    label(is_bright, output=regions)
    return regions


def _central_region(
    is_bright: Bool[Array, "height width"],
    near: Bool[Array, "height width"],
    distance_mm: Float64[Array, "height width"],
) -> Bool[Array, "height width"]:
    """The bright region nearest to the centre, of those that are more than specks."""
    regions = _label(is_bright)
    number = int(regions.max())
    if number == 0:
        return near
    sizes = np.bincount(regions.ravel())[1:]
    nearest = np.array([distance_mm[regions == index + 1].min() for index in range(number)])
    nearest[sizes < 0.1 * sizes.max()] = np.inf
    return regions == 1 + int(nearest.argmin())


def _divide(values: np.ndarray) -> float:
    """Otsu's threshold between the dark and the bright of `values`."""
    counts, edges = np.histogram(values, bins=128)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(middles[int(np.argmax(np.nan_to_num(between, posinf=0.0)))])
