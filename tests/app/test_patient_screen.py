"""The patient screen: one clock for ECG, step and cine, whatever the size of the terminal."""

import numpy as np
import pytest
from textual.widgets import Static

from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.shell.settings import AppSettings
from ptacl_app.text.formatting import format_number
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.ecg.step_strip import StepStrip
from ptacl_app.widgets.findings_panel import FindingsPanel
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.pane_tabs import PaneTabs
from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_app.widgets.similarity_map import SimilarityMap
from ptacl_app.widgets.tables.neighbours import NeighbourList
from tests.app.conftest import draw_map

SIZES = [(80, 24), (120, 36), (146, 40)]


def ecg_of(app):
    return app.screen.query_one("#ecg", EcgPlot)


def cine_of(app):
    return app.screen.query_one("#cine", CinePlot)


def text_of(widget):
    return [
        "".join(segment.text for segment in widget.render_line(y))
        for y in range(widget.size.height)
    ]


async def test_cursor_step_and_frame_are_one_phase_at_every_size(make_app, settle, fake_time):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert screen.clock.is_playing
        for size, seconds in zip(SIZES * 2, (0.0, 0.31, 0.4, 1.27, 0.05, 3.3), strict=True):
            await pilot.resize_terminal(*size)
            fake_time.advance(seconds)
            screen.tick()
            position = screen.clock.position
            assert cine_of(app).frame == int(screen.clock.phase * 50) == position.frame
            strip = screen.query_one("#steps", StepStrip)
            assert strip.position.step == int(screen.clock.phase * 13)
            peaks = app.patient.ecg.r_peak_times_s
            start, end = peaks[position.beat], peaks[position.beat + 1]
            assert ecg_of(app).cursor_s == pytest.approx(start + screen.clock.phase * (end - start))
            assert ecg_of(app).beat_span_s == (start, end)
        assert screen.clock.cycle_s == pytest.approx(0.9)  # 50 frames of 18 ms


async def test_cursor_column_is_lit_and_only_it(make_app, settle, fake_time):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        fake_time.advance(0.45)
        app.screen.tick()
        ecg = ecg_of(app)
        ground = ecg.get_component_rich_style("ecg--cursor").bgcolor
        column = ecg.view.column_of(ecg.cursor_s)
        for y in range(ecg.size.height):
            strip, at = ecg.render_line(y), 0
            for segment in strip:
                lit = segment.style.bgcolor == ground
                assert lit == (at == column and y < ecg.size.height) or not lit
                if lit:
                    assert at == column
                    assert len(segment.text) == 1
                at += len(segment.text)


async def test_playing_turns_the_page_of_a_narrow_ecg(make_app, settle, fake_time):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        ecg = ecg_of(app)
        if ecg.has_pixels:
            await pilot.press("plus")
        assert ecg.page.page_s < 10
        app.screen.clock.seek_beat(app.screen.clock.num_beats - 1)
        app.screen.tick()
        assert ecg.page.start_shown_s > 0
        assert ecg.page.holds(ecg.cursor_s)


async def test_space_stops_and_starts(make_app, settle, fake_time):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        before = app.screen.clock.phase
        fake_time.advance(0.2)
        app.screen.tick()
        assert app.screen.clock.phase == before
        await pilot.press("space")
        fake_time.advance(0.2)
        app.screen.tick()
        assert app.screen.clock.phase != before


