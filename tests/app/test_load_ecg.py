"""A file from disk: read in the child process, findings first, nothing kept."""

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from ptacl_app.data.inference import PredictionCancelledError, Predictor, build_view
from ptacl_app.screens.load_ecg import LoadEcgScreen
from ptacl_app.screens.patient import PatientScreen
from ptacl_app.text.pasted_path import read_pasted_path
from ptacl_app.widgets.findings_panel import FindingsPanel
from ptacl_app.widgets.hint_form import HintForm
from ptacl_app.widgets.path_suggester import complete_path
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.errors import ConfigError, MissingUnitError, RecordError
from ptacl_core.records import LEAD_NAMES
from tests.app.conftest import build_cohort, draw_ecg, plant_hostile_modules

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
SAMPLE = SAMPLES / "JS20000.hea"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    """Started in a folder full of hostile modules, none of which may run (R45)."""
    folder = tmp_path_factory.mktemp("hostile")
    plant_hostile_modules(folder)
    made = Predictor()
    with contextlib.chdir(folder):
        made.predict(SAMPLE, cohort=None, run=None)
    yield made
    made.close()
    assert not (folder / "RAN").exists()


def test_the_child_reads_a_real_recording(predictor):
    view = predictor.predict(SAMPLE, cohort=None, run=None)
    assert view.origin == "file"
    assert view.patient == "JS20000.hea"
    assert view.ecg.signal_mv.shape == (12, 5000)
    assert np.isfinite(view.ecg.signal_mv).all()
    assert view.ecg.signal_mv.max() > 0.2
    assert len(view.ecg.r_peak_times_s) >= 5
    assert not view.has_predictions
    assert predictor.is_warm


@pytest.mark.parametrize("kind", ["text", "empty", "folder", "missing"])
def test_what_is_no_ecg_is_one_sentence(predictor, tmp_path, kind):
    path = tmp_path / "thing.dat"
    if kind == "text":
        path.write_text("not an ECG\n" * 20)
    elif kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(RecordError) as caught:
        predictor.predict(path, cohort=None, run=None)
    text = str(caught.value)
    assert "\n" not in text
    assert "Traceback" not in text


def test_cancelling_ends_the_child_and_the_next_file_starts_another():
    import threading
    import time

    predictor = Predictor("time:sleep_that_does_not_exist")
    outcome = []

    def ask():
        try:
            predictor.predict(SAMPLE, cohort=None, run=None)
        except Exception as error:  # noqa: BLE001 - the test looks at what it is
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for _ in range(200):
        if predictor.is_warm:
            break
        time.sleep(0.01)
    predictor.cancel()
    thread.join(timeout=20)
    assert isinstance(outcome[0], PredictionCancelledError)
    predictor.close()


def test_an_answer_becomes_a_patient_to_show():
    leads = np.zeros((12, 5000), np.float32).tobytes()
    document = {
        "findings": [],
        "heart_rate_bpm": 61.0,
        "r_peak_samples": [100, 600, 1100],
        "num_samples": 5000,
        "answer": {
            "accepted": True,
            "run": "align\x1b[31m",
            "findings": [{"code": "x", "severity": "odd", "message": "\x1b]0;t\x07", "leads": []}],
            "measurements": {"qrs_ms": 92.0, "pr_ms": None},
            "phenotypes": {"lvef_pct": {"value": 60.0, "low": 52.0, "high": 68.0, "unit": "%"}},
            "coverage": 0.9,
            "out_of_distribution": {"flag": True, "score": 4.0},
            "neighbours": [{"patient": "p1", "similarity": 0.7}],
        },
    }
    view = build_view("a\x1bb.dat", document, leads)
    assert "\x1b" not in f"{view.patient}{view.run}{view.findings}"
    assert view.findings[0].severity == "warning"
    assert view.ecg is not None
    assert view.ecg.r_peak_times_s == (0.2, 1.2, 2.2)
    assert view.ecg.measurements == {"qrs_ms": 92.0}
    ejection = next(value for value in view.phenotypes if value.name == "lvef_pct")
    assert ejection.predicted is not None
    assert (ejection.predicted.low, ejection.predicted.high) == (52.0, 68.0)
    assert view.out_of_distribution is not None
    assert view.out_of_distribution.is_flagged
    assert view.neighbours[0].rank == 1


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a/b.dat", "/a/b.dat"),
        ("  '/a/b c.dat' ", "/a/b c.dat"),
        ("/a/b\\ c.dat", "/a/b c.dat"),
        ("file:///a/b%20c.dat", "/a/b c.dat"),
        ('"/a/b.dat"', "/a/b.dat"),
    ],
)
def test_dropped_files_are_understood(text, path):
    assert read_pasted_path(text) == Path(path)


@pytest.mark.parametrize("text", ["", "  ", "/a\n/b", "'unclosed", "a\\ b c", "a\0b"])
def test_other_text_is_no_dropped_file(text):
    assert read_pasted_path(text) is None


