"""Where the heart lies in a short-axis cine: from a segmentation, else from the images alone.

The left ventricle is a bright disc whose border moves once per beat. Every edge that moves votes
for the points that its gradient (towards bright) points at; a centre is where votes come in from
all around at one distance. Votes are weighted by movement because a round organ at rest, or the
right ventricle beside it, otherwise wins (formats.md gives the recipe this grew from).
"""

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, UInt8

_RADII_MM = np.arange(16.0, 33.0, 2.0)
_RADII_PER_RING = 3
_CLIP_PERCENTILE = 98.0
_GRADIENT_SMOOTHING_MM = 2.0
_KEPT_GRADIENT_FRACTION = 0.5
_GRADIENT_CAP_PERCENTILE = 70.0
_MOVEMENT_SMOOTHING_MM = 4.0
_MOVING_AREA_MM2 = 6000.0
_SMALLEST_MOVEMENT = 1e-5
_VOTE_SMOOTHING_MM = 3.0
_PRIOR_SIGMA_MM = 70.0
_PEAK_SMOOTHING_MM = 2.7


def find_heart_centre(
    frames: Float32[Array, "slice frame height width"], *, spacing_mm: tuple[float, float]
) -> tuple[float, float] | None:
    """Centre (row, column) in pixels of the left ventricle, None when nothing in the images beats.

    Movement-weighted radial symmetry over 16–32 mm from the central half of the slices, times a
    Gaussian prior (70 mm) around the image centre. `spacing_mm` is (row, column); intensities
    must be finite.
    """
    from scipy.ndimage import gaussian_filter

    num_slices, num_frames, height, width = frames.shape
    if num_frames < 2 or min(height, width) < 2:
        return None
    quarter = num_slices // 4
    votes = np.zeros((3, len(_RADII_MM), height, width), dtype=np.float32)
    for cine in frames[quarter : num_slices - quarter]:
        _cast_votes(cine, spacing_mm, votes)
    score = _rate_rings(votes, spacing_mm) * _prior(height, width, spacing_mm)
    score = gaussian_filter(score, _sigma_px(_PEAK_SMOOTHING_MM, spacing_mm))
    if not score.max() > 0:
        return None
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    return float(row), float(column)


def find_segmentation_centre(
    labels: UInt8[Array, "frame height width"],
) -> tuple[float, float] | None:
    """Centre (row, column) of the box around every label of all frames; None without labels."""
    is_heart: Bool[Array, "height width"] = np.any(labels > 0, axis=0, keepdims=True)[0]
    if not is_heart.any():
        return None
    rows = np.flatnonzero(is_heart.any(axis=1))
    columns = np.flatnonzero(is_heart.any(axis=0))
    return (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2


def _cast_votes(
    cine: Float32[Array, "frame height width"],
    spacing_mm: tuple[float, float],
    votes: Float32[Array, "3 radius height width"],
) -> None:
    """Add the votes of one slice: their number, and their mean direction (row, column)."""
    from scipy.ndimage import gaussian_filter

    image = cine.mean(axis=0, dtype=np.float64)
    clipped = np.minimum(image, np.percentile(image, _CLIP_PERCENTILE))
    smooth = gaussian_filter(clipped, _sigma_px(_GRADIENT_SMOOTHING_MM, spacing_mm))
    by_row = np.gradient(smooth, spacing_mm[0], axis=0)  # per mm, so that directions are true
    by_column = np.gradient(smooth, spacing_mm[1], axis=1)
    steepness = np.hypot(by_row, by_column)
    is_edge = steepness >= np.quantile(steepness, 1 - _KEPT_GRADIENT_FRACTION)
    is_edge &= steepness > 1e-6 * float(np.ptp(clipped))
    movement = _movement(cine, spacing_mm)
    largest_movement = float(movement.max())
    contrast = float(cine.max() - cine.min())
    if not is_edge.any() or not largest_movement > _SMALLEST_MOVEMENT * contrast:
        return
    strength = steepness[is_edge]
    strongest = np.percentile(strength, _GRADIENT_CAP_PERCENTILE)
    weight = np.minimum(strength, strongest) / strongest * movement[is_edge] / largest_movement
    rows, columns = np.nonzero(is_edge)
    along_row, along_column = by_row[is_edge] / strength, by_column[is_edge] / strength
    height, width = image.shape
    for index, radius_mm in enumerate(_RADII_MM):
        to_row = np.rint(rows + radius_mm * along_row / spacing_mm[0]).astype(np.int64)
        to_column = np.rint(columns + radius_mm * along_column / spacing_mm[1]).astype(np.int64)
        inside = (to_row >= 0) & (to_row < height) & (to_column >= 0) & (to_column < width)
        place = to_row[inside] * width + to_column[inside]
        counted = weight[inside] / radius_mm
        for layer, factor in enumerate((1.0, along_row[inside], along_column[inside])):
            added = np.bincount(place, weights=counted * factor, minlength=height * width)
            votes[layer, index] += added.reshape(height, width)


def _movement(
    cine: Float32[Array, "frame height width"], spacing_mm: tuple[float, float]
) -> Float64[Array, "height width"]:
    """Amplitude of what changes once per beat, smoothed, capped at what a heart's area exceeds."""
    from scipy.ndimage import gaussian_filter

    num_frames = len(cine)
    phase = 2 * np.pi * np.arange(num_frames) / num_frames
    flat = cine.reshape(num_frames, -1)
    flat = flat - flat[0]  # a full cycle of cosines ignores it, rounding does not
    cosine = np.cos(phase).astype(np.float32) @ flat
    sine = np.sin(phase).astype(np.float32) @ flat
    amplitude = np.hypot(cosine, sine).reshape(cine.shape[1:]).astype(np.float64) / num_frames
    smooth = gaussian_filter(amplitude, _sigma_px(_MOVEMENT_SMOOTHING_MM, spacing_mm))
    fraction = min(_MOVING_AREA_MM2 / (smooth.size * spacing_mm[0] * spacing_mm[1]), 0.5)
    return np.minimum(smooth, np.quantile(smooth, 1 - fraction))


def _rate_rings(
    votes: Float32[Array, "3 radius height width"], spacing_mm: tuple[float, float]
) -> Float64[Array, "height width"]:
    """Over rings of neighbouring radii: (votes − |sum of their directions|)².

    Votes from all around cancel in the sum of directions, those of a straight edge do not.
    """
    from scipy.ndimage import gaussian_filter

    sigma = _sigma_px(_VOTE_SMOOTHING_MM, spacing_mm)
    score = np.zeros(votes.shape[2:])
    smooth = np.stack(
        [
            [gaussian_filter(votes[layer, index], sigma) for index in range(len(_RADII_MM))]
            for layer in range(3)
        ]
    )
    balanced = np.maximum(smooth[0] - np.hypot(smooth[1], smooth[2]), 0)
    for first in range(len(_RADII_MM) - _RADII_PER_RING + 1):
        ring = balanced[first : first + _RADII_PER_RING].mean(axis=0, dtype=np.float64)
        score += ring**2
    return score


def _prior(
    height: int, width: int, spacing_mm: tuple[float, float]
) -> Float64[Array, "height width"]:
    row_mm = (np.arange(height) - (height - 1) / 2) * spacing_mm[0]
    column_mm = (np.arange(width) - (width - 1) / 2) * spacing_mm[1]
    squared = row_mm[:, None] ** 2 + column_mm[None, :] ** 2
    return np.exp(-squared / (2 * _PRIOR_SIGMA_MM**2))


def _sigma_px(sigma_mm: float, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    return sigma_mm / spacing_mm[0], sigma_mm / spacing_mm[1]
