"""Resampling of a cine as matrices: a zero-padded crop in mm, and the cycle in equal phases."""

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64

_SAME_SIZE = 0.01


def crop_matrix(
    num_source: int, *, centre: float, step: float, size: int
) -> Float64[Array, "size source"]:
    """Weights that sample `size` points, `step` source pixels apart, point `size // 2` at `centre`.

    Linear interpolation; where the step exceeds one pixel the triangle widens to the step, so that
    finer detail is averaged and not aliased. Points outside the source are zero. With step 1 and
    points on pixels the matrix only copies.
    """
    points = centre + (np.arange(size) - size // 2) * step
    half_width = max(step, 1.0)
    nearest = np.floor(points).astype(np.int64)
    reach = int(np.ceil(half_width))
    sources = nearest[:, None] + np.arange(-reach, reach + 2)
    weights = np.maximum(1 - np.abs(sources - points[:, None]) / half_width, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((size, num_source))
    inside = (sources >= 0) & (sources < num_source)
    rows = np.broadcast_to(np.arange(size)[:, None], sources.shape)
    np.add.at(matrix, (rows[inside], sources[inside]), weights[inside])
    return matrix


def cycle_matrix(num_source: int, num_frames: int) -> Float64[Array, "frame source"]:
    """Weights that read `num_frames` equal phases off a cycle of `num_source` frames.

    Frame 0 stays; the last frame joins the first. Equal numbers give the identity.
    """
    points = np.arange(num_frames) * num_source / num_frames
    before = np.floor(points).astype(np.int64)
    fraction = points - before
    matrix = np.zeros((num_frames, num_source))
    rows = np.arange(num_frames)
    np.add.at(matrix, (rows, before % num_source), 1 - fraction)
    np.add.at(matrix, (rows, (before + 1) % num_source), fraction)
    return matrix


def crop_frames(
    frames: Float32[Array, "frame height width"],
    *,
    centre_px: tuple[float, float],
    step_px: tuple[float, float],
    size_px: int,
) -> tuple[Float64[Array, "frame size size"], float]:
    """The square window around `centre_px` (row, column), and which part of it is padding.

    Pixel `size_px // 2` of the window lies at the centre. `step_px` is the new pixel size in
    source pixels, (row, column); where both are one within 1 % the centre is set on a whole pixel
    and values are copied. Outside the image values are zero.
    """
    if all(abs(step - 1) <= _SAME_SIZE for step in step_px):
        step_px = (1.0, 1.0)
        centre_px = float(round(centre_px[0])), float(round(centre_px[1]))
    row, column = centre_px
    by_row = crop_matrix(frames.shape[1], centre=row, step=step_px[0], size=size_px)
    by_column = crop_matrix(frames.shape[2], centre=column, step=step_px[1], size=size_px)
    cropped = by_row @ frames.astype(np.float64) @ by_column.T
    covered = np.outer(by_row.sum(axis=1), by_column.sum(axis=1)) > 0.5
    return cropped, float(1 - covered.mean())


def resample_cycle(
    frames: Float64[Array, "source height width"], num_frames: int
) -> Float64[Array, "frame height width"]:
    """`num_frames` equal phases of the cycle; frames of that number already are returned as is."""
    if len(frames) == num_frames:
        return frames
    return np.tensordot(cycle_matrix(len(frames), num_frames), frames, axes=1)
