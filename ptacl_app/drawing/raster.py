"""ECG samples → braille dots, by numbers alone: envelopes, dot rows, character codes.

A character cell holds 2 x 4 dots. A dot column covers a span of samples; it shows the
envelope of the span, so that no spike is lost at any width, or one dot at its mean where
the span is nearly level, so that the baseline stays one thin line.
"""

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, Int64

DOTS_PER_COLUMN = 2
DOTS_PER_ROW = 4
LEVEL_RANGE_DOTS = 1.3
"""Spans whose range is smaller are drawn as one dot at their mean."""
BLANK = 0x20
_BRAILLE = 0x2800
_DOT_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)


def compute_envelope(
    signal_mv: Float32[Array, " sample"], *, num_dots: int, samples_per_dot: float
) -> tuple[Float64[Array, " dot"], Float64[Array, " dot"], Float64[Array, " dot"]]:
    """Lowest, highest and mean value of each dot column, NaN where there is no sample.

    Each span starts with the last sample of the one before it, so that neighbouring columns
    touch and the drawn line has no gap.
    """
    low = np.full(num_dots, np.nan)
    high = np.full(num_dots, np.nan)
    mean = np.full(num_dots, np.nan)
    edges = np.floor(np.arange(num_dots + 1) * samples_per_dot + 0.5).astype(np.int64)
    num_full = int(np.searchsorted(edges[1:], signal_mv.size, side="right"))
    if num_full == 0:
        return low, high, mean
    starts, ends = edges[:num_full], np.maximum(edges[1 : num_full + 1], edges[:num_full] + 1)
    used = signal_mv[: int(ends[-1])].astype(np.float64)
    counts = np.diff(np.append(starts, used.size))
    low[:num_full] = np.minimum.reduceat(used, starts)
    high[:num_full] = np.maximum.reduceat(used, starts)
    mean[:num_full] = np.add.reduceat(used, starts) / counts
    before = used[starts[1:] - 1]
    low[1:num_full] = np.minimum(low[1:num_full], before)
    high[1:num_full] = np.maximum(high[1:num_full], before)
    return low, high, mean


def compute_dot_rows(
    low_mv: Float64[Array, " dot"],
    high_mv: Float64[Array, " dot"],
    mean_mv: Float64[Array, " dot"],
    *,
    dots_per_mv: float,
    baseline_dot: int,
) -> tuple[Int64[Array, " dot"], Int64[Array, " dot"]]:
    """Top and bottom dot row of each column, counted downwards; columns of NaN give 1, 0."""
    is_level = (high_mv - low_mv) * dots_per_mv < LEVEL_RANGE_DOTS
    upper = np.where(is_level, mean_mv, high_mv)
    lower = np.where(is_level, mean_mv, low_mv)
    is_missing = np.isnan(upper)
    top = baseline_dot - np.floor(np.where(is_missing, 0.0, upper) * dots_per_mv + 0.5)
    bottom = baseline_dot - np.floor(np.where(is_missing, 0.0, lower) * dots_per_mv + 0.5)
    top, bottom = top.astype(np.int64), bottom.astype(np.int64)
    top[is_missing], bottom[is_missing] = 1, 0
    return top, bottom


def fill_dots(
    top: Int64[Array, " dot"], bottom: Int64[Array, " dot"], *, num_dot_rows: int
) -> Bool[Array, "dot_row dot"]:
    """Which dots are set between `top` and `bottom` of each column, cut to the rows there are."""
    rows = np.arange(num_dot_rows)[:, None]
    return (rows >= top) & (rows <= bottom)


def pack_braille(dots: Bool[Array, "dot_row dot"]) -> Array:
    """Character codes (uint32) [row, column] of a dot matrix whose sides are whole cells.

    An empty cell is a space: some fonts draw the empty braille pattern as eight circles.
    """
    num_rows, num_columns = dots.shape[0] // DOTS_PER_ROW, dots.shape[1] // DOTS_PER_COLUMN
    cells = dots.reshape(num_rows, DOTS_PER_ROW, num_columns, DOTS_PER_COLUMN)
    bits = np.einsum("rdcx,dx->rc", cells, _DOT_BITS, dtype=np.uint32)
    return np.where(bits == 0, BLANK, bits + _BRAILLE).astype(np.uint32)


def unpack_braille(codes: Array) -> Bool[Array, "dot_row dot"]:
    """The dot matrix that `pack_braille` packed."""
    bits = np.where(codes == BLANK, 0, codes.astype(np.int64) - _BRAILLE)
    cells = (bits[:, None, :, None] & _DOT_BITS[None, :, None, :].astype(np.int64)) != 0
    return cells.reshape(codes.shape[0] * DOTS_PER_ROW, codes.shape[1] * DOTS_PER_COLUMN)


def decode_characters(codes: Array) -> str:
    """A row of character codes as text."""
    return codes.astype("<u4").tobytes().decode("utf-32-le")
