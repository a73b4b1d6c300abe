"""A curve → how much of each pixel its stroke covers, by exact areas of narrow columns.

Every pixel column is cut into `SUBCOLUMNS`. Within each the curve's lowest and highest point
are found (no spike is lost at any width), widened by a round pen, and the area that the
interval takes of each pixel is summed up. The cost grows with the columns, not with the pixels.
"""

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64

SUBCOLUMNS = 4


def compute_coverage(
    x_px: Float64[Array, " point"],
    y_px: Float64[Array, " point"],
    *,
    width_px: int,
    height_px: int,
    stroke_px: float,
) -> Float32[Array, "row column"]:
    """Share of each pixel (0 … 1) under a stroke through points of growing `x_px`.

    NaN in `y_px` interrupts the curve. Pixel (0, 0) covers x and y from 0 to 1.
    """
    top, bottom = _find_extents(x_px, y_px, width_px=width_px)
    top, bottom = _widen(top, bottom, radius_px=stroke_px / 2)
    columns = np.repeat(np.arange(width_px), SUBCOLUMNS)
    is_drawn = ~np.isnan(top)
    columns, top, bottom = columns[is_drawn], top[is_drawn], bottom[is_drawn]
    top = np.clip(top, 0.0, float(height_px))
    bottom = np.clip(bottom, 0.0, float(height_px))
    change = np.zeros((height_px + 2) * width_px)
    for edge, sign in ((top, 1.0), (bottom, -1.0)):
        row = np.floor(edge).astype(np.int64)
        share = edge - row
        place = row * width_px + columns
        weight = sign / SUBCOLUMNS
        change += np.bincount(place, weight * (1.0 - share), change.size)
        change += np.bincount(place + width_px, weight * share, change.size)
    covered = np.cumsum(change.reshape(height_px + 2, width_px), axis=0)[:height_px]
    return np.clip(covered, 0.0, 1.0).astype(np.float32)


def _find_extents(
    x_px: Float64[Array, " point"], y_px: Float64[Array, " point"], *, width_px: int
) -> tuple[Float64[Array, " subcolumn"], Float64[Array, " subcolumn"]]:
    """Lowest and highest y of the curve within each narrow column, NaN where there is none."""
    edges = np.arange(width_px * SUBCOLUMNS + 1) / SUBCOLUMNS
    at_edges = np.interp(edges, x_px, y_px, left=np.nan, right=np.nan)
    top = np.fmin(at_edges[:-1], at_edges[1:])
    bottom = np.fmax(at_edges[:-1], at_edges[1:])
    firsts = np.searchsorted(x_px, edges)
    has_points = firsts[1:] > firsts[:-1]
    if has_points.any():
        starts = firsts[:-1][has_points]
        inside = y_px[: firsts[-1]]
        top[has_points] = np.fmin(top[has_points], np.fmin.reduceat(inside, starts))
        bottom[has_points] = np.fmax(bottom[has_points], np.fmax.reduceat(inside, starts))
    return top, bottom


def _widen(
    top: Float64[Array, " subcolumn"], bottom: Float64[Array, " subcolumn"], *, radius_px: float
) -> tuple[Float64[Array, " subcolumn"], Float64[Array, " subcolumn"]]:
    """The extents under a round pen: each narrow column sees its neighbours' too."""
    wide_top, wide_bottom = top - radius_px, bottom + radius_px
    reach = int(radius_px * SUBCOLUMNS)
    for offset in range(1, reach + 1):
        height = float(np.sqrt(max(radius_px**2 - (offset / SUBCOLUMNS) ** 2, 0.0)))
        for ours, theirs in (
            (slice(offset, None), slice(None, -offset)),
            (slice(None, -offset), slice(offset, None)),
        ):
            wide_top[ours] = np.fmin(wide_top[ours], top[theirs] - height)
            wide_bottom[ours] = np.fmax(wide_bottom[ours], bottom[theirs] + height)
    return wide_top, wide_bottom
