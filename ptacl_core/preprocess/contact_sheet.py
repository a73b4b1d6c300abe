"""A preview picture of crops: a person sees at a glance whether the heart is in the middle."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.records import PreparedCine
from ptacl_core.safety.files.atomic import atomic_path
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_SCALE = 2
_MARGIN_PX = 6
_TEXT_PX = 14
_BACKGROUND, _TEXT, _REJECTED, _CROSS = 24, 230, 150, 255
MAX_CINES = 400


def draw_contact_sheet(
    prepared: Sequence[PreparedCine],
    labels: Sequence[str],
    path: Path,
    *,
    num_columns: int = 6,
) -> None:
    """Write a PNG of the cines: end-diastole and the frame at 40 % of the cycle, side by side.

    Each pair carries its label (pseudonyms, never identifiers), a small cross in the middle of the
    window and the slice number; rejected ones are named with the reason. At most `MAX_CINES` fit.
    Raises ValueError for no cine, too many, or labels of another number, OSError.
    """
    from PIL import Image, ImageDraw

    if not 1 <= len(prepared) <= MAX_CINES or len(labels) != len(prepared):
        raise ValueError(
            f"expected 1 to {MAX_CINES} cines and a label for each, got {len(prepared)} cines and "
            f"{len(labels)} labels"
        )
    size_px = prepared[0].frames.shape[1] * _SCALE
    cell = 2 * size_px + _MARGIN_PX, size_px + _TEXT_PX + _MARGIN_PX
    num_columns = min(num_columns, len(prepared))
    num_rows = -(-len(prepared) // num_columns)
    sheet = Image.new(
        "L",
        (num_columns * cell[0] + _MARGIN_PX, num_rows * cell[1] + _MARGIN_PX),
        _BACKGROUND,
    )
    pen = ImageDraw.Draw(sheet)
    for index, (cine, label) in enumerate(zip(prepared, labels, strict=True)):
        row, column = divmod(index, num_columns)
        left, top = _MARGIN_PX + column * cell[0], _MARGIN_PX + row * cell[1]
        pen.text((left, top), _caption(cine, label), fill=_TEXT if cine.is_accepted else _REJECTED)
        for number, frame_index in enumerate((0, int(0.4 * len(cine.frames)))):
            corner = left + number * size_px, top + _TEXT_PX
            pixels = np.clip(cine.frames[frame_index] * 255, 0, 255).astype(np.uint8)
            picture = Image.fromarray(pixels).resize((size_px, size_px), Image.Resampling.BILINEAR)
            sheet.paste(picture, corner)
            _draw_cross(pen, corner[0] + size_px / 2, corner[1] + size_px / 2)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")


def _caption(cine: PreparedCine, label: str) -> str:
    reasons = [finding.code for finding in cine.findings if finding.severity == "reject"]
    text = clean_text(label, max_length=24)
    note = f"rejected: {reasons[0]}" if reasons else f"slice {cine.slice_index}"
    return f"{text}  {note}".encode("latin-1", errors="replace").decode("latin-1")


def _draw_cross(pen: "ImageDraw", x: float, y: float) -> None:
    pen.line((x - 4, y, x + 4, y), fill=_CROSS)
    pen.line((x, y - 4, x, y + 4), fill=_CROSS)
