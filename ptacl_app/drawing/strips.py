"""Cells → Textual strips: one segment for every run of cells of one style."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from rich.color import Color, blend_rgb
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ptacl_core.arrays import Array, UInt8


def build_strip(text: str, style_keys: Array, styles: Sequence[Style]) -> Strip:
    """A strip of single-width characters; `style_keys` index `styles`, one per character."""
    edges = np.flatnonzero(np.diff(style_keys)) + 1
    starts = [0, *edges.tolist()]
    ends = [*edges.tolist(), len(text)]
    segments = [
        Segment(text[start:end], styles[int(style_keys[start])])
        for start, end in zip(starts, ends, strict=True)
    ]
    return Strip(segments, len(text))


def tint(ground: Color | None, colour: Color | None, share: float) -> Color | None:
    """`ground` with a share of `colour` in it, 0 … 1."""
    if ground is None or colour is None:
        return ground
    return Color.from_triplet(blend_rgb(ground.get_truecolor(), colour.get_truecolor(), share))


@lru_cache(maxsize=8192)
def build_grey_style(upper: int, lower: int) -> Style:
    """The style of a half block: ink for its upper, ground for its lower half."""
    return Style(
        color=Color.from_rgb(upper, upper, upper), bgcolor=Color.from_rgb(lower, lower, lower)
    )


def build_half_block_strips(greys: UInt8[Array, "half_row column"]) -> list[Strip]:
    """Rows of half blocks from grey values, two half rows to a row."""
    strips = []
    width = greys.shape[1]
    for upper, lower in zip(greys[0::2], greys[1::2], strict=True):
        pairs = upper.astype(np.int32) << 8 | lower
        edges = np.flatnonzero(np.diff(pairs)) + 1
        starts = [0, *edges.tolist()]
        ends = [*edges.tolist(), width]
        values = pairs[starts].tolist()
        segments = [
            Segment("▀" * (end - start), build_grey_style(value >> 8, value & 0xFF))
            for start, end, value in zip(starts, ends, values, strict=True)
        ]
        strips.append(Strip(segments, width))
    return strips
