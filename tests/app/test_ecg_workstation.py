"""Marks that are dragged and kept, the median beat, raw recordings, what the mouse drags."""

import base64
import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from textual import events

from ptacl_app.data.inference import build_view
from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.drawing.ecg_picture import draw_page
from ptacl_app.drawing.paper_inks import PINK
from ptacl_app.drawing.trace import EcgFilter
from ptacl_app.output.report import lay_out_paper, write_report
from ptacl_app.terminal.graphics import Graphics, Protocol
from ptacl_app.widgets.ecg.plot import EcgPlot
from tests.app.conftest import draw_ecg


@pytest.fixture
def graphics():
    return Graphics(Protocol.KITTY, "asked for by a test")


def ecg_of(app):
    return app.screen.query_one("#ecg", EcgPlot)


async def test_a_dragged_mark_is_kept_with_who_and_when(
    make_app, settle, said, cohort_dir, tmp_path, monkeypatch
):
    root = tmp_path / "kept"
    shutil.copytree(cohort_dir, root)
    app = make_app(root, first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("space", "t")
        await settle(pilot)
        ecg = ecg_of(app)
        marks = ecg.visible_marks
        assert {mark.name for mark in marks} >= {"qrs_onset", "qrs_offset", "t_end"}
        mark = next(
            candidate
            for candidate in marks
            if candidate.name == "qrs_onset" and candidate.beat == 3
        )
        ecg.drop_mark(mark, mark.time_s - 0.0121)
        await settle(pilot)
        kept = next(
            candidate
            for candidate in ecg.visible_marks
            if (candidate.name, candidate.beat) == ("qrs_onset", 3)
        )
        assert kept.time_s == pytest.approx(mark.time_s - 0.012, abs=1e-6)  # on a sample
        assert any("moved by −12 ms" in text and "kept as moved by" in text for text in said)
        moves = app.reader.load_moved_marks("p0002", 2)
        assert [(move.mark, move.beat) for move in moves] == [("qrs_onset", 3)]
        assert moves[0].actor
        computed = ecg.ecg.marks.beats[3].qrs_onset / 500
        assert computed == pytest.approx(mark.time_s)  # the computed one stays


async def test_the_median_beat_and_the_calipers_march(make_app, settle, said):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        ecg = ecg_of(app)
        await pilot.press("space", "l", "l", "l", "l")
        assert ecg.view.layout is Layout.MEDIAN_BEAT
        beat = ecg.ecg.marks.representative_mv
        assert ecg.page.page_s == pytest.approx(4 * beat.shape[1] / 500)
        np.testing.assert_array_equal(
            ecg.trace.signal_mv[7, 2 * beat.shape[1] :][: beat.shape[1]], beat[7]
        )
        await pilot.press("l", "m", "k")
        assert len(ecg.caliper_lines_s) >= 3
        await pilot.press("x")
        assert any("denoised" in text for text in said)  # a cohort has no raw recording
        assert ecg.shown_choice is EcgFilter.MODEL


async def test_the_mouse_drags_calipers_and_the_page(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        ecg = ecg_of(app)
        await pilot.press("space", "m")
        page = ecg.page
        column = int(page.x_of(ecg.calipers.times_s[0]) // 8)
        await pilot.mouse_down("#ecg", offset=(column, 3))
        await pilot.hover("#ecg", offset=(column + 5, 3))
        await pilot.mouse_up("#ecg", offset=(column + 5, 3))
        expected_s = page.time_of((column + 5.5) * 8)
        assert ecg.calipers.times_s[0] == pytest.approx(expected_s, abs=0.0011)
        app.images.has_pixel_mouse = True  # a press between cells, whose click tells the cell alone
        place = {"y": 3, "delta_x": 0, "delta_y": 0, "button": 1, "shift": False, "meta": False,
                 "ctrl": False}  # fmt: skip
        ecg.on_mouse_down(events.MouseDown(ecg, x=50.375, **place))
        ecg.on_mouse_up(events.MouseUp(ecg, x=50.375, **place))
        ecg.on_click(events.Click(ecg, x=50, **place))
        expected_s = page.time_of(50.375 * 8 + 0.5)
        assert ecg.calipers.times_s[0] == pytest.approx(expected_s, abs=0.0011)
        app.images.has_pixel_mouse = False
        await pilot.press("escape", "plus", "plus")
        start_s = ecg.page.start_shown_s
        await pilot.mouse_down("#ecg", offset=(60, 3))
        await pilot.hover("#ecg", offset=(40, 3))
        await pilot.mouse_up("#ecg", offset=(40, 3))
        moved_s = 20 * 8 / ecg.page.px_per_s
        assert ecg.page.start_shown_s == pytest.approx(
            min(start_s + moved_s, 10 - ecg.page.page_s), abs=0.02
        )


async def test_a_file_is_shown_raw_and_whole(make_app, settle):
    model_mv, peaks = draw_ecg(66.0)
    raw_mv = np.tile(model_mv, (1, 4))[:, :19200] + 0.2
    document = {
        "num_samples": 5000,
        "heart_rate_bpm": 66.0,
        "r_peak_samples": peaks.tolist(),
        "findings": [],
        "raw_rate_hz": 500.0,
        "raw_lead_names": ["I", "II", "III", "aVR", "aVL", "aVF", *(f"V{n}" for n in range(1, 7))],
    }
    payload = model_mv.tobytes() + raw_mv.astype(np.float32).tobytes()
    view = build_view("9000000.xml", document, payload)
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        app.show_patient(view)
        await settle(pilot)
        ecg = ecg_of(app)
        assert ecg.shown_choice is EcgFilter.RAW
        assert ecg.view.duration_s == pytest.approx(38.4)
        np.testing.assert_allclose(ecg.trace.signal_mv, raw_mv, atol=1e-6)
        assert "raw" in app.screen.query_one("#ecg-head").detail
        ecg.go_to(30.0)
        assert ecg.page.start_shown_s == pytest.approx(28.4)
        for choice in (EcgFilter.DIAGNOSTIC, EcgFilter.NOTCH, EcgFilter.MODEL, EcgFilter.RAW):
            await pilot.press("x")
            assert ecg.shown_choice is choice
            assert choice.value in app.screen.query_one("#ecg-head").detail
        assert ecg.ecg.marks.beats


async def test_the_report_holds_the_page_of_the_same_raster(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        patient = app.patient
        html = write_report(patient, name="9000000")
    assert "@page { size: landscape" in html
    page = lay_out_paper(patient.ecg.model_trace)
    assert (page.px_per_mm, page.px_per_s, page.gain_mm_per_mv) == (10.0, 250.0, 10.0)
    assert "width:257mm;height:100mm" in html
    assert "25 mm/s  10 mm/mV when printed at 100 %" in html
    match = re.search(r"class='paper'[^>]*src='data:image/png;base64,([^']+)'", html)
    assert match is not None
    image = Image.open(io.BytesIO(base64.b64decode(match[1])))
    assert image.size == (2570, 1000)
    drawn = draw_page(page, patient.ecg.model_trace, PINK).to_rgb()
    assert np.array_equal(np.asarray(image.convert("RGB")), drawn)
