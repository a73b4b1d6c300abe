"""R24, R26 and R40 on every screen and dialog, the newer ones too."""

import dataclasses
import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.worker import Worker

from ptacl_app.data.file_reading import FileReader
from ptacl_app.data.inference import Predictor
from ptacl_app.data.patient_view import (
    FileSource,
    Neighbour,
    RunTable,
    RunView,
    SavedCohortView,
)
from ptacl_app.screens.dialogs.export import ExportScreen
from ptacl_app.screens.dialogs.findings import FindingsScreen
from ptacl_app.screens.dialogs.history import HistoryScreen
from ptacl_app.screens.dialogs.keep_file import KeepFileScreen
from ptacl_app.screens.dialogs.save_cohort import SaveCohortScreen
from ptacl_app.screens.load_ecg import LoadEcgScreen
from ptacl_app.screens.saved_cohorts import SavedCohortsScreen
from ptacl_app.shell import messages
from ptacl_app.text.formatting import RESEARCH_USE_ONLY
from ptacl_app.widgets.heart_column import HeartColumn
from ptacl_app.widgets.preview import Preview
from ptacl_core.records import Finding
from tests.app.test_untrusted_text import HOSTILE, SECRET, assert_harmless, make_patient

SOURCE = FileSource(Path("x"), {})


def look(app):
    strips = app.screen._compositor.render_strips()
    assert_harmless(strips)
    assert app.is_running
    return "".join(strip.text for strip in strips)


async def test_hostile_text_is_text_in_every_dialog(make_app, settle, empty_cohort_dir):
    findings = tuple(Finding(text, "warning", text, (text,)) for text in HOSTILE)
    patient = dataclasses.replace(make_patient(HOSTILE[0]), findings=findings)
    app = make_app(empty_cohort_dir)
    async with app.run_test(size=(120, 110)) as pilot:
        await settle(pilot)
        for screen in (
            HistoryScreen(HOSTILE),
            SaveCohortScreen(HOSTILE),
            FindingsScreen(patient),
            ExportScreen(patient),
            *(
                KeepFileScreen(dataclasses.replace(SOURCE, path=Path(name)))
                for name in HOSTILE[::11]
            ),
        ):
            app.push_screen(screen)
            await pilot.pause()
            look(app)
            app.pop_screen()
        app.push_screen(saved := SavedCohortsScreen())
        await settle(pilot)
        cohorts = tuple(SavedCohortView(name, ((name, 1, 1),), (name,)) for name in HOSTILE)
        saved.post_message(messages.SavedCohortsLoaded(cohorts))
        await settle(pilot)
        assert "title" in look(app)
        table = RunTable("t", HOSTILE[:3], tuple((text, text, text) for text in HOSTILE))
        saved.post_message(messages.CohortsCompared(table))
        saved.post_message(messages.PaneFailed("saved", HOSTILE[0]))
        await settle(pilot)
        assert "evil" in look(app)
        app.pop_screen()
        app.push_screen(load := LoadEcgScreen())
        for text in HOSTILE:
            load.post_message(messages.PredictionFailed(text))
        await pilot.pause()
        look(app)


async def test_hostile_text_is_text_on_the_screens_of_pairs_and_runs(
    make_app, settle, empty_cohort_dir
):
    app = make_app(empty_cohort_dir)
    async with app.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        hostile = dataclasses.replace(
            make_patient(HOSTILE[0]),
            origin="file",
            map_note=" ".join(HOSTILE),
            findings=tuple(Finding("x", "warning", text) for text in HOSTILE),
            neighbours=tuple(Neighbour(text, 1, 0.5, text, 50.0) for text in HOSTILE),
        )
        app.show_patient(hostile)
        await settle(pilot)
        look(app)
        await pilot.press("3")
        await settle(pilot)
        assert "evil" in look(app)
        app.screen.post_message(messages.PreviewLoaded(make_patient(HOSTILE[2])))
        await settle(pilot)
        assert app.screen.is_pair_shown
        for text in HOSTILE:
            app.screen.query(HeartColumn).last().show(make_patient(text), name=text)
            look(app)
        await pilot.press("1")
        await settle(pilot)
        for text in HOSTILE:
            app.screen.query_one(Preview).show(make_patient(text), name=text)
            look(app)
        await pilot.press("5")
        await settle(pilot)
        table = RunTable(HOSTILE[2], HOSTILE[:4], tuple((text,) * 4 for text in HOSTILE))
        runs = tuple(
            RunView(text, text, text, ((text, text),), (table,), np.eye(13, dtype=np.float32))
            for text in HOSTILE
        )
        app.screen.post_message(messages.RunsLoaded(runs, HOSTILE[1], table))
        await settle(pilot)
        assert "evil" in look(app)


