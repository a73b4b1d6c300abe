"""Saved cohorts are listed, used again and compared; intervals are counted where they held."""

import shutil

import pytest
from textual.widgets import DataTable

from ptacl_app.data.cohort_comparison import (
    build_comparison,
    compute_standardised_difference,
    summarise_group,
)
from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.coverage import compute_wilson_bounds
from ptacl_app.screens.cohort import CohortScreen
from ptacl_app.screens.saved_cohorts import SavedCohortsScreen
from ptacl_app.widgets.tables.patients import PatientTable
from ptacl_core.records import PHENOTYPE_NAMES
from tests.app.conftest import RUN


@pytest.fixture
def own_cohort(tmp_path, cohort_dir):
    root = tmp_path / "saving"
    shutil.copytree(cohort_dir, root, ignore=shutil.ignore_patterns("*.npy"))
    return root


def test_standardised_difference_of_known_groups():
    assert compute_standardised_difference((10.0, 2.0), (7.0, 2.0)) == pytest.approx(1.5)
    assert compute_standardised_difference((7.0, 1.0), (8.0, 7.0)) == pytest.approx(-0.2)
    assert compute_standardised_difference((7.0, 0.0), (8.0, 0.0)) is None
    assert compute_standardised_difference((7.0, None), (8.0, 1.0)) is None


def test_wilson_bounds_of_known_shares():
    low, high = compute_wilson_bounds(9, 10)  # Newcombe 1998: 0.596, 0.982
    assert (low, high) == (pytest.approx(0.596, abs=1e-3), pytest.approx(0.982, abs=1e-3))
    assert compute_wilson_bounds(0, 5)[0] == 0.0
    assert compute_wilson_bounds(5, 5)[1] == pytest.approx(1.0)


def test_groups_are_counted_over_their_members_only(cohort_dir):
    reader = CohortReader.open(cohort_dir)
    try:
        fetch = reader._cohort.fetch
        all_visits = summarise_group(fetch, "all", None)
        women = [(row.patient, row.visit) for row in reader.load_page(where="sex = 'F'").rows]
        group = summarise_group(fetch, "women\x1b[31m", women)
    finally:
        reader.close()
    assert (all_visits.num_visits, all_visits.num_patients) == (48, 48)
    assert all_visits.share_women == 0.5
    assert (group.num_visits, group.share_women) == (24, 1.0)
    assert "\x1b" not in group.name
    table = build_comparison(all_visits, group)
    assert table.headings[1] == "all"
    assert {row[0].split()[0] for row in table.rows} >= {"visits", "women", "age", "LVEF"}
    (age,) = (row for row in table.rows if row[0] == "age years")
    assert age[1].endswith("(48)")
    assert age[2].endswith("(24)")


def test_runs_count_how_often_the_interval_held(cohort_dir):
    reader = CohortReader.open(cohort_dir)
    try:
        (view,) = reader.load_runs()
        rows = reader._cohort.fetch(
            "SELECT count(*), count(*) FILTER (WHERE m.value BETWEEN p.low AND p.high) "
            "FROM predictions p, phenotypes m, overview o WHERE p.run = ? AND p.name = 'lvm_g' "
            "AND m.name = p.name AND m.patient = p.patient AND o.patient = p.patient "
            "AND o.split = 'test'",
            [RUN],
        )
    finally:
        reader.close()
    table = view.tables[-1]
    assert "90 % interval" in table.title
    assert len(table.rows) == len(PHENOTYPE_NAMES)
    (mass,) = (row for row in table.rows if row[0] == "LVM")
    count, inside = rows[0]
    assert mass[1] == str(count)
    assert mass[2].startswith(f"{100 * inside / count:.0f} % [")


async def test_two_saved_cohorts_are_compared_and_one_is_used_again(
    make_app, settle, read_screen, own_cohort
):
    app = make_app(own_cohort)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.reader.save_cohort("women", ["sex = 'F'"])
        app.reader.save_cohort("older men", ["sex = 'M'", "age_years > 60"])
        await pilot.press("c")
        await settle(pilot)
        assert isinstance(app.screen, SavedCohortsScreen)
        text = "\n".join(read_screen(app))
        assert "women" in text
        assert "24 patients" in text
        await pilot.press("c")
        await settle(pilot)
        table = app.screen.query_one("#comparison", DataTable)
        assert "all visits" in "\n".join(read_screen(app))
        await pilot.press("down", "c")
        await settle(pilot)
        headings = [str(column.label) for column in table.columns.values()]
        assert set(headings[1:3]) == {"women", "older men"}
        text = "\n".join(read_screen(app))
        assert "±" in text
        chosen = app.screen.selected
        await pilot.press("enter")
        await settle(pilot)
        assert chosen is not None
        assert isinstance(app.screen, CohortScreen)
        assert app.screen.criteria == chosen.criteria
        assert app.screen.query_one("#table", PatientTable).page.total == chosen.steps[-1][1]


async def test_a_saved_cohort_is_removed_at_the_second_press(
    make_app, settle, read_screen, own_cohort
):
    app = make_app(own_cohort)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.reader.save_cohort("men", ["sex = 'M'"])
        app.reader.save_cohort("women", ["sex = 'F'"])
        await pilot.press("c")
        await settle(pilot)
        await pilot.press("delete")
        await settle(pilot)
        assert "Delete again removes men" in "\n".join(read_screen(app))
        await pilot.press("down", "delete")  # another one: asked again
        await settle(pilot)
        assert len(app.reader.load_saved_cohorts()) == 2
        await pilot.press("delete")
        await settle(pilot)
        assert [saved.name for saved in app.reader.load_saved_cohorts()] == ["men"]
        assert [saved.name for saved in app.screen.cohorts] == ["men"]
        await pilot.press("delete", "delete")
        await settle(pilot)
        assert app.reader.load_saved_cohorts() == ()
        assert "none is saved yet" in "\n".join(read_screen(app))


async def test_without_saved_cohorts_the_way_to_one_is_told(make_app, settle, read_screen):
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("c")
        await settle(pilot)
        assert "none is saved yet" in "\n".join(read_screen(app))
        await pilot.press("escape")
        assert not isinstance(app.screen, SavedCohortsScreen)
