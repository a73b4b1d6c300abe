"""A cine frame as a picture: smoothly enlarged, windowed, with outlines over it.

The pixels are intensities and the palette is the window, so that another window costs a
palette and no drawing.
"""

from collections.abc import Sequence

import numpy as np

from ptacl_app.drawing.picture import Picture
from ptacl_core.arrays import Array, Float64, UInt8

NUM_GREYS = 240
"""Palette entries of intensities; those above are outlines."""
OUTLINE_COLOURS = ((255, 200, 60), (90, 220, 255), (130, 240, 130))
FIRST_OUTLINE = NUM_GREYS
BLACK = 255
"""Palette entry of what lies beside the frame."""
_SUPERSAMPLING = 3
_OUTLINE_LEVELS = 4
_OUTLINE_SHARE = 0.3
"""An outline's pixel is drawn from this coverage on."""


def draw_cine_picture(
    frame: UInt8[Array, "height width"],
    *,
    side_px: int,
    level: float,
    width: float,
    is_inverted: bool = False,
    outlines: Sequence[Float64[Array, "point 2"]] = (),
) -> Picture:
    """A frame as a square of `side_px` pixels.

    `level` and `width` are the window in intensities (0 … 255); `outlines` are closed curves of
    (row, column) in pixels of the frame, each in a colour of its own.
    """
    from PIL import Image

    image = Image.fromarray(frame).resize((side_px, side_px), Image.Resampling.BICUBIC)
    indices = np.asarray(image, np.uint8).astype(np.uint16) * (NUM_GREYS - 1) // 255
    picture = indices.astype(np.uint8)
    for number, outline in enumerate(outlines):
        _draw_outline(picture, outline, scale=side_px / frame.shape[0], number=number)
    return Picture(picture, build_window_palette(level, width, is_inverted=is_inverted))


def centre_picture(picture: Picture, *, width_px: int, height_px: int) -> Picture:
    """The picture in the middle of a black one of the size given, which is at least as large."""
    indices = np.full((height_px, width_px), BLACK, np.uint8)
    top, left = (height_px - picture.height_px) // 2, (width_px - picture.width_px) // 2
    indices[top : top + picture.height_px, left : left + picture.width_px] = picture.indices
    return Picture(indices, picture.palette)


def build_window_palette(
    level: float, width: float, *, is_inverted: bool = False
) -> UInt8[Array, "entry rgb"]:
    """Greys from black at `level − width/2` to white at `level + width/2`, then the outlines."""
    intensities = np.arange(NUM_GREYS) * 255.0 / (NUM_GREYS - 1)
    share = np.clip((intensities - level) / width + 0.5, 0.0, 1.0)
    greys = np.floor(255 * (1 - share if is_inverted else share) + 0.5)
    palette = np.zeros((256, 3), np.uint8)
    palette[:NUM_GREYS] = greys[:, None].astype(np.uint8)
    for number, colour in enumerate(OUTLINE_COLOURS):
        palette[FIRST_OUTLINE + number] = colour
    return palette


def trace_outline(
    frame: UInt8[Array, "height width"], *, threshold: float, centre: tuple[float, float]
) -> Float64[Array, "point 2"] | None:
    """Where the bright region around `centre` ends, seen along 72 rays; None when it is dark there.

    The first crossing of `threshold` on each ray, placed between its pixels by interpolation,
    then smoothed over neighbouring rays.
    """
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radii = np.arange(0.0, min(frame.shape) / 2, 0.5)
    rows = centre[0] + np.outer(np.sin(angles), radii)
    columns = centre[1] + np.outer(np.cos(angles), radii)
    values = frame[
        np.clip(np.floor(rows + 0.5), 0, frame.shape[0] - 1).astype(int),
        np.clip(np.floor(columns + 0.5), 0, frame.shape[1] - 1).astype(int),
    ].astype(np.float64)
    if (values[:, 0] < threshold).all():
        return None
    is_below = values < threshold
    ends = np.where(is_below.any(axis=1), is_below.argmax(axis=1), radii.size - 1)
    kernel = np.ones(5) / 5
    padded = np.concatenate((ends[-2:], ends, ends[:2])) * 0.5
    smooth = np.convolve(padded, kernel, mode="valid")
    return np.stack(
        (centre[0] + smooth * np.sin(angles), centre[1] + smooth * np.cos(angles)), axis=1
    )


def find_blood_pool(
    cine: UInt8[Array, "frame height width"], frame: int
) -> Float64[Array, "point 2"] | None:
    """The outline of the bright region in the middle of a frame: an estimate from intensities.

    The threshold lies halfway between dark and bright of the middle third over all frames, the
    centre at the brightest smooth spot there in the first frame. None where nothing is bright.
    """
    third = cine.shape[1] // 3
    middle = cine[:, third : 2 * third, third : 2 * third].astype(np.float64)
    threshold = float((np.percentile(middle, 10) + np.percentile(middle, 95)) / 2)
    bright = middle[0] > threshold
    if not bright.any():
        return None
    rows, columns = np.nonzero(bright)
    centre = (third + float(rows.mean()), third + float(columns.mean()))
    return trace_outline(cine[frame], threshold=threshold, centre=centre)


def _draw_outline(
    picture: UInt8[Array, "row column"],
    outline: Float64[Array, "point 2"],
    *,
    scale: float,
    number: int,
) -> None:
    from PIL import Image, ImageDraw

    side_px = picture.shape[0]
    large = Image.new("L", (side_px * _SUPERSAMPLING, side_px * _SUPERSAMPLING), 0)
    points = [
        ((column + 0.5) * scale * _SUPERSAMPLING, (row + 0.5) * scale * _SUPERSAMPLING)
        for row, column in outline
    ]
    ImageDraw.Draw(large).line([*points, points[0]], fill=255, width=_OUTLINE_LEVELS, joint="curve")
    small = large.resize((side_px, side_px), Image.Resampling.BOX)
    picture[np.asarray(small) > 255 * _OUTLINE_SHARE] = FIRST_OUTLINE + number % len(
        OUTLINE_COLOURS
    )
