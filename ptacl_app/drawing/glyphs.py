"""Text in pixels: the coverage of each pixel under a line of text, kept for the next time."""

from functools import lru_cache

import numpy as np

from ptacl_core.arrays import Array, UInt8


@lru_cache(maxsize=512)
def draw_text(text: str, size_px: int) -> UInt8[Array, "row column"]:
    """Coverage (0 … 255) of one line in the typeface that comes with Pillow.

    Read-only; the rows go from the top of a capital to the foot of a `g`.
    """
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size_px)
    left, _, right, _ = font.getbbox(text)
    top, bottom = font.getbbox("Ag")[1], font.getbbox("Ag")[3]
    image = Image.new("L", (max(int(right - left), 1), max(int(bottom - top), 1)), 0)
    ImageDraw.Draw(image).text((-left, -top), text, fill=255, font=font)
    coverage = np.array(image, np.uint8)
    coverage.flags.writeable = False
    return coverage
