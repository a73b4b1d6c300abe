"""A picture in pixels with a palette: what the drawing modules make and the terminal shows."""

import io
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, UInt8

MAX_COLOURS = 256
PNG_LEVEL = 4
"""zlib effort: a page takes 4 ms and about 40 kB; level 9 takes 60 ms for a tenth less."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Palette indices of every pixel, row 0 at the top, and the palette."""

    indices: UInt8[Array, "row column"]
    palette: UInt8[Array, "entry rgb"]

    @property
    def width_px(self) -> int:
        """Pixels across."""
        return self.indices.shape[1]

    @property
    def height_px(self) -> int:
        """Pixels down."""
        return self.indices.shape[0]

    def cropped(self, *, left: int, top: int, width: int, height: int) -> "Picture":
        """A part of it, in pixels; what lies outside is left out."""
        rows = slice(max(top, 0), max(top + height, 0))
        columns = slice(max(left, 0), max(left + width, 0))
        return Picture(np.ascontiguousarray(self.indices[rows, columns]), self.palette)

    def to_rgb(self) -> UInt8[Array, "row column rgb"]:
        """The colour of every pixel."""
        return self.palette[self.indices]

    def encode_png(self) -> bytes:
        """As a PNG with a palette."""
        from PIL import Image

        image = Image.fromarray(self.indices)
        image = image.convert("P") if image.mode != "P" else image
        image.putpalette(self.palette.tobytes())
        stream = io.BytesIO()
        image.save(stream, format="PNG", compress_level=PNG_LEVEL)
        return stream.getvalue()
