"""A burst of keys reaches the screens and widgets that its own keys open."""

import pytest
from textual import events

from ptacl_app.screens.patient import PatientScreen
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_app.widgets.sql_editor import SqlEditor

NAMES = {"/": "slash", " ": "space", "?": "question_mark", "=": "equals_sign"}


@pytest.fixture
def burst(settle):
    """Presses keys at once, as a paste or a slow line brings them; waits until all is done."""

    async def press(pilot, keys: str):
        for key in keys:
            pilot.app.post_message(events.Key(NAMES.get(key, key), key))
        for _ in range(100):
            await settle(pilot)
            if not pilot.app._held and pilot.app._pressed is None:
                return
        raise AssertionError("keys are still held")

    return press


async def test_a_burst_types_into_what_it_opens(make_app, settle, burst):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await burst(pilot, "1/sex = 1")
        assert app.screen.query_one("#filter", SafeInput).value == "sex = 1"
        await pilot.press("escape")
        await burst(pilot, "4select 1")
        assert app.screen.query_one(SqlEditor).text == "select 1"


async def test_a_burst_closes_the_dialog_that_it_opens_and_goes_on(make_app, settle, burst):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        await burst(pilot, "?qgv")
        assert isinstance(app.screen, PatientScreen)
        view = app.screen.query_one("#ecg", EcgPlot).view
        assert (view.gain_mm_per_mv, view.speed_mm_per_s) == (20.0, 50.0)
        app.post_message(events.Key("ctrl+q", None))  # it waits for none before it
        for _ in range(50):
            await pilot.pause()
            if app._exit:
                break
        assert app._exit
