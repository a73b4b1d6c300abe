"""Neighbours, SQL, runs, palette, help, privacy, themes, session: by keys, on a real store."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest
from textual.widgets import Input, Static

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.drawing.map_colours import colour_map
from ptacl_app.screens.dialogs.help import HelpScreen
from ptacl_app.shell.actions import ACTIONS, SCOPES, list_actions, show_key
from ptacl_app.shell.settings import AppSettings
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.distribution_panel import DistributionPanel, count_bins
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.heart_column import HeartColumn
from ptacl_app.widgets.key_footer import MAX_ENTRIES, KeyFooter
from ptacl_app.widgets.similarity_map import SimilarityMap
from ptacl_app.widgets.sql_editor import SqlEditor
from ptacl_app.widgets.tables.neighbours import NeighbourList
from ptacl_app.widgets.tables.results import ResultTable
from ptacl_core.cohort import Cohort
from tests.app.conftest import build_cohort


def status_of(app):
    return str(app.screen.query_one("#status", Static).content)


async def test_neighbours_follow_direction_number_and_filter(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        table = app.screen.query_one("#table", NeighbourList)
        assert len(table.neighbours) == 25
        similarities = [neighbour.similarity for neighbour in table.neighbours]
        assert similarities == sorted(similarities, reverse=True)
        assert "p0003" not in {neighbour.patient for neighbour in table.neighbours}  # it has no CMR
        await pilot.press("d")
        await settle(pilot)
        assert app.screen.direction == "ecg-ecg"
        assert "p0005" not in {neighbour.patient for neighbour in table.neighbours}  # it has no ECG
        await pilot.press("slash", *"sex = 'M'", "enter")
        await settle(pilot)
        assert {neighbour.sex for neighbour in table.neighbours} == {"M"}
        await pilot.press("k")
        await settle(pilot)
        assert app.screen.count == 50


async def test_failing_neighbour_filter_is_explained(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("3", "slash", *"nope = 1", "enter")
        await settle(pilot)
        failure = app.screen.query_one("#failure", Static)
        assert failure.has_class("-shown")
        assert "nope" in str(failure.content)


async def test_the_list_of_a_loaded_file_says_what_it_is(make_app, settle, said):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        known = app.reader.load_patient("p0002")
        app.show_patient(dataclasses.replace(known, origin="file", patient="x.hea"))
        await pilot.press("3")
        await settle(pilot)
        before = app.screen.query_one("#table", NeighbourList).neighbours
        for key in ("d", "k", "slash"):
            await pilot.press(key)
        await settle(pilot)
        assert app.screen.query_one("#table", NeighbourList).neighbours == before
        assert "this ECG → CMRs" in app.screen.query_one("#head").detail
        assert not app.screen.query_one("#filter").display
        assert sum("of a file only" in text for text in said) == 3


async def test_two_hearts_beat_on_one_clock(make_app, settle, fake_time):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen.is_pair_shown
        here, there = app.screen.query(HeartColumn)
        for seconds in (0.2, 0.33, 1.1):
            fake_time.advance(seconds)
            app.screen.tick()
            assert here.query_one(CinePlot).frame == there.query_one(CinePlot).frame
            assert here.query_one(CinePlot).frame == int(app.screen.clock.phase * 50)
        phases = []
        for column in (here, there):
            peaks = column.patient.ecg.r_peak_times_s
            cursor = column.query_one(EcgPlot).cursor_s
            beat = max(index for index, peak in enumerate(peaks) if peak <= cursor)
            phases.append((cursor - peaks[beat]) / (peaks[beat + 1] - peaks[beat]))
        assert phases[0] == pytest.approx(phases[1], abs=1e-9)
        await pilot.press("escape")
        assert not app.screen.is_pair_shown
        await pilot.press("o")
        await settle(pilot)
        assert app.patient.patient == there.patient.patient


async def test_neighbour_distributions_count_every_neighbour(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("3")
        await settle(pilot)
        panel = app.screen.query_one("#distributions", DistributionPanel)
        text = ["".join(segment.text for segment in panel.render_line(y)) for y in range(22)]
        assert "LVEDV" in text[2]
        assert "median" in text[3]
    assert count_bins(np.array([1.0, 1.1, 5.0]), low=1.0, high=5.0, num_bins=4).tolist() == [
        2,
        0,
        0,
        1,
    ]


async def test_sql_runs_the_statement_under_the_cursor(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        editor = app.screen.query_one("#editor", SqlEditor)
        editor.text = "SELECT 1 AS one;\nSELECT patient FROM overview ORDER BY 1 LIMIT 3;"
        editor.move_cursor((1, 5))
        await pilot.press("ctrl+j")
        await settle(pilot)
        result = app.screen.query_one("#results", ResultTable).result
        assert result.columns == ("patient",)
        assert [row[0] for row in result.rows] == ["p0000", "p0001", "p0002"]
        assert status_of(app).startswith(" 3 rows")
        await pilot.press("tab", "down", "enter")
        await settle(pilot)
        assert app.patient.patient == "p0001"
        assert app.worklist == ("p0000", "p0001", "p0002")


async def test_sql_says_honestly_that_there_are_more_rows(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        app.screen.query_one("#editor", SqlEditor).text = "SELECT range FROM range(1000000)"
        await pilot.press("ctrl+j")
        await settle(pilot)
        assert "the first 5\u202f000 rows; there are more" in status_of(app)
        table = app.screen.query_one("#results", ResultTable)
        assert [row[0] for row in table.result.rows] == list(range(5000))  # in pieces, in order
        assert table.row_count == 5000


def test_rows_come_piece_by_piece(cohort_dir):
    reader = CohortReader.open(cohort_dir)
    pieces = reader.stream_query("SELECT range AS n FROM range(250)", max_rows=1000)
    first = next(pieces)
    assert (first.columns, len(first.rows), first.is_cut) == (("n",), 100, False)
    assert [len(piece.rows) for piece in pieces] == [100, 50]
    (empty,) = reader.stream_query("SELECT 1 AS n WHERE false")
    assert (empty.columns, empty.rows) == (("n",), ())
    reader.close()


async def test_sql_failures_stay_in_their_pane(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        for statement in ("SELEKT 1", "SELECT * FROM nowhere", "COPY overview TO '/tmp/x'", ""):
            app.screen.query_one("#editor", SqlEditor).text = statement
            await pilot.press("ctrl+j")
            await settle(pilot)
            status = app.screen.query_one("#status", Static)
            assert status.has_class("-failure")
            assert "Traceback" not in status_of(app)
            assert not app.screen.is_query_running
            assert app.is_running


async def test_sql_history_gives_a_statement_back(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        editor = app.screen.query_one("#editor", SqlEditor)
        editor.text = "SELECT 41 + 1"
        await pilot.press("ctrl+j")
        await settle(pilot)
        editor.text = ""
        await pilot.press("f8", "enter")
        await settle(pilot)
        assert editor.text == "SELECT 41 + 1"


async def test_sql_export_writes_a_guarded_csv(make_app, settle, tmp_path):
    from ptacl_core.cohort import Cohort

    root = tmp_path / "exporting"
    Cohort.create(root, name="x", source="files", preprocessing_hash="0" * 16).close()
    app = make_app(root)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        app.screen.query_one("#editor", SqlEditor).text = "SELECT '=1+1' AS a, 2 AS b"
        await pilot.press("ctrl+j")
        await settle(pilot)
        app.screen.query_one("#results").focus()
        await pilot.press("e")
        await settle(pilot)
    (path,) = (root / "exports").glob("query-*.csv")
    assert path.read_bytes() == b"a,b\r\n'=1+1,2\r\n"
    about = json.loads(path.with_name(path.name + ".about.json").read_text())
    assert about["num_rows"] == 1
    assert "Research use only" in about["notice"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_runs_show_tables_map_and_provenance(make_app, settle, read_screen):
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("5")
        await settle(pilot)
        text = "\n".join(read_screen(app))
        for shown in (
            "align-demo",
            "top-1 0.74",
            "chance 0.08",
            "aaaaaaaaaaaa",
            "0.43 [0.37 0.50]",
        ):
            assert shown in text
        assert "evidence about the code" in text
        values = app.screen.query_one("#map", SimilarityMap).values
        assert values.shape == (13, 13)
        await pilot.press("d")
        await settle(pilot)
        assert "Retrieval" in "\n".join(read_screen(app))


async def test_using_another_run_changes_predictions_and_compares_both(make_app, settle, tmp_path):
    root = build_cohort(tmp_path / "two-runs", num_patients=9)
    with Cohort.write(root, purpose="test") as writer:
        writer.put_run("older", kind="align", config={"preset": "demo"})
        writer.put_predictions(
            pa.Table.from_pylist(
                [
                    {"run": "older", "patient": "p0002", "visit": 2, "name": "lvm_g",
                     "value": 77.0, "low": 60.0, "high": 95.0, "unit": "g", "coverage": 0.9}
                ]
            )
        )  # fmt: skip
    app = make_app(root, first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        assert app.summary.run is not None
        await pilot.press("5")
        await settle(pilot)
        app.screen.query_one("#runs").move_cursor(
            row=[run.run for run in app.screen.runs].index("older")
        )
        await pilot.press("enter")
        await settle(pilot)
        assert app.summary.run == "older"
        runs = app.screen.query_one("#runs")
        assert str(runs.get_cell_at((runs.cursor_row, 0))) == "● older"
        predicted = {
            phenotype.name: phenotype.predicted.value
            for phenotype in app.patient.phenotypes
            if phenotype.predicted
        }
        assert predicted == {"lvm_g": 77.0}
        table = app.screen.by_run
        assert set(table.headings) == {"", "older", "align-demo", "CMR"}
        (row,) = (cells for cells in table.rows if "77" in "".join(cells))
        assert "[60" in row[table.headings.index("older")]
        assert app.screen.tables[-1] is table


async def test_cohort_without_runs(make_app, settle, read_screen, bare_cohort_dir):
    app = make_app(bare_cohort_dir)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("5")
        await settle(pilot)
        assert "ptacl train" in "\n".join(read_screen(app))


def test_map_lights_the_current_cell():
    values = np.eye(13, dtype=np.float32)
    plain, lit = colour_map(values, None), colour_map(values, 4)
    assert (plain[2, 2] == plain[7, 7]).all()
    assert tuple(lit[4, 4]) == (245, 165, 36)
    changed = (plain != lit).any(axis=2)
    assert changed[4].all()
    assert changed[:, 4].all()
    assert not changed[np.ix_([0, 1, 9], [0, 1, 9])].any()


async def test_help_names_every_key_of_the_screen(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for mode, scope in (("1", "cohort"), ("2", "patient"), ("3", "neighbours"), ("5", "runs")):
            await pilot.press(mode)
            await settle(pilot)
            await pilot.press("question_mark")
            await settle(pilot)
            assert isinstance(app.screen, HelpScreen)
            text = str(app.screen.build_text())
            for action in list_actions((scope, "app")):
                assert action.help in text
                assert show_key(action.keys[0]) in text
            await pilot.press("escape")


def test_actions_are_whole_and_their_keys_arrive_everywhere():
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for action in ACTIONS:
        assert action.scope in SCOPES
        for key in action.keys:
            plain = key.removeprefix("ctrl+").removeprefix("shift+")
            assert len(plain) == 1 or plain in {
                "space", "comma", "full_stop", "less_than_sign", "greater_than_sign", "plus",
                "minus", "equals_sign", "slash", "question_mark", "left_square_bracket",
                "right_square_bracket", "left", "right", "up", "down", "pageup", "pagedown",
                "home", "end", "enter", "escape", "tab",
                *(f"f{number}" for number in range(1, 13)),
            }  # fmt: skip
        function_keys = [key for key in action.keys if key[0] == "f" and key[1:].isdigit()]
        if function_keys and action.id != "about":
            assert len(action.keys) > len(function_keys), f"{action.id} has no twin"
    for scope in SCOPES:
        own = [key for action in list_actions((scope,)) for key in action.keys]
        assert len(own) == len(set(own)), scope


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope != "app"])
def test_footer_has_at_most_seven_entries_with_help_among_them(scope):
    entries = KeyFooter(scope).entries
    assert len(entries) <= MAX_ENTRIES
    assert "help" in {entry.id for entry in entries}


async def test_palette_finds_every_action_and_patients(make_app, settle):
    from ptacl_app.shell.commands import AppCommands

    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        provider = AppCommands(app.screen)
        names = [str(hit.text) async for hit in provider.discover()]
        for action in list_actions(("patient", "app")):
            if action.id != "palette":
                assert any(name.startswith(action.label) for name in names), action.id
        assert "Theme ptacl-paper" in names
        hits = [hit.text async for hit in provider.search("p0011")]
        assert "Open patient p0011" in hits
        await pilot.press("ctrl+p")
        await pilot.pause()
        app.screen.query_one(Input).value = "p0011"
        await pilot.pause(0.5)
        await pilot.press("enter", "enter")
        await settle(pilot)
        assert app.patient.patient == "p0011"


async def test_keys_can_be_given_other_actions(make_app, settle):
    settings = AppSettings(remember=False, fps=1.0, keys={"play": "p"})
    app = make_app(first_patient="p0002", settings=settings)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert app.screen.clock.is_playing
        await pilot.press("p")
        assert not app.screen.clock.is_playing


async def test_privacy_hides_every_id(make_app, settle, read_screen):
    settings = AppSettings(remember=False, fps=1.0, use_privacy=True)
    app = make_app(first_patient="p0002", settings=settings)
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        for key in ("2", "1", "3"):
            await pilot.press(key)
            await settle(pilot)
            await pilot.pause(0.2)
            text = "\n".join(read_screen(app))
            assert "patient-" in text
            assert not [f"p{number:04d}" for number in range(48) if f"p{number:04d}" in text]


async def test_themes_draw_the_ecg(in_cells, make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        for theme in ("ptacl-paper", "ptacl-contrast", "nord", "textual-light"):
            app.theme = theme
            await pilot.pause()
            ecg = app.screen.query_one("#ecg", EcgPlot)
            colours = {segment.style.bgcolor.name for segment in ecg.render_line(2)}
            assert len(colours) >= 2


async def test_session_goes_on_where_it_ended(make_app, settle, tmp_path):
    first = make_app(settings=AppSettings(fps=1.0))
    async with first.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"age_years > 60", "enter")
        await settle(pilot)
        await pilot.press("s", "down", "enter")
        await settle(pilot)
        shown = first.patient.patient
        await pilot.press("g", "ctrl+t", "q")
    (path,) = (tmp_path / "state").glob("session-*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    second = make_app(settings=AppSettings(fps=1.0))
    async with second.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await settle(pilot)
        assert second.current_mode == "patient"
        assert second.patient.patient == shown
        assert second.theme == "ptacl-paper"
        assert second.screen.query_one("#ecg", EcgPlot).view.gain_mm_per_mv == 20.0
        await pilot.press("1")
        await settle(pilot)
        assert second.screen.where == "age_years > 60"
        assert second.screen.sort == "visit"


async def test_privacy_keeps_no_session(make_app, settle, tmp_path):
    app = make_app(settings=AppSettings(fps=1.0, use_privacy=True))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("q")
    assert not list((tmp_path / "state").glob("session-*"))


async def test_damaged_session_is_left_aside(make_app, settle, tmp_path):
    from ptacl_app.shell.session import get_session_path

    app = make_app(settings=AppSettings(fps=1.0))
    path = get_session_path(tmp_path / "state", app.cohort_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"mode": 7, "evil": true')
    app = make_app(settings=AppSettings(fps=1.0))
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert app.current_mode == "cohort"


async def test_saved_cohort_shows_its_attrition(
    make_app, settle, read_screen, tmp_path, cohort_dir
):
    import shutil

    root = tmp_path / "saving"
    shutil.copytree(cohort_dir, root, ignore=shutil.ignore_patterns("*.npy"))
    app = make_app(root)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.screen.apply_filter(("sex = 'F'", "age_years > 60"))
        await settle(pilot)
        await pilot.press("ctrl+s", *"older women", "enter")
        await settle(pilot)
        text = "\n".join(read_screen(app))
        assert "saved as older women" in text
        assert "48 patients" in text
        assert "24 patients" in text
        (saved,) = app.reader.load_saved_cohorts()
        assert saved.steps[-1][0] == "age_years > 60"


async def test_typing_takes_the_samples_place_and_the_footer_shows_keys_that_work(make_app, settle):
    app = make_app()
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        footer = app.screen.query_one(KeyFooter)
        shown = footer.render().plain
        assert "F1 Help" in shown
        assert "^Q Quit" in shown
        assert " ? " not in shown
        await pilot.press("f1")
        await settle(pilot)
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await settle(pilot)
        await pilot.press(*"SELECT 7 AS x", "ctrl+j")
        await settle(pilot)
        assert app.screen.query_one("#editor", SqlEditor).text == "SELECT 7 AS x"
        assert app.screen.query_one("#results", ResultTable).result.rows == ((7,),)
        await pilot.press("escape")
        await settle(pilot)
        assert "? Help" in footer.render().plain


async def test_an_export_has_all_rows_of_a_long_result(make_app, settle, tmp_path, said):
    cohort = build_cohort(tmp_path / "mine", num_patients=12, has_model=False)
    app = make_app(cohort)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("4")
        await settle(pilot)
        app.screen.query_one(
            "#editor", SqlEditor
        ).text = "SELECT a.patient FROM overview a, overview b, overview c, overview d"
        await pilot.press("ctrl+j")
        await settle(pilot)
        assert "there are more" in status_of(app)
        await pilot.press("escape", "e")
        await settle(pilot)
        (path,) = (cohort / "exports").glob("query-*.csv")
        assert len(path.read_text().splitlines()) == 12**4 + 1
        assert "all" in status_of(app)
