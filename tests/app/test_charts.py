"""The cohort as pictures: numbers against closed forms, a lasso to a cohort, notes, columns."""

import numpy as np
import pytest
from textual.widgets import OptionList, Static

from ptacl_app.drawing.chart import (
    Chart,
    ChartKind,
    choose_ticks,
    compute_agreement,
    compute_principal_axes,
    describe_correlation,
    is_inside,
)
from ptacl_app.drawing.chart_picture import draw_chart, frame_chart
from ptacl_app.widgets.chart_plot import MARGIN, ChartPlot
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_app.widgets.tables.patients import PatientTable
from tests.app.conftest import build_cohort


def make_chart(x, y):
    zeros = np.zeros(len(x), np.int64)
    return Chart(ChartKind.SCATTER, np.array(x, float), np.array(y, float), "x", "y", zeros)


def test_a_lasso_holds_what_lies_inside():
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(6) + 0.5, np.arange(6) + 0.5))
    ell = np.array([(0, 0), (4, 0), (4, 2), (2, 2), (2, 5), (0, 5)], float)  # not convex
    expected = ((x < 4) & (y < 2)) | ((x < 2) & (y < 5))
    assert np.array_equal(is_inside(x, y, ell), expected)
    assert np.array_equal(is_inside(x, y, ell[::-1]), expected)


def test_principal_axes_are_those_of_the_covariance():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(400, 3)) * (5.0, 2.0, 0.1)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    places, shares = compute_principal_axes(points @ turn + 7.0)
    _, sizes, _ = np.linalg.svd((points - points.mean(0)) @ turn, full_matrices=False)
    assert shares == pytest.approx((sizes**2 / (sizes**2).sum())[:2])
    assert np.abs(np.corrcoef(places[:, 0], points[:, 0])[0, 1]) > 0.99
    again, _ = compute_principal_axes(points @ turn + 7.0)
    assert np.array_equal(places, again)


def test_agreement_and_correlation_are_the_closed_forms():
    first, second = np.array([10.0, 12.0, 9.0, 15.0]), np.array([8.0, 12.0, 10.0, 12.0])
    levels, words = compute_agreement(first, second)
    sd = np.std([2.0, 0.0, -1.0, 3.0], ddof=1)
    assert [level.value for level in levels] == pytest.approx([1 + 1.96 * sd, 1, 1 - 1.96 * sd])
    assert "bias 1" in words[1]
    line = describe_correlation(np.arange(20.0), 3 * np.arange(20.0) - 1)
    assert "r 1.00" in line[1]
    assert line[2] == "y = 3 x + −1"


@pytest.mark.parametrize(("low", "high"), [(-0.3, 0.9), (37.0, 82.0), (0.0, 1e5), (1e-4, 3e-4)])
def test_ticks_are_round_and_few(low, high):
    ticks = choose_ticks(low, high, most=6)
    assert 2 <= len(ticks) <= 6
    assert all(low <= tick <= high for tick in ticks)


def test_points_are_drawn_where_their_values_lie():
    chart = make_chart([0, 10, 5], [0, 20, 10])
    frame = frame_chart(chart, width=220, height=110)
    codes = draw_chart(chart, frame, selected=None, lasso=None, radius=1).codes
    for row, column in zip(*np.nonzero(codes), strict=True):
        x, y = frame.data_of(column + 0.5, row + 0.5)
        assert min(abs(x - edge) for edge in (0, 5, 10)) <= 10.8 / 220
        assert y == pytest.approx(2 * x, abs=0.4)
    assert np.count_nonzero(codes) == 3


