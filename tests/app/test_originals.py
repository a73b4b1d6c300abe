"""The recording that a cohort's ECG was made from: found by its contents, shown raw and whole."""

import re

import numpy as np
import pytest

from ptacl_app.data.file_reading import FileReader
from ptacl_app.data.file_reading_worker import OriginalFiles
from ptacl_app.drawing.ecg_page import Layout, PageView
from ptacl_app.drawing.trace import EcgFilter
from ptacl_app.widgets.ecg.overview import OverviewStrip
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_core.cohort.source_folders import read_source_folders
from ptacl_core.io.discover.source_hash import hash_source
from ptacl_core.records import LEAD_NAMES
from tests.app.conftest import LENGTH_S, draw_ecg
from tests.unit.io.ecg.ecg_files import write_wfdb


async def test_a_cohort_shows_the_file_itself_raw_and_whole(
    in_cells, make_app, settle, read_screen, recorded, tmp_path
):
    cohort, files = recorded
    app = make_app(cohort, originals=(files,))
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        person = app.reader.load_page().rows[0].patient
        app.open_patient(person)
        await settle(pilot)
        ecg = app.screen.query_one("#ecg", EcgPlot)
        assert ecg.shown_choice is EcgFilter.RAW
        assert ecg.trace.signal_mv.shape == (12, LENGTH_S * 500)
        assert np.median(ecg.trace.signal_mv) == pytest.approx(0.3, abs=0.05)  # not denoised
        shown = "\n".join(read_screen(app))
        assert re.search(r"0\.0–10\.0 s  raw", shown)
        overview = app.screen.query_one("#overview", OverviewStrip)
        assert overview.has_class("-needed")
        assert "II 38 s" in shown
        # a key and a click move the page, and the strip tells where it is
        await pilot.press("pagedown")
        assert ecg.page.start_shown_s == pytest.approx(10.0, abs=0.1)
        assert overview.span_s[0] == pytest.approx(10.0, abs=0.1)
        await pilot.click("#overview", offset=(overview.size.width - 1, 0))
        assert ecg.page.start_shown_s == pytest.approx(28.0, abs=0.2)
        await pilot.press("x", "x", "x")
        assert ecg.shown_choice is EcgFilter.MODEL
        assert ecg.trace.duration_s == 10.0
        assert not overview.has_class("-needed")  # all of it is on the page
        # a publication that changes numbers keeps what is on screen
        app.load_patient(person)
        await settle(pilot)
        assert app.patient.ecg.raw is not None
    assert read_source_folders(cohort, state_dir=tmp_path / "state") == ()  # nothing is remembered


async def test_why_there_is_no_recording_is_said(make_app, settle, said, recorded, tmp_path):
    cohort, _ = recorded
    (tmp_path / "elsewhere").mkdir()
    for folders, words in (((), "--originals"), ((tmp_path / "elsewhere",), "none of the 0 ECG")):
        app = make_app(cohort, originals=folders)
        async with app.run_test(size=(100, 30)) as pilot:
            await settle(pilot)
            app.open_patient(app.reader.load_page().rows[0].patient)
            await settle(pilot)
            await pilot.press("x")
            assert words in said[-1]
            assert app.screen.query_one("#ecg", EcgPlot).shown_choice is EcgFilter.MODEL


def test_preprocess_notes_the_folder_for_the_app_of_this_user(recorded):
    cohort, files = recorded
    assert read_source_folders(cohort) == (files,)


def test_files_are_looked_at_once_and_a_changed_one_is_not_taken(recorded, tmp_path):
    _, files = recorded
    wanted = hash_source(files / "90000012.hea")
    looked = OriginalFiles([str(tmp_path / "absent"), str(files)])
    assert looked.find(wanted, patience_s=5.0) == files / "90000012.hea"
    num_files = looked.num_files
    assert looked.find(wanted, patience_s=5.0) is not None
    assert looked.num_files == num_files
    assert looked.find("0" * 64, patience_s=0.0) is None
    assert not looked.is_all
    reader = FileReader()
    original = reader.find_original("0" * 64, [files])
    reader.close()
    assert original.raw is None
    assert "none of the 2 ECG files" in original.note


def test_a_file_of_fifteen_leads_is_shown_whole(tmp_path):
    signal_mv, _ = draw_ecg(70.0)
    rows = np.concatenate([signal_mv, signal_mv[9:] * 0.5])
    names = [*LEAD_NAMES, "V7", "V8", "V9"]
    header = write_wfdb(tmp_path, np.round(rows * 200).astype(np.int64), labels=names)
    reader = FileReader()
    view = reader.read(header)
    reader.close()
    assert view.ecg is not None
    trace = view.ecg.raw
    assert trace is not None
    assert trace.lead_names == tuple(names)
    np.testing.assert_allclose(trace.signal_mv[12:], rows[12:], atol=0.003)
    page = PageView(
        103, 60, layout=Layout.TWELVE_BY_ONE, lead_names=trace.lead_names, duration_s=10.0
    )
    assert [panel.lead for panel in page.panels] == list(range(15))
    assert view.ecg.model_trace.lead_names == LEAD_NAMES
    assert any(finding.code == "further_leads" for finding in view.findings)
    assert view.ecg.marks is not None
    assert view.ecg.marks.representative is not None
    assert "pr_ms" in view.ecg.measurements  # measured before any model has seen it
