"""A picture as sixels: bands of six pixel rows, colour by colour, runs counted.

Reference: DEC STD 070 / VT330/VT340 manual, chapter 14 (DECGRA, DECGRI, DECGCI, DECGCR, DECGNL).
The whole picture is taken at once, as arrays: in Python, run by run, a frame takes 50 ms.
"""

from functools import lru_cache

import numpy as np

from ptacl_app.drawing.picture import Picture
from ptacl_core.arrays import Array, Bool, Float64, Int64, UInt8

BAND_PX = 6
MAX_REGISTERS = 256
_MIN_RUN = 4
"""Shorter runs are cheaper written out than counted."""
_BLANK = 63
"""The letter of no pixel; a set bit of the six adds to it."""
_INTRODUCER = "\x1bP0;1q"
"""Pixels that no colour covers keep what is there."""
_END = "\x1b\\"


def encode_sixel(picture: Picture, *, max_colours: int = MAX_REGISTERS) -> str:
    """The whole sequence; colours beyond `max_colours` become the nearest of those kept."""
    indices, palette = _reduce(picture, max_colours)
    height, width = indices.shape
    registers = "".join(
        f"#{number};2;{red};{green};{blue}"
        for number, (red, green, blue) in enumerate(
            np.floor(palette.astype(np.float64) / 255 * 100 + 0.5).astype(int).tolist()
        )
    )
    lines = _find_lines(indices, len(palette))
    body = _write_lines(*lines).tobytes().decode("ascii")
    return f'{_INTRODUCER}"1;1;{width};{height}{registers}{body}{_END}'


def _reduce(
    picture: Picture, max_colours: int
) -> tuple[UInt8[Array, "row column"], UInt8[Array, "entry rgb"]]:
    """Indices from 0 without gaps, and their colours."""
    counts = np.bincount(picture.indices.ravel(), minlength=picture.palette.shape[0])
    used = np.flatnonzero(counts)
    colours = picture.palette[used].astype(np.float64)
    kept = _choose_colours(colours, int(counts[used].argmax()), max_colours)
    distance = ((colours[:, None, :] - colours[kept][None, :, :]) ** 2).sum(axis=2)
    table = np.zeros(picture.palette.shape[0], np.uint8)
    table[used] = distance.argmin(axis=1)
    return table[picture.indices], picture.palette[used[kept]]


def _choose_colours(
    colours: Float64[Array, "colour rgb"], commonest: int, max_colours: int
) -> Int64[Array, " kept"]:
    """Those that leave no colour far from all of them: the farthest is the next one kept.

    The commonest ones would leave out what is rare and matters: a bright rim, a thin line.
    """
    if len(colours) <= max_colours:
        return np.arange(len(colours))
    kept, distance = [], np.full(len(colours), np.inf)
    while len(kept) < max_colours:
        kept.append(int(distance.argmax()) if kept else commonest)
        distance = np.minimum(distance, ((colours - colours[kept[-1]]) ** 2).sum(axis=1))
    return np.sort(np.array(kept))


def _find_lines(
    indices: UInt8[Array, "row column"], num_colours: int
) -> tuple[UInt8[Array, "line column"], Int64[Array, " line"], Bool[Array, " line"]]:
    """The six bits of each column, for each colour of each band; colour, and where a band begins.

    The commonest colour of a band goes first and fills it: one run in the place of hundreds.
    The others are written over it.
    """
    height, width = indices.shape
    num_bands = -(-height // BAND_PX)
    bits = np.zeros((num_bands, num_colours, width), np.uint8)
    flat = bits.reshape(-1)
    columns = np.arange(width)
    for row in range(BAND_PX):
        part = indices[row::BAND_PX]
        bands = np.arange(part.shape[0])[:, None]
        flat[(bands * num_colours + part) * width + columns] |= 1 << row
    bands = np.arange(height)[:, None] // BAND_PX
    counts = np.bincount((bands * num_colours + indices).ravel(), minlength=num_bands * num_colours)
    counts = counts.reshape(num_bands, num_colours)
    commonest = counts.argmax(axis=1)
    fills = np.full(num_bands, (1 << BAND_PX) - 1, np.uint8)
    fills[-1] = (1 << (height - (num_bands - 1) * BAND_PX)) - 1
    bits[np.arange(num_bands), commonest] = fills[:, None]
    counts[np.arange(num_bands), commonest] = indices.size + 1
    band_of, colour_of = np.nonzero(counts)
    order = np.lexsort((-counts[band_of, colour_of], band_of))
    band_of, colour_of = band_of[order], colour_of[order]
    is_first = np.diff(band_of, prepend=-1) > 0
    return bits[band_of, colour_of], colour_of, is_first


def _write_lines(
    bits: UInt8[Array, "line column"],
    colours: Int64[Array, " line"],
    is_first: Bool[Array, " line"],
) -> UInt8[Array, " byte"]:
    """The letters of all lines; blanks at a line's end are left out."""
    num_lines, width = bits.shape
    is_edge = np.ones((num_lines, width), bool)
    is_edge[:, 1:] = bits[:, 1:] != bits[:, :-1]
    places = np.flatnonzero(is_edge)
    lengths = np.diff(np.append(places, bits.size))
    values = bits.reshape(-1)[places]
    lines = places // width
    is_last = np.append(lines[1:] != lines[:-1], True)
    is_kept = ~(is_last & (values == 0))
    lines, lengths, values = lines[is_kept], lengths[is_kept], values[is_kept]
    heads, tails = _head_table(), _run_table(width)
    starts = np.diff(lines, prepend=-1) > 0
    matrix = np.zeros((lines.size, heads.shape[1] + tails.shape[1]), np.uint8)
    matrix[starts, : heads.shape[1]] = heads[colours]
    matrix[np.flatnonzero(starts), 0] = np.where(is_first, ord("-"), ord("$"))
    letters = tails[lengths]
    matrix[:, heads.shape[1] :] = np.where(letters == 1, (values + _BLANK)[:, None], letters)
    matrix[0, 0] = 0
    return matrix[matrix != 0]


@lru_cache(maxsize=1)
def _head_table() -> UInt8[Array, "colour byte"]:
    """What a line begins with: room for `$` or `-`, then its colour."""
    table = np.zeros((MAX_REGISTERS, 5), np.uint8)
    for colour in range(MAX_REGISTERS):
        text = f" #{colour}".encode()
        table[colour, : len(text)] = np.frombuffer(text, np.uint8)
    return table


@lru_cache(maxsize=64)
def _run_table(width: int) -> UInt8[Array, "length byte"]:
    """What a run of each length is written as; 1 stands for its letter."""
    num_bytes = max(len(str(width)) + 2, _MIN_RUN - 1)
    table = np.zeros((width + 1, num_bytes), np.uint8)
    for length in range(1, width + 1):
        text = b"\x01" * length if length < _MIN_RUN else b"!%d\x01" % length
        table[length, : len(text)] = np.frombuffer(text, np.uint8)
    return table
