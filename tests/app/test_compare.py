"""Two visits, or a file: side by side at one scale, overlaid beat on beat, their figures."""

import re

import numpy as np
import pytest

from ptacl_app.data.figure_differences import describe_differences
from ptacl_app.data.patient_view import EcgView
from ptacl_app.drawing.ecg_page import Ink, Layout, PageView, draw_page
from ptacl_app.drawing.prior import align_at_beat, build_median_ghost
from ptacl_app.drawing.trace import EcgFilter, Trace
from ptacl_app.screens.compare import CompareScreen
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.records import LEAD_NAMES
from ptacl_core.records.marks import BeatMarks, EcgMarks
from tests.app.conftest import LENGTH_S


def plots_of(app):
    return (app.screen.query_one(f"#{name}", EcgPlot) for name in ("now", "other"))


async def test_two_visits_side_by_side_and_overlaid(make_app, settle, read_screen, recorded):
    cohort, files = recorded
    app = make_app(cohort, originals=(files,))
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        app.open_patient(app.reader.load_page().rows[0].patient, 2)
        await settle(pilot)
        await pilot.press("space", "b")
        await settle(pilot)
        assert isinstance(app.screen, CompareScreen)
        now, other = plots_of(app)
        assert app.screen.other is not None
        assert app.screen.other.visit == 1
        assert now.shown_choice is other.shown_choice is EcgFilter.RAW
        assert other.trace.duration_s == LENGTH_S
        assert re.search(r"difference +\+10 ", "\n".join(read_screen(app)))  # 76 less 66 a minute
        # one scale, one place
        await pilot.press("g", "plus", "pagedown", "down")
        for name in ("gain_mm_per_mv", "zoom", "start_s", "lead", "layout"):
            assert getattr(now.view, name) == getattr(other.view, name), name
        assert now.view.start_s > 0
        if now.has_pixels:
            assert now.page.gain_mm_per_mv == other.page.gain_mm_per_mv
            assert now.page.px_per_mv == pytest.approx(other.page.px_per_mv, rel=0.02)
        # overlaid: the beats in the middle of the page meet
        await pilot.press("equals_sign", "o")
        await settle(pilot)
        (ghost,) = now.ghosts
        middle_s = now.page.start_shown_s + now.page.page_s / 2
        gaps = [
            abs(mine - theirs - ghost.offset_s)
            for mine in now.r_peak_times_s
            for theirs in other.r_peak_times_s
            if abs(mine - middle_s) < 1.0
        ]
        assert min(gaps) < 1e-6
        await pilot.press("l", "l", "l", "l")
        assert now.view.layout is other.view.layout is Layout.MEDIAN_BEAT
        assert now.ghosts[0].signal_mv.shape == now.trace.signal_mv.shape
        await pilot.press("escape")
        assert app.current_mode == "patient"
        assert not isinstance(app.screen, CompareScreen)


async def test_another_file_and_no_other_visit(make_app, settle, read_screen, recorded):
    _, files = recorded
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(100, 34)) as pilot:
        await settle(pilot)
        await pilot.press("b")
        await settle(pilot)
        assert "no other visit of this person has an ECG" in "\n".join(read_screen(app))
        await pilot.press("o")
        assert not app.screen.has_class("-overlaid")
        await pilot.press("ctrl+o")
        app.screen.query_one("#path", SafeInput).value = str(files / "absent.hea")
        await pilot.press("enter")
        await settle(pilot)
        assert "absent.hea" in "\n".join(read_screen(app))
        app.screen.query_one("#path", SafeInput).value = str(files / "90000011.hea")
        await pilot.press("enter")
        await settle(pilot)
        now, other = plots_of(app)
        assert app.screen.has_class("-stacked")
        assert other.shown_choice is EcgFilter.RAW
        assert now.shown_choice is EcgFilter.MODEL  # this cohort was simulated
        assert "90000011.hea" in "\n".join(read_screen(app))
        # another patient below: there is nothing to compare any more
        app.open_patient("p0004")
        await settle(pilot)
        assert not isinstance(app.screen, CompareScreen)


def test_figures_and_the_shorter_way_round_of_the_axis():
    def ecg(**figures):
        rate = figures.pop("heart_rate_bpm", None)
        return EcgView(np.zeros((12, 10), np.float32), (), rate, figures)

    heading, one, two, difference = describe_differences(
        ("visit 3", ecg(heart_rate_bpm=71.0, pr_ms=180.0, axis_deg=-170.0)),
        ("visit 2", ecg(heart_rate_bpm=60.0, axis_deg=170.0)),
    )
    assert " ".join(heading.split()) == "HR bpm PR ms QRS ms QT ms QTc ms axis °"
    assert one.split()[:4] == ["visit", "3", "71", "180"]
    assert two.split()[:4] == ["visit", "2", "60", "–"]
    assert " ".join(difference.split()) == "difference +11 – – – – +20"


def test_a_ghost_is_drawn_in_its_own_ink_at_its_own_time_and_rate():
    view = PageView(103, 4, layout=Layout.ONE_LEAD, lead=1)
    silent = np.zeros((12, 5000), np.float32)
    spike = np.zeros((12, 2500), np.float32)
    spike[:, 500] = 0.6  # 2.0 s at 250 Hz
    ghost = Trace(spike, 250.0, LEAD_NAMES, offset_s=1.0)
    cells = draw_page(view, silent, ghosts=(ghost,))
    columns = np.unique(np.nonzero(cells.inks == Ink.GHOST)[1])
    assert columns.tolist() == [view.column_of(3.0)]
    moved = align_at_beat(ghost, (2.0, 4.0), onto_s=(0.5, 6.0), around_s=5.5)
    assert moved.offset_s == pytest.approx(1.0 + 6.0 - 4.0)
    assert align_at_beat(ghost, (), onto_s=(1.0,), around_s=0.0) is ghost


def test_median_beats_meet_at_their_r_peaks():
    def marks(r_peak, length):
        beat = np.zeros((12, length), np.float32)
        beat[:, r_peak] = 1.0
        return EcgMarks((), BeatMarks(r_peak), beat)

    for length in (150, 400):
        ghost = build_median_ghost(marks(100, length), marks(140, 300))
        assert ghost is not None
        assert ghost.signal_mv.shape == (12, 1200)
        assert np.nanargmax(ghost.signal_mv[7]) == 2 * 300 + 140
    assert build_median_ghost(EcgMarks((), None, None), marks(1, 9)) is None
