"""The page keeps the geometry of ECG paper whatever cells there are."""

from dataclasses import replace

import numpy as np
import pytest

from ptacl_app.drawing import raster
from ptacl_app.drawing.ecg_page import (
    GUTTER_COLUMNS,
    ZOOMS,
    Ground,
    Ink,
    Layout,
    PageView,
    draw_page,
)

FLAT = np.zeros((12, 5000), np.float32)


def text_of(cells, row):
    return raster.decode_characters(cells.characters[row])


@pytest.mark.parametrize("zoom", ZOOMS)
@pytest.mark.parametrize("gain", [5.0, 10.0, 20.0])
@pytest.mark.parametrize("speed", [25.0, 50.0])
def test_large_box_is_a_square_of_five_millimetres(zoom, gain, speed):
    view = PageView(120, 40, zoom=zoom, gain_mm_per_mv=gain, speed_mm_per_s=speed)
    box_columns, box_rows = 2 * zoom, zoom
    assert box_columns == 2 * box_rows  # a cell is twice as high as wide
    assert view.columns_per_s * (5.0 / speed) == pytest.approx(box_columns)
    assert view.rows_per_mv * (5.0 / gain) == pytest.approx(box_rows)
    grounds = draw_page(view, FLAT).grounds[:, GUTTER_COLUMNS : GUTTER_COLUMNS + view.page_columns]
    first = grounds[0]
    runs = np.diff(np.flatnonzero(np.diff(first)))
    assert (runs == box_columns).all()
    drawn = view.num_bands_shown * view.rows_per_band
    column = grounds[:drawn, 0]
    assert (column[:box_rows] == Ground.EVEN_BOX).all()
    assert (column[box_rows : 2 * box_rows] == Ground.ODD_BOX).all()


def test_zoom_one_is_ten_columns_per_second_and_two_rows_per_millivolt():
    view = PageView(103, 24)
    assert (view.columns_per_s, view.rows_per_mv) == (10.0, 2.0)
    assert (view.page_columns, view.page_s, view.rows_per_band) == (100, 10.0, 6)


@pytest.mark.parametrize(
    ("columns", "per_lead_s", "page_s"), [(80, 1.9, 7.6), (77, 1.8, 7.2), (104, 2.5, 10.0)]
)
def test_narrow_page_shows_less_time_and_the_same_grid(columns, per_lead_s, page_s):
    view = PageView(columns, 24)
    assert view.columns_per_s == 10.0
    assert view.page_s == pytest.approx(page_s)
    assert view.panels[0].num_columns / view.columns_per_s == pytest.approx(per_lead_s)


def test_low_page_shows_fewer_leads_never_lower_ones():
    view = PageView(104, 20, layout=Layout.TWELVE_BY_ONE)
    assert view.num_bands_shown == 5
    assert view.rows_per_band == 4
    assert [panel.lead for panel in view.panels] == [0, 1, 2, 3, 4]
    last = replace(view, first_band=99)
    assert [panel.lead for panel in last.panels] == [7, 8, 9, 10, 11]


def test_layouts_show_every_lead_once_and_the_rhythm_strip():
    for layout, count in ((Layout.THREE_BY_FOUR, 13), (Layout.SIX_BY_TWO, 12)):
        panels = PageView(104, 48, layout=layout).panels
        assert len(panels) == count
        assert {panel.lead for panel in panels} == set(range(12))
    one = PageView(104, 48, layout=Layout.ONE_LEAD, lead=7)
    assert [panel.lead for panel in one.panels] == [7]
    first_column = [panel.lead for panel in PageView(104, 24).panels if panel.start_s == 0.0]
    assert first_column == [0, 1, 2, 1]  # I, II, III, rhythm II


def test_columns_and_times_agree_for_every_panel():
    view = PageView(80, 24, start_s=1.3)
    assert view.start_shown_s == pytest.approx(1.3)
    for panel in view.panels:
        assert view.column_of(panel.start_s + 1e-9) == panel.first_column
        assert view.time_of(panel.first_column) == pytest.approx(panel.start_s)
    assert view.column_of(1.29) is None
    assert view.column_of(1.3 + view.page_s + 0.01) is None


def test_page_never_starts_after_what_fits():
    view = PageView(80, 24, start_s=9.9)
    assert view.start_shown_s == pytest.approx(10.0 - view.page_s)


def test_one_millivolt_pulse_stands_at_the_left_of_every_band():
    view = PageView(104, 24)
    dots = raster.unpack_braille(draw_page(view, FLAT).characters[:6, :GUTTER_COLUMNS])
    rows = np.flatnonzero(dots.any(axis=1))
    assert rows[-1] - rows[0] == 8  # 2 rows of 4 dots
    crest = np.flatnonzero(dots[rows[0]])
    assert crest[-1] - crest[0] + 1 == 4  # 0.2 s


def test_trace_of_one_millivolt_stands_as_high_as_the_pulse():
    signal = FLAT.copy()
    signal[:, 1000:1100] = 1.0
    view = PageView(104, 24)
    dots = raster.unpack_braille(draw_page(view, signal).characters[18:24])
    rhythm = dots[:, 2 * GUTTER_COLUMNS :]
    column = 2 * 10 * 2 + 1  # inside the second from 2.0 to 2.2 s
    high = int(np.flatnonzero(rhythm[:, column])[0])
    level = int(np.flatnonzero(rhythm[:, 10])[0])
    assert level - high == 8


def test_trace_that_leaves_its_band_is_marked_at_the_edge():
    signal = FLAT.copy()
    signal[6, 2600:2620] = 9.0
    signal[7, 2600:2620] = -9.0
    view = PageView(104, 24)
    cells = draw_page(view, signal)
    assert "▲" in text_of(cells, 0)
    assert "▼" in text_of(cells, 11)
    column = text_of(cells, 0).index("▲")
    assert cells.inks[0, column] == Ink.CLIPPED
    assert not any("▲" in text_of(cells, row) for row in range(6, 24))


def test_baseline_moves_before_anything_is_cut():
    signal = FLAT.copy()
    signal[6:9, ::50] = -2.0  # V1-V3 point down, as in most hearts
    cells = draw_page(PageView(104, 24), signal)
    assert not any("▼" in text_of(cells, row) for row in range(18))


def test_labels_stand_at_the_top_left_of_their_panels():
    view = PageView(104, 24)
    cells = draw_page(view, FLAT)
    assert text_of(cells, 0)[3:4] == "I"
    assert text_of(cells, 0)[28:31] == "aVR"
    assert text_of(cells, 12)[78:80] == "V6"


def test_grid_moves_with_the_time_when_panned():
    view = PageView(80, 24)
    later = replace(view, start_s=0.2)
    first = draw_page(view, FLAT).grounds[0, GUTTER_COLUMNS + 2 :]
    assert (first[:40] == draw_page(later, FLAT).grounds[0, GUTTER_COLUMNS:][:40]).all()


def test_nan_gaps_are_gaps():
    signal = FLAT.copy()
    signal[:, 2000:2500] = np.nan
    view = PageView(104, 12, layout=Layout.ONE_LEAD)
    dots = raster.unpack_braille(draw_page(view, signal).characters[1:, GUTTER_COLUMNS:])
    assert not dots[:, 2 * 41 : 2 * 49].any()
    assert dots[:, 2 * 60 : 2 * 90].any(axis=0).all()