async def test_frames_by_key_wheel_and_step(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("d")
        assert (cine_of(app).frame, app.screen.clock.is_playing) == (0, False)
        await pilot.press("full_stop", "full_stop", "comma")
        assert cine_of(app).frame == 1
        await pilot.press("end")
        assert cine_of(app).frame == 49
        await pilot.press("s")
        assert cine_of(app).frame == app.patient.cine.end_systole_frame
        await pilot.press("tab", "right")
        assert app.screen.pane == "cine"
        assert cine_of(app).frame == app.patient.cine.end_systole_frame + 1
        await pilot.click("#steps", offset=(app.screen.query_one("#steps").size.width - 3, 0))
        assert app.screen.clock.position.step == 12
        await pilot.click("#cine", times=2)
        assert app.screen.clock.is_playing


async def test_window_keys(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        first = cine_of(app).window
        await pilot.press("w", "down", "right")
        assert cine_of(app).window.level == first.level + 8
        assert cine_of(app).window.width == first.width + 8
        await pilot.press("escape", "i")
        assert cine_of(app).window.is_inverted
        await pilot.press("a")
        assert cine_of(app).window == first
        start = ecg_of(app).view
        await pilot.press("down")
        assert ecg_of(app).view.lead == start.lead + 1  # the arrows are the ECG's again


async def test_ecg_keys(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        ecg = ecg_of(app)
        await pilot.press("g")
        assert ecg.view.gain_mm_per_mv == 20.0
        await pilot.press("v")
        assert ecg.view.speed_mm_per_s == 50.0
        await pilot.press("l")
        assert ecg.view.layout is Layout.SIX_BY_TWO
        await pilot.press("l", "l")
        assert ecg.view.layout is Layout.ONE_LEAD
        await pilot.press("plus")
        assert ecg.view.zoom == (1.5 if ecg.has_pixels else 2)
        before = ecg.page.start_shown_s
        await pilot.press("right")
        tenth = 0.1 * ecg.page.page_s
        if not ecg.has_pixels:
            tenth = round(0.1 * ecg.view.page_columns) / ecg.view.columns_per_s
        assert ecg.page.start_shown_s == pytest.approx(before + tenth)
        await pilot.press("pagedown")
        assert ecg.page.start_shown_s == pytest.approx(before + tenth + ecg.page.page_s)
        await pilot.press("equals_sign")
        assert ecg.page.start_shown_s == 0


async def test_clicking_a_lead_selects_it_and_moves_the_clock(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.click("#ecg", offset=(60, 3))
        assert ecg_of(app).view.lead == 6  # V1
        assert app.screen.clock.position.cursor_s == pytest.approx(5.7, abs=0.11)
        await pilot.click("#ecg", offset=(60, 3), times=2)
        assert ecg_of(app).view.layout is Layout.ONE_LEAD


async def test_calipers_measure_time_voltage_and_rate(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("m")
        first = ecg_of(app).calipers
        assert first.interval_ms == pytest.approx(2500)
        await pilot.press("right", "right")  # two samples at 500 Hz
        assert ecg_of(app).calipers.interval_ms == pytest.approx(2504)
        await pilot.press("tab", "left")
        assert ecg_of(app).calipers.interval_ms == pytest.approx(2506)
        await pilot.press("pageup")  # a millimetre of paper at 25 mm/s
        assert ecg_of(app).calipers.interval_ms == pytest.approx(2546)
        head = app.screen.query_one("#ecg-head", PaneHead).detail
        assert "Δt 2546 ms" in head
        assert "II Δ " in head
        assert "mV" in head
        assert "bpm" in head
        await pilot.press("escape")
        assert ecg_of(app).calipers is None
        assert "calipers" not in app.screen.query_one("#ecg-head", PaneHead).detail


async def test_small_terminal_shows_one_pane_at_a_time(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert screen.query_one("#tabs").display
        assert ecg_of(app).size == (80, 20)
        assert not screen.query_one("#right").display
        await pilot.press("tab")
        assert screen.query_one("#tabs", PaneTabs).current == "cine"
        assert (cine_of(app).size.height, cine_of(app).shown_size) == (21, 42)
        await pilot.press("tab")
        assert screen.pane == "phenotypes"
        assert not cine_of(app).display
        assert screen.query_one("#phenotypes").size.width == 80
        await pilot.press("tab")
        assert screen.query_one("#neighbours", NeighbourList).has_focus
        await pilot.press("shift+tab", "shift+tab", "shift+tab")
        assert screen.pane == "ecg"


async def test_larger_terminals_show_all_panes(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        ecg = ecg_of(app)
        assert not app.screen.query_one("#tabs").display
        assert (ecg.view.page_s, ecg.view.zoom) == (10.0, 1)
        assert cine_of(app).shown_size == 42
        assert app.screen.query_one("#phenotypes").size.height >= 12
        await pilot.press("z")
        assert app.screen.is_single_pane
        await pilot.press("escape")
        assert not app.screen.is_single_pane
        await pilot.resize_terminal(120, 34)
        await settle(pilot)
        assert not app.screen.is_single_pane
        assert ecg.view.page_s == pytest.approx(7.2)
        await pilot.resize_terminal(119, 40)
        await settle(pilot)
        assert app.screen.is_single_pane


async def test_tiny_window_asks_for_a_larger_one(make_app, settle, read_screen):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(40, 10)) as pilot:
        await settle(pilot)
        for size in ((40, 10), (59, 30), (100, 17)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert "please enlarge the window" in "\n".join(read_screen(app))
            assert not app.screen.query_one("#body").display
        await pilot.resize_terminal(60, 18)
        await settle(pilot)
        assert app.screen.query_one("#body").display


async def test_huge_terminal_doubles_the_boxes_and_the_heart(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(290, 60)) as pilot:
        await settle(pilot)
        assert ecg_of(app).view.zoom == (1 if ecg_of(app).has_pixels else 2)
        assert cine_of(app).shown_size >= 84


async def test_predictions_carry_their_intervals_and_measurements_stand_beside(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("tab", "tab")
        await settle(pilot)
        rows = text_of(app.screen.query_one("#phenotypes", PhenotypePanel))
        assert "90 %" in rows[0]
        for row, value in zip(rows[1:11], app.patient.phenotypes, strict=True):
            assert "~" in row
            assert "–" in row
            assert format_number(value.measured, unit=value.unit) in row
        assert "run align-demo" in rows[11]


async def test_the_map_is_the_patients_own_with_the_current_cell_lit(make_app, settle, fake_time):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        shown = app.screen.query_one("#map", SimilarityMap)
        np.testing.assert_array_equal(shown.values, draw_map("p0002"))
        fake_time.advance(0.45)
        app.screen.tick()
        assert shown.step == 6
        cells = list(shown.render_line(3))  # steps 7 and 8 of the ECG
        assert cells[6].style.color.get_truecolor() == (245, 165, 36)
        app.load_patient("p0004")
        await settle(pilot)
        np.testing.assert_array_equal(shown.values, draw_map("p0004"))


async def test_patient_without_cmr(make_app, settle):
    app = make_app(first_patient="p0003")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        shown = app.screen.query_one("#map", SimilarityMap)
        assert shown.values is None
        assert "no map of this visit" in " ".join(text_of(shown))
        assert any("no CMR for this visit" in row for row in text_of(cine_of(app)))
        await pilot.press("full_stop")
        assert app.screen.clock.position.step == 1
        assert app.patient.neighbours


async def test_patient_without_ecg(make_app, settle, fake_time):
    app = make_app(first_patient="p0005")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert "no ECG" in app.screen.query_one("#findings", FindingsPanel).lines[0][1]
        assert any("no ECG for this visit" in row for row in text_of(ecg_of(app)))
        fake_time.advance(0.45)
        app.screen.tick()
        assert cine_of(app).frame == 25
        assert app.patient.neighbours == ()
        assert "no ECG embedding" in str(app.screen.query_one("#neighbour-note", Static).content)
        await pilot.press("m", "right", "g", "l")
        assert ecg_of(app).calipers is None


async def test_unlike_the_training_data_comes_before_any_number(make_app, settle, read_screen):
    app = make_app(first_patient="p0007")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        lines = [text for _, text in app.screen.query_one("#findings", FindingsPanel).lines]
        assert "unlike the training data" in lines[0]
        assert "noise" in lines[1]
        text = read_screen(app)
        verdict = next(y for y, row in enumerate(text) if "unlike the training" in row)
        number = next(y for y, row in enumerate(text) if "LVEDV " in row and "~" in row)
        assert verdict < number
        await pilot.press("f")
        await settle(pilot)
        assert "muscle noise of 0.09 mV" in "\n".join(read_screen(app))


async def test_cohort_without_a_model(make_app, settle, read_screen, bare_cohort_dir):
    app = make_app(bare_cohort_dir, first_patient="p0000")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        text = "\n".join(read_screen(app))
        assert "no model yet" in text
        assert "~" not in text
        assert app.patient.phenotypes[0].measured is not None


async def test_patient_that_is_not_there(make_app, settle):
    app = make_app(first_patient="nobody")
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        assert "no such patient" in app.failure
        assert app.screen.has_class("-empty")


async def test_enter_on_a_neighbour_opens_it(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        table = app.screen.query_one("#neighbours", NeighbourList)
        ids = [neighbour.patient for neighbour in table.neighbours]
        assert "p0002" not in ids
        await pilot.press("tab", "tab", "down", "enter")
        await settle(pilot)
        assert app.patient.patient == ids[1]
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert app.patient.patient == ids[2]


async def test_slow_terminal_drops_frames_and_keeps_time(make_app, settle, fake_time, monkeypatch):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.screen._timer.pause()  # the test is the only one that ticks, however slow the machine
        app.screen.frames.clear()
        fake_time.advance(0.1)
        app.screen.tick()
        shown = cine_of(app).frame
        monkeypatch.setattr("ptacl_app.app.count_queued_writes", lambda app: 5)
        for _ in range(5):
            fake_time.advance(0.1)
            app.screen.tick()
        assert cine_of(app).frame == shown
        assert app.screen.frames.describe(5.0) == "1/5 fps"
        await pilot.press("space")
        assert not app.screen.clock.is_playing
        monkeypatch.setattr("ptacl_app.app.count_queued_writes", lambda app: 0)
        await pilot.press("space")
        fake_time.advance(0.0)
        app.screen.tick()
        assert cine_of(app).frame == int(app.screen.clock.phase * 50)
        assert app.screen.clock.phase == pytest.approx(0.6 / 0.9)


async def test_nothing_moves_by_itself_without_animation(make_app, settle, fake_time):
    settings = AppSettings(remember=False, fps=1.0, use_animation=False)
    app = make_app(first_patient="p0002", settings=settings)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        assert not app.screen.clock.is_playing
        await pilot.press("space")
        assert app.screen.clock.is_playing


async def test_damaged_arrays_are_findings_and_the_rest_is_shown(make_app, settle, tmp_path):
    import shutil

    from ptacl_core.cohort import Cohort

    source = make_app().cohort_path
    root = tmp_path / "torn"
    shutil.copytree(source, root)
    for cine in (root / "shards").rglob("cine.npy"):
        cine.write_bytes(cine.read_bytes()[:5000])
    Cohort.open(root).close()
    app = make_app(root, first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        assert app.patient.cine is None
        assert app.patient.ecg is not None
        assert any(finding.code == "cine_unreadable" for finding in app.patient.findings)
        assert app.patient.phenotypes[0].predicted is not None


async def test_impossible_voltages_are_a_finding_not_an_ecg(make_app, settle, tmp_path):
    import shutil

    root = tmp_path / "noise"
    shutil.copytree(make_app().cohort_path, root)
    for array in (root / "shards").rglob("ecg.npy"):
        with array.open("r+b") as file:
            file.seek(128)
            file.write(b"\xff\x7b" * ((array.stat().st_size - 128) // 2))  # the largest halves
    app = make_app(root, first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        assert app.patient.ecg is None
        texts = [
            str(finding) for finding in app.patient.findings if finding.code == "ecg_unreadable"
        ]
        assert "damaged" in texts[0]
        assert "ptacl verify" in texts[0]


async def test_shown_voltages_are_the_stored_ones(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        signal = app.patient.ecg.signal_mv
        assert signal.shape == (12, 5000)
        np.testing.assert_allclose(signal[2], signal[1] - signal[0], atol=0.08)
        assert not signal.flags.writeable


async def test_a_beat_that_is_left_is_painted_over(in_cells, make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("space")
        await settle(pilot)
        ecg = app.screen.query_one("#ecg", EcgPlot)
        ecg.cursor_s, ecg.beat_span_s = 1.0, (1.0, 2.0)
        await pilot.pause()
        # the cursor is moved first, the beat after it, and then both are painted
        ecg.cursor_s, ecg.beat_span_s = 2.0, (2.0, 3.0)
        columns = {
            column for region in ecg._dirty_regions for column in range(region.x, region.right)
        }
        left, reached = ecg.view.column_of(1.0), ecg.view.column_of(2.9)
        assert columns >= set(range(left, reached))
