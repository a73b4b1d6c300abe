"""Partial updates, written one after another, leave the screen that a full one would draw."""

import random

import pytest
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region

from ptacl_app.app import PtaclApp
from ptacl_app.terminal.update_runs import runs_of


@pytest.fixture
def cells(monkeypatch):
    """What a terminal holds after every update: (row, column) → character and style."""
    shown, widest = {}, []
    display = PtaclApp._display

    def write(app, screen, renderable):
        display(app, screen, renderable)
        if not isinstance(renderable, ChopsUpdate | LayoutUpdate) or app._batch_count:
            return
        if isinstance(renderable, ChopsUpdate):
            widest.append(sum(last - first for _, first, last in renderable.spans))
        for x, y, strip in runs_of(renderable):
            column = x
            for segment in strip:
                for character in segment.text:
                    shown[y, column] = character, segment.style
                    column += 1

    monkeypatch.setattr(PtaclApp, "_display", write)
    return shown, widest


@pytest.mark.usefixtures("in_cells")
async def test_partial_updates_leave_what_a_full_one_draws(make_app, cells, settle, fake_time):
    shown, widest = cells
    app = make_app(first_patient="p0001")
    chance = random.Random(5)
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        widest.clear()
        for number in range(30):
            fake_time.advance(0.07)
            app.screen.tick()
            for widget in chance.sample(list(app.screen.query("*")), 4):
                width, height = max(widget.size.width, 1), max(widget.size.height, 1)
                left, top = chance.randrange(width), chance.randrange(height)
                widget.refresh(Region(left, top, chance.randint(1, 9), chance.randint(1, 3)))
            if number == 12:
                await pilot.press("o", "z")
            if number == 20:
                await pilot.press("z", "m")
            await pilot.pause()
        await settle(pilot)
        strips = app.screen._compositor.render_strips()
        assert len(widest) >= 20  # most were partial
        for y, strip in enumerate(strips):
            column = 0
            for segment in strip:
                for character in segment.text:
                    assert shown[y, column] == (character, segment.style), (y, column)
                    column += 1