SCREENS = {"cohort": "1", "neighbours": "3", "runs": "5", "sql": "4", "patient": "2"}
READER_QUESTIONS = (
    "load_page", "load_facets", "load_patient", "load_neighbours", "stream_query", "load_catalogue",
    "load_runs", "choose_run", "load_saved_cohorts", "save_cohort", "compare_cohorts",
    "log_export", "refresh", "load_source",
)  # fmt: skip


async def test_a_fault_behind_any_screen_is_a_toast_without_a_value(
    make_app, settle, monkeypatch, said, tmp_path
):
    """R26: each question to store or model fails in a way nobody expected; the app goes on."""
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        screens = {}
        for name, key in SCREENS.items():
            await pilot.press("escape", key)
            await settle(pilot)
            screens[name] = app.screen
        await pilot.press("escape")

        def fail(*arguments, **options):
            raise RuntimeError(SECRET)

        for name in READER_QUESTIONS:
            monkeypatch.setattr(app.reader, name, fail)
        for name in ("predict", "explain", "keep"):
            monkeypatch.setattr(Predictor, name, fail)
        monkeypatch.setattr(FileReader, "read", fail)
        cohort, patient = screens["cohort"], app.patient
        questions = [
            app.check_publication,
            lambda: app.load_patient("p0003"),
            lambda: app.use_run("other"),
            cohort.load_page,
            cohort.load_facets,
            lambda: cohort.load_preview("p0003", 2),
            cohort.action_export,
            lambda: screens["neighbours"].load_neighbours(patient),
            lambda: screens["neighbours"].load_other("p0003"),
            screens["neighbours"].action_export,
            screens["runs"].load_runs,
            screens["runs"].action_export,
            screens["sql"].load_catalogue,
            lambda: screens["sql"].run_statement("SELECT 1"),
            lambda: screens["patient"].overlay._ask(patient),
            lambda: app.look_for_original(patient),
            lambda: app.receive_file(replace(patient, origin="file", source=SOURCE), ""),
        ]
        for ask in questions:
            before = len(said)
            ask()
            await settle(pilot)
            assert "RuntimeError" in "".join(said[before:]), ask
        for dialog, ask in (
            (LoadEcgScreen(), lambda: app.screen._start(Path("x.hea"))),
            (KeepFileScreen(SOURCE), lambda: app.screen.run_action("keep")),
            (SaveCohortScreen(("x",)), lambda: app.screen.save("x")),
            (SavedCohortsScreen(), None),
            (SavedCohortsScreen(), lambda: app.screen.compare_with("x", None)),
        ):
            before = len(said)
            await app.push_screen(dialog)
            await settle(pilot)
            if ask is not None:
                answer = ask()
                if inspect.isawaitable(answer) and not isinstance(answer, Worker):
                    await answer
                await settle(pilot)
            assert "RuntimeError" in "".join(said[before:]), dialog
            assert not dialog.is_busy, "a spinner that never ends"
            app.pop_screen()
        assert not app.patient.is_awaiting
        assert not screens["patient"].overlay.is_busy
        assert not screens["sql"].is_query_running
        assert app.is_running
    notes = "".join(note.read_text() for note in (tmp_path / "state").glob("crash-*.txt"))
    for word in SECRET.split():
        assert word not in " ".join(said) + notes


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (146, 40)])
async def test_every_screen_says_research_use_only(make_app, settle, read_screen, size):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for key in "12345":
            await pilot.press(key)
            if key == "5":
                await pilot.press("escape")
            await settle(pilot)
            assert RESEARCH_USE_ONLY in read_screen(app)[0], (size, key)
            if key == "4":
                await pilot.press("escape")