def test_paths_are_completed_from_disk(tmp_path):
    (tmp_path / "alpha.dat").touch()
    (tmp_path / "beta").mkdir()
    (tmp_path / "bad\x1bname").touch()
    assert complete_path(f"{tmp_path}/al") == f"{tmp_path}/alpha.dat"
    assert complete_path(f"{tmp_path}/be") == f"{tmp_path}/beta/"
    assert complete_path(f"{tmp_path}/bad") is None
    assert complete_path(f"{tmp_path}/zzz") is None
    assert complete_path("/no/such/folder/x") is None


async def test_loading_from_inside_the_app(
    make_app, settle, read_screen, bare_cohort_dir, tmp_path
):
    for file in SAMPLES.glob("JS20000.*"):
        shutil.copy(file, tmp_path)
    app = make_app(bare_cohort_dir)
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+o")
        await settle(pilot)
        assert isinstance(app.screen, LoadEcgScreen)
        app.screen.query_one("#path", SafeInput).value = str(tmp_path / "absent.hea")
        await pilot.press("enter")
        await settle(pilot)
        assert isinstance(app.screen, LoadEcgScreen)
        assert "absent.hea" in "\n".join(read_screen(app))
        app.screen.query_one("#path", SafeInput).value = str(tmp_path / "JS20000.hea")
        await pilot.press("enter")
        await settle(pilot)
        assert app.current_mode == "patient"
        assert app.patient.patient == "JS20000.hea"
        assert app.patient.origin == "file"
        assert isinstance(app.screen, PatientScreen)
        assert app.screen.clock.num_beats >= 4
        lines = [text for _, text in app.screen.query_one("#findings", FindingsPanel).lines]
        assert any("no_prediction" in line for line in lines)  # this cohort has no model
        assert "no CMR for this visit" in "\n".join(read_screen(app))
        assert app.reader.load_page().total == 6


async def test_a_file_dropped_on_the_terminal_is_loaded(
    make_app, settle, bare_cohort_dir, tmp_path
):
    from textual import events

    path = tmp_path / "junk.txt"
    path.write_text("junk " * 50)
    app = make_app(bare_cohort_dir)
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        app.post_message(events.Paste(f"'{path}'"))
        await pilot.pause()
        await settle(pilot)
        assert isinstance(app.screen, LoadEcgScreen)
        assert app.screen.query_one("#path", SafeInput).value == str(path)
        assert app.screen.query_one("#note").has_class("-failure")


def test_a_nameless_array_asks_and_hints_answer(predictor, tmp_path):
    path = tmp_path / "nameless.npy"
    signal_mv, _ = draw_ecg(70.0)
    np.save(path, np.round(signal_mv * 1000).astype(np.int16))
    with pytest.raises(MissingUnitError):
        predictor.predict(path, cohort=None, run=None)
    hints = {"sampling_rate_hz": 500.0, "unit": "uV", "lead_names": ", ".join(LEAD_NAMES)}
    view = predictor.predict(path, cohort=None, run=None, hints=hints)
    assert view.ecg.heart_rate_bpm == pytest.approx(70.0, abs=1.0)
    assert dict(view.source.hints) == hints
    with pytest.raises(RecordError, match="unit"):
        predictor.predict(path, cohort=None, run=None, hints={**hints, "unit": "parsecs"})


async def test_the_screen_asks_for_what_an_array_lacks_and_keeps_nothing(
    make_app, settle, read_screen, bare_cohort_dir, tmp_path, predictor
):
    path = tmp_path / "nameless.npy"
    np.save(path, draw_ecg(70.0)[0])
    app = make_app(bare_cohort_dir)
    app.predictor = predictor
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+o")
        await settle(pilot)
        app.screen.query_one("#path", SafeInput).value = str(path)
        await pilot.press("enter")
        await settle(pilot)
        form = app.screen.query_one(HintForm)
        assert form.has_class("-shown")
        await pilot.press(*"fast", "enter")
        assert "as a number" in "\n".join(read_screen(app))
        with pytest.raises(ConfigError):
            form.read()
        app.screen.query_one("#hint-sampling_rate_hz", SafeInput).value = "500"
        app.screen.query_one("#hint-unit", SafeInput).value = "mV"
        await pilot.press("enter")
        await settle(pilot)
        assert app.patient.patient == "nameless.npy"
        assert app.reader.load_page().total == 6
        await pilot.press("ctrl+k", "enter")
        await settle(pilot)
        assert "nameless.npy.json" in "\n".join(read_screen(app))
        await pilot.press("escape")
        app.predictor = Predictor()


async def test_a_loaded_file_is_kept_when_asked(make_app, settle, tmp_path, predictor, said):
    root = build_cohort(tmp_path / "keeping", num_patients=3, has_model=False)
    for file in SAMPLES.glob("JS20000.*"):
        shutil.copy(file, tmp_path)
    app = make_app(root)
    app.predictor = predictor
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(pilot)
        await pilot.press("2", "ctrl+k")
        assert "was loaded" in said[-1]
        app.push_screen(LoadEcgScreen(tmp_path / "JS20000.hea"))
        await pilot.pause()
        await settle(pilot)
        assert app.patient.origin == "file"
        await pilot.press("ctrl+k", "enter")
        await settle(pilot)
        assert "kept as" in said[-1]
        assert app.reader.load_page().total == 4
        app.predictor = Predictor()
