"""Cine frames → grey levels of half-block cells, by numbers alone.

Only whole reductions of the 84 x 84 frame are offered, so that the encoder's 12-pixel
patches fall on cell borders (12 x 6, 6 x 3 and 4 x 2 cells).
"""

from dataclasses import dataclass, replace

import numpy as np

from ptacl_core.arrays import Array, UInt8

FRAME_PX = 84
REDUCTIONS = {84: 1, 42: 2, 28: 3}
"""Cells across → pixels averaged per cell side."""
NUM_LEVELS = 64


@dataclass(frozen=True, slots=True)
class GreyWindow:
    """Which intensities (0-255) go from black to white."""

    level: float = 128.0
    width: float = 256.0
    is_inverted: bool = False

    def changed(self, *, level: float = 0.0, width: float = 0.0) -> "GreyWindow":
        """The window moved by `level` and widened by `width`, within what makes sense."""
        return replace(
            self,
            level=float(np.clip(self.level + level, 0, 255)),
            width=float(np.clip(self.width + width, 4, 512)),
        )

    def inverted(self) -> "GreyWindow":
        """Black and white exchanged."""
        return replace(self, is_inverted=not self.is_inverted)


def choose_size(num_columns: int, num_rows: int) -> int | None:
    """The largest exact size (cells across; half as many rows) that fits, None if none does."""
    return next(
        (size for size in REDUCTIONS if size <= num_columns and size // 2 <= num_rows), None
    )


def compute_auto_window(cine: UInt8[Array, "frame height width"]) -> GreyWindow:
    """The window from the 1st to the 99th percentile of the intensities."""
    low, high = np.percentile(cine[::5], (1, 99))
    return GreyWindow(level=float(low + high) / 2, width=max(float(high - low), 4.0))


def draw_frame(
    frame: UInt8[Array, "height width"], *, size: int, window: GreyWindow, num_levels: int
) -> UInt8[Array, "half_row column"]:
    """Grey values (0-255, in `num_levels` steps) of a frame at `size` columns.

    Two half rows make one row of cells: the upper is the ink of ▀, the lower its ground.
    """
    step = REDUCTIONS[size]
    small = frame.reshape(size, step, size, step).mean(axis=(1, 3))
    share = np.clip((small - window.level) / window.width + 0.5, 0.0, 1.0)
    if window.is_inverted:
        share = 1.0 - share
    steps = np.floor(share * (num_levels - 1) + 0.5)
    return np.floor(steps * (255.0 / (num_levels - 1)) + 0.5).astype(np.uint8)


def estimate_end_systole(cine: UInt8[Array, "frame height width"]) -> int:
    """The frame in which the bright blood pool in the middle third is smallest.

    An estimate from intensities alone: blood is the brightest tissue of a bSSFP cine, and
    the ventricle lies in the middle of the crop.
    """
    third = FRAME_PX // 3
    middle = cine[:, third : 2 * third, third : 2 * third].astype(np.float32)
    threshold = (np.percentile(middle, 10) + np.percentile(middle, 95)) / 2
    area = (middle > threshold).mean(axis=(1, 2))
    kernel = np.ones(5) / 5
    padded = np.concatenate((area[-2:], area, area[:2]))
    return int(np.argmin(np.convolve(padded, kernel, mode="valid")))