async def test_a_lasso_becomes_a_cohort(make_app, settle, tmp_path):
    cohort = build_cohort(tmp_path / "mine", num_patients=12)
    app = make_app(cohort)
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("6")
        await settle(pilot)
        screen = app.screen
        assert "PCA" in str(screen.query_one("#remarks", Static).content)
        assert len(screen.shown.people) == 11  # one has no ECG
        await pilot.press("k")
        await settle(pilot)
        assert len(screen.shown.people) == 11  # another has no CMR
        await pilot.press("k")
        await settle(pilot)
        plot = screen.query_one("#plot", ChartPlot)
        assert screen.shown.chart.kind is ChartKind.SCATTER
        columns, rows = plot.plot_size
        middle = columns // 2
        for place in ((MARGIN, 0), (MARGIN + middle, 0), (MARGIN + middle, rows - 1)):
            await (pilot.hover if plot._is_dragging else pilot.mouse_down)(plot, offset=place)
        await pilot.hover(plot, offset=(MARGIN, rows - 1))
        await pilot.mouse_up(plot, offset=(MARGIN, rows - 1))
        await settle(pilot)
        edge = plot.frame.data_of(middle + 0.5, 0)[0]
        held = {screen.shown.people[row] for row in np.flatnonzero(plot.selected)}
        expected = {
            person
            for person, x in zip(screen.shown.people, screen.shown.chart.x, strict=True)
            if x < edge
        }
        assert held == expected
        assert 0 < len(held) < 12
        await pilot.press("ctrl+s", *"low", "enter")
        await settle(pilot)
        saved = app.reader.load_saved_cohorts()
        assert saved[0].steps[-1][1:] == (len(held), len(held))
        page = app.reader.load_page(where=saved[0].criteria[0])
        assert {(row.patient, row.visit) for row in page.rows} == held
        await pilot.press("escape", "k")
        await settle(pilot)
        assert "limits of agreement" in str(screen.query_one("#remarks", Static).content)
        await pilot.press("k")
        await settle(pilot)
        assert screen.shown.chart.heights.sum() == len(screen.shown.people)


async def test_keys_draw_a_lasso_and_open_a_visit(make_app, settle):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("6", "k", "k")
        await settle(pilot)
        plot = app.screen.query_one("#plot", ChartPlot)
        plot.cursor = (0, 0)
        await pilot.press("space")
        plot.cursor = (plot.plot_size[0] - 1, 0)
        await pilot.press("space")
        plot.cursor = (plot.plot_size[0] // 2, plot.plot_size[1] - 1)
        await pilot.press("space", "enter")
        await settle(pilot)
        assert 0 < plot.selected.sum() < plot.selected.size
        await pilot.press("escape", "right", "enter")
        await settle(pilot)
        assert app.current_mode == "patient"
        assert app.patient is not None


async def test_notes_and_tags_are_written_and_taken_back(make_app, settle, tmp_path):
    app = make_app(build_cohort(tmp_path / "mine", num_patients=6), first_patient="p0001")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+n")
        await settle(pilot)
        await pilot.press(*"low EF?", "enter")
        await settle(pilot)
        assert [note.text for note in app.reader.load_notes("p0001").notes] == ["low EF?"]
        app.screen.query_one("#tag-text", SafeInput).focus()
        await pilot.press(*"review", "enter")
        await settle(pilot)
        assert "review" in str(app.screen.query_one("#tags", Static).content)
        facet = next(
            group_facet for group_facet in app.reader.load_facets() if group_facet.group == "tag"
        )
        assert (facet.label, facet.count) == ("review", 1)
        assert app.reader.load_page(where=facet.predicate).total == 1
        await pilot.press(*"review", "enter")
        app.screen.query_one("#notes", OptionList).focus()
        await settle(pilot)
        await pilot.press("home", "delete")
        await settle(pilot)
        kept = app.reader.load_notes("p0001")
        assert (kept.tags, kept.notes) == ((), ())


async def test_columns_are_chosen_and_sorted_by(make_app, settle):
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("o")
        await settle(pilot)
        await pilot.press("space", "enter")  # the first of the list: without the visit
        await settle(pilot)
        table = app.screen.query_one("#table", PatientTable)
        keys = [column.key for column in table.chosen]
        assert "visit" not in keys
        assert [str(column.value) for column in table.columns] == keys
        table.choose(("patient", "bmi_kg_m2", "rvef_pct"))
        app.screen.sort = "rvef_pct"
        app.screen.load_page()
        await settle(pilot)
        shown = [row.measured["rvef_pct"] for row in table.page.rows]
        assert shown == sorted(shown)
        assert table.get_row_at(0)[1].plain.strip() == "26"
        assert app.screen.describe_session()["columns"] == ("patient", "bmi_kg_m2", "rvef_pct")
