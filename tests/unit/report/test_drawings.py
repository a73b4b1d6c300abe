import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from ptacl_core.report.svg.canvas import Axis, choose_bounds, choose_ticks, label_tick
from ptacl_core.report.svg.forest_plot import Estimate, draw_forest_plot
from ptacl_core.report.svg.heat_map import HeatMap, colour_of, draw_heat_maps
from ptacl_core.report.svg.line_plot import Point, Series, draw_line_plot

SVG = "{http://www.w3.org/2000/svg}"


def parse(svg):
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title")
    assert root.findtext(f"{SVG}desc")
    return root


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def test_an_axis_maps_its_ends_and_its_middle():
    linear = Axis(-1.0, 3.0, 100.0, 500.0)
    assert [linear.place(value) for value in (-1, 1, 3, 99)] == [100, 300, 500, 500]
    logarithmic = Axis(1.0, 100.0, 0.0, 10.0, is_logarithmic=True)
    assert logarithmic.place(10.0) == pytest.approx(5.0)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.013, 0.004), (3, 2900), (-1e-6, 1e-6)])
def test_ticks_are_round_inside_and_even(low, high):
    ticks = choose_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert low <= min(ticks)
    assert max(ticks) <= high
    gaps = [second - first for first, second in pairwise(ticks)]
    assert max(gaps) == pytest.approx(min(gaps))
    assert len({label_tick(tick) for tick in ticks}) == len(ticks)


def test_bounds_of_one_value_are_not_equal():
    low, high = choose_bounds([0.25])
    assert low < 0.25 < high
    assert choose_bounds([math.nan]) < (0.0, 2.0)


def test_a_forest_plot_shows_every_line_and_its_text():
    svg = draw_forest_plot(
        [
            Estimate("ECG", None, is_heading=True),
            Estimate("a < b", 0.4, 0.3, 0.5, compared=0.45, text="0.400"),
            Estimate("no interval", 0.1),
            Estimate("undefined", None, text="–"),
        ],
        title="t",
        description="d",
        axis_label="R²",
        reference=0.0,
    )
    root = parse(svg)
    assert {"ECG", "a < b", "no interval", "undefined", "0.400", "R²"} <= set(texts(root))
    assert len(list(root.iter(f"{SVG}circle"))) == 2
    assert len(list(root.iter(f"{SVG}polygon"))) == 1


def test_a_forest_plot_places_values_in_order():
    svg = draw_forest_plot(
        [Estimate("low", 0.1), Estimate("high", 0.9)], title="t", description="d", axis_label=""
    )
    first, second = (float(circle.attrib["cx"]) for circle in parse(svg).iter(f"{SVG}circle"))
    assert first < second


def test_a_heat_map_is_darkest_where_the_value_is_greatest():
    values = [[0.0, 0.5], [0.25, 1.0]]
    svg = draw_heat_maps(
        [HeatMap("m", "", values)], title="t", description="d", row_label="r", column_label="c"
    )
    cells = [
        rectangle
        for rectangle in parse(svg).iter(f"{SVG}rect")
        if rectangle.find(f"{SVG}title") is not None
    ]
    assert [cell.get("fill") for cell in cells] == [colour_of(v) for v in (0, 0.5, 0.25, 1)]
    assert cells[2].findtext(f"{SVG}title") == "r 2, c 1: 0.250"


def test_a_constant_map_is_drawn():
    svg = draw_heat_maps(
        [HeatMap("m", "", [[0.5] * 13] * 13)],
        title="t",
        description="d",
        row_label="r",
        column_label="c",
    )
    parse(svg)


def test_a_line_plot_names_its_series_and_shows_each_point():
    points = [Point(10, 0.1, 0.05, 0.15), Point(100, 0.3), Point(1000, 0.4)]
    svg = draw_line_plot(
        [Series("one", points), Series("two", points[:2])],
        title="t",
        description="d",
        x_label="patients",
        y_label="R²",
        x_ticks=[(10, "10"), (100, "100")],
        is_x_logarithmic=True,
    )
    root = parse(svg)
    assert {"one", "two", "patients", "10", "100"} <= set(texts(root))
    # Points and the legend's key: circles of the first series, squares of the second.
    assert len(list(root.iter(f"{SVG}circle"))) == 3 + 1
    assert len(list(root.iter(f"{SVG}polygon"))) == 2 + 1
