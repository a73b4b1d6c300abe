"""Cine frames as pictures: window, smoothness, outlines."""

import numpy as np
import pytest

from ptacl_app.drawing.cine_picture import (
    NUM_GREYS,
    OUTLINE_COLOURS,
    build_window_palette,
    draw_cine_picture,
    trace_outline,
)


def make_disc(radius=20.0, centre=(40.0, 44.0), inside=220, outside=60):
    rows, columns = np.mgrid[0:84, 0:84]
    distance = np.hypot(rows - centre[0], columns - centre[1])
    return np.where(distance < radius, inside, outside).astype(np.uint8)


@pytest.mark.parametrize("side", [84, 168, 336, 500])
def test_enlarged_frames_keep_their_places_and_greys(side):
    frame = make_disc()
    picture = draw_cine_picture(frame, side_px=side, level=127.5, width=255).to_rgb()
    assert picture.shape == (side, side, 3)
    scale = side / 84
    for row, column in ((40, 44), (40, 60), (10, 10), (80, 80)):
        value = picture[int((row + 0.5) * scale), int((column + 0.5) * scale), 0]
        assert abs(int(value) - int(frame[row, column])) <= 3
    edge = np.abs(np.diff(picture[int(40.5 * scale), :, 0].astype(int)))
    assert edge.max() <= 170 / scale * 1.6 + 2  # no blocks: the step is spread over the scale


def test_window_goes_from_black_to_white():
    palette = build_window_palette(100, 50)
    greys = palette[:NUM_GREYS, 0].astype(int)
    values = np.arange(NUM_GREYS) * 255 / (NUM_GREYS - 1)
    assert (greys[values <= 75] == 0).all()
    assert (greys[values >= 125] == 255).all()
    assert greys[np.argmin(np.abs(values - 100))] == pytest.approx(128, abs=4)
    inverted = build_window_palette(100, 50, is_inverted=True)[:NUM_GREYS, 0]
    np.testing.assert_array_equal(inverted.astype(int), 255 - greys)


def test_outline_of_a_disc_has_its_radius():
    outline = trace_outline(make_disc(), threshold=140, centre=(40.0, 44.0))
    assert outline is not None
    radii = np.hypot(outline[:, 0] - 40, outline[:, 1] - 44)
    assert np.abs(radii - 20).max() < 1.0
    assert trace_outline(make_disc(), threshold=140, centre=(5.0, 5.0)) is None


def test_outline_is_drawn_where_it_lies():
    outline = trace_outline(make_disc(), threshold=140, centre=(40.0, 44.0))
    assert outline is not None
    picture = draw_cine_picture(
        make_disc(), side_px=336, level=127, width=255, outlines=(outline,)
    ).to_rgb()
    rows, columns = np.nonzero((picture == np.array(OUTLINE_COLOURS[0])).all(axis=2))
    radii = np.hypot((rows + 0.5) / 4 - 0.5 - 40, (columns + 0.5) / 4 - 0.5 - 44)
    assert rows.size > 300
    assert np.abs(radii - 20).max() < 1.6
