"""A picture as sixels: bands of six pixel rows, colour by colour, runs counted.

Reference: DEC STD 070 / VT330/VT340 manual, chapter 14 (DECGRA, DECGRI, DECGCI, DECGCR, DECGNL).
"""

import numpy as np

from ptacl_app.drawing.picture import Picture
from ptacl_core.arrays import Array, Int64, UInt8

BAND_PX = 6
MAX_REGISTERS = 256
_MIN_RUN = 4
"""Shorter runs are cheaper written out than counted."""
_INTRODUCER = "\x1bP0;1q"
"""Pixels that no colour covers keep what is there."""
_END = "\x1b\\"


def encode_sixel(picture: Picture, *, max_colours: int = MAX_REGISTERS) -> str:
    """The whole sequence; colours beyond `max_colours` become the nearest of the others."""
    indices, palette = _reduce(picture, max_colours)
    height, width = indices.shape
    registers = "".join(
        f"#{number};2;{red};{green};{blue}"
        for number, (red, green, blue) in enumerate(
            np.floor(palette.astype(np.float64) / 255 * 100 + 0.5).astype(int).tolist()
        )
    )
    padding = -height % BAND_PX
    padded = np.pad(indices.astype(np.int16), ((0, padding), (0, 0)), constant_values=-1)
    bands = padded.reshape(-1, BAND_PX, width)
    body = "-".join(_encode_band(band) for band in bands)
    return f'{_INTRODUCER}"1;1;{width};{height}{registers}{body}{_END}'


def _reduce(
    picture: Picture, max_colours: int
) -> tuple[UInt8[Array, "row column"], UInt8[Array, "entry rgb"]]:
    """Indices from 0 without gaps, and their colours."""
    counts = np.bincount(picture.indices.ravel(), minlength=picture.palette.shape[0])
    used = np.flatnonzero(counts)
    kept = np.sort(used[np.argsort(-counts[used], kind="stable")[:max_colours]])
    colours = picture.palette.astype(np.float64)
    distance = ((colours[used][:, None, :] - colours[kept][None, :, :]) ** 2).sum(axis=2)
    table = np.zeros(picture.palette.shape[0], np.uint8)
    table[used] = distance.argmin(axis=1)
    return table[picture.indices], picture.palette[kept]


def _encode_band(band: Int64[Array, "6 column"]) -> str:
    """Six rows: one line of sixels for each colour in them, written over one another.

    The commonest colour goes first and fills the band: one run in the place of hundreds.
    """
    weights = (1 << np.arange(BAND_PX, dtype=np.uint8))[:, None]
    counts = np.bincount(band[band >= 0])
    commonest = int(counts.argmax())
    filled = int(weights[(band >= 0).any(axis=1)].sum())
    lines = [f"#{commonest}{_encode_runs(np.full(band.shape[1], filled, np.uint8))}"]
    for colour in np.flatnonzero(counts):
        if colour == commonest:
            continue
        bits = ((band == colour) * weights).sum(axis=0, dtype=np.uint8)
        last = int(np.flatnonzero(bits)[-1]) + 1
        lines.append(f"#{colour}{_encode_runs(bits[:last])}")
    return "$".join(lines)


def _encode_runs(bits: UInt8[Array, " column"]) -> str:
    edges = np.flatnonzero(np.diff(bits)) + 1
    starts = np.concatenate(([0], edges))
    lengths = np.diff(np.append(starts, bits.size))
    parts = []
    for value, length in zip(bits[starts].tolist(), lengths.tolist(), strict=True):
        letter = chr(63 + value)
        parts.append(letter * length if length < _MIN_RUN else f"!{length}{letter}")
    return "".join(parts)
