"""Grey cells of the cine: exact reductions, windows, levels."""

import numpy as np
import pytest

from ptacl_app.drawing.cine_raster import (
    GreyWindow,
    choose_size,
    compute_auto_window,
    draw_frame,
    estimate_end_systole,
)
from ptacl_app.drawing.strips import build_half_block_strips

FULL = GreyWindow(level=127.5, width=255.0)


@pytest.mark.parametrize(("size", "step"), [(84, 1), (42, 2), (28, 3)])
def test_patches_of_twelve_pixels_fall_on_cell_borders(size, step):
    patches = np.kron(np.arange(49).reshape(7, 7) * 5, np.ones((12, 12))).astype(np.uint8)
    greys = draw_frame(patches, size=size, window=FULL, num_levels=256)
    assert greys.shape == (size, size)
    cells = 12 // step
    blocks = greys.reshape(7, cells, 7, cells)
    np.testing.assert_array_equal(blocks.min(axis=(1, 3)), blocks.max(axis=(1, 3)))
    np.testing.assert_array_equal(blocks[:, 0, :, 0], np.arange(49).reshape(7, 7) * 5)


def test_size_is_the_largest_exact_one_that_fits():
    assert choose_size(200, 60) == 84
    assert choose_size(84, 41) == 42
    assert choose_size(42, 21) == 42
    assert choose_size(41, 21) == 28
    assert choose_size(27, 30) is None


def test_window_maps_its_ends_to_black_and_white():
    frame = np.full((84, 84), 100, np.uint8)
    for level, grey in ((100, 128), (120, 0), (80, 255)):
        window = GreyWindow(level=level, width=40)
        greys = draw_frame(frame, size=42, window=window, num_levels=256)
        assert abs(int(greys[0, 0]) - grey) <= 1
    inverted = draw_frame(frame, size=42, window=GreyWindow(120, 40).inverted(), num_levels=256)
    assert inverted[0, 0] == 255


@pytest.mark.parametrize("levels", [2, 24, 64])
def test_number_of_levels_is_kept(levels):
    frame = np.arange(84 * 84, dtype=np.uint32).reshape(84, 84) % 256
    greys = draw_frame(frame.astype(np.uint8), size=84, window=FULL, num_levels=levels)
    assert np.unique(greys).size <= levels
    assert {0, 255} <= set(np.unique(greys).tolist())


def test_strips_hold_every_pixel_pair():
    rng = np.random.default_rng(3)
    greys = rng.integers(0, 4, (42, 42)).astype(np.uint8) * 80
    strips = build_half_block_strips(greys)
    assert len(strips) == 21
    for row, strip in enumerate(strips):
        column = 0
        for segment in strip:
            assert set(segment.text) == {"▀"}
            for _ in segment.text:
                assert segment.style is not None
                above, below = segment.style.color, segment.style.bgcolor
                assert above is not None
                assert below is not None
                assert above.get_truecolor().red == greys[2 * row, column]
                assert below.get_truecolor().red == greys[2 * row + 1, column]
                column += 1
        assert column == 42


def test_auto_window_spans_the_picture():
    cine = np.full((50, 84, 84), 60, np.uint8)
    cine[:, :40] = 180
    window = compute_auto_window(cine)
    assert (window.level, window.width) == (120.0, 120.0)
    assert compute_auto_window(np.zeros((50, 84, 84), np.uint8)).width == 4.0


def test_end_systole_is_where_the_bright_pool_is_smallest():
    row, column = np.mgrid[0:84, 0:84]
    distance = np.hypot(row - 42, column - 42)
    frames = np.full((50, 84, 84), 60, np.uint8)
    for index in range(50):
        radius = 13 - 6 * np.exp(-((index - 19) ** 2) / 40)
        frames[index][distance < radius] = 230
    assert abs(estimate_end_systole(frames) - 19) <= 1
