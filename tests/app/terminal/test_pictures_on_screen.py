"""The app's real updates in a reference terminal: what is seen is what was drawn."""

import numpy as np
import pytest
from textual._compositor import CompositorUpdate

from ptacl_app.app import PtaclApp
from ptacl_app.drawing.ecg_page import Layout
from ptacl_app.terminal.graphics import Graphics, Protocol
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.plot import EcgPlot
from tests.app.terminal.reference_terminal import ReferenceTerminal

CELL_PX = (8, 16)
PROTOCOLS = [
    Protocol.KITTY, Protocol.KITTY_PLACED, Protocol.SIXEL, Protocol.ITERM, Protocol.PAGE,
]  # fmt: skip


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.value.replace(", ", "-"))
def graphics(request):
    return Graphics(request.param, "asked for by a test")


@pytest.fixture
def terminals(monkeypatch):
    """A reference terminal that every update of the app is written to."""
    seen = []
    display = PtaclApp._display

    def write(app, screen, renderable):
        display(app, screen, renderable)
        is_shown = isinstance(renderable, CompositorUpdate) and not app._batch_count
        if is_shown and app.images is not None and app._running:
            if not seen or (seen[-1].columns, seen[-1].rows) != app.size:
                seen.append(ReferenceTerminal(app.size.width, app.size.height, CELL_PX))
            seen[-1].feed(app.images.render(renderable, app.console))

    monkeypatch.setattr(PtaclApp, "_display", write)
    return seen


def seen_of(terminal, widget):
    region = widget.region
    top, left = region.y * CELL_PX[1], region.x * CELL_PX[0]
    return terminal.draw()[
        top : top + region.height * CELL_PX[1], left : left + region.width * CELL_PX[0]
    ]


def draw_ecg(plot):
    """The page as the plot's state says it, in one go."""
    from ptacl_app.drawing.ecg_picture import draw_over, draw_page
    from ptacl_app.drawing.paper_inks import PAPERS

    page = plot.page
    inks = PAPERS[plot.paper or plot._theme_paper]
    lines = plot._find_lines()
    base = draw_page(page, plot.trace, inks, plot._describe_details(page))
    return draw_over(
        base,
        page,
        cursor_s=lines.cursor_s,
        step_span_s=lines.step_span_s,
        calipers_s=lines.calipers_s,
    ).to_rgb()


def draw_cine(app, cine):
    columns, rows = cine._fit_pixels(app.images)
    picture = cine._draw_pixels(app.images, cine.cine, cine.frame, columns, rows).to_rgb()
    whole = np.zeros((cine.size.height * CELL_PX[1], cine.size.width * CELL_PX[0], 3), np.uint8)
    top = (cine.size.height - rows) // 2 * CELL_PX[1]
    left = (cine.size.width - columns) // 2 * CELL_PX[0]
    whole[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return whole, (top, left, picture.shape)


def assert_same(seen, expected, *, protocol, share=0.999):
    tolerance = 3 if protocol is not Protocol.SIXEL else 40  # sixels have fewer colours
    is_same = np.abs(seen.astype(int) - expected.astype(int)).max(axis=2) <= tolerance
    assert is_same.mean() >= share, f"{is_same.mean():.4f} of the pixels are as drawn"


def assert_all_seen(app, terminal, protocol):
    ecg, cine = app.screen.query_one("#ecg", EcgPlot), app.screen.query_one("#cine", CinePlot)
    if ecg.region.area and ecg.display:
        assert_same(seen_of(terminal, ecg), draw_ecg(ecg), protocol=protocol)
    whole, (top, left, shape) = draw_cine(app, cine)
    place = slice(top, top + shape[0]), slice(left, left + shape[1])
    assert_same(seen_of(terminal, cine)[place], whole[place], protocol=protocol, share=0.99)


@pytest.fixture
def rendered(monkeypatch):
    """The rows that the two widgets with moving pictures were asked for."""
    asked = []
    for kind in (EcgPlot, CinePlot):

        def render_line(widget, y, render=kind.render_line):
            asked.append((type(widget), y))
            return render(widget, y)

        monkeypatch.setattr(kind, "render_line", render_line)
    return asked


async def test_pictures_are_seen_as_they_were_drawn(
    make_app, settle, fake_time, terminals, graphics, rendered
):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        assert_all_seen(app, terminals[-1], graphics.protocol)
        rendered.clear()
        for seconds in (0.1, 0.31, 0.9, 0.05):  # as it plays
            fake_time.advance(seconds)
            app.screen.tick()
            await settle(pilot)
            assert_all_seen(app, terminals[-1], graphics.protocol)
        assert rendered == [], "pictures are sent, no widget is rendered"
        await pilot.press("space", "m", "right", "g", "plus")  # calipers, gain, zoom
        await settle(pilot)
        assert_all_seen(app, terminals[-1], graphics.protocol)
        await pilot.press("question_mark")  # under a dialog
        await settle(pilot)
        dialog = next(iter(app.screen.query("HelpScreen > *")), app.screen.children[0])
        block = dialog.region
        seen = terminals[-1].draw()[
            block.y * 16 : (block.y + block.height) * 16, block.x * 8 : (block.x + block.width) * 8
        ]
        assert (seen == -1).all(), "the dialog hides what is below it"
        beside = terminals[-1].draw()[32:160, : block.x * 8]
        if block.x > 0:
            assert (beside >= 0).any(), "beside the dialog the picture is still seen"
        await pilot.press("escape")
        await settle(pilot)
        assert_all_seen(app, terminals[-1], graphics.protocol)
        await pilot.resize_terminal(120, 36)  # after a resize
        await settle(pilot)
        assert_all_seen(app, terminals[-1], graphics.protocol)
        await pilot.press("1")  # another screen
        await settle(pilot)
        assert (terminals[-1].draw() == -1).mean() > 0.8  # a preview is there
        await pilot.press("2")
        await settle(pilot)
        assert_all_seen(app, terminals[-1], graphics.protocol)


async def test_pictures_are_forgotten_when_they_are_replaced(
    make_app, settle, fake_time, terminals, graphics
):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        for _ in range(8):
            fake_time.advance(0.09)
            app.screen.tick()
            await pilot.press("g")
            await settle(pilot)
        assert app.screen.query_one("#ecg", EcgPlot).view.layout is Layout.THREE_BY_FOUR
        frames = len(app.patient.cine.frames)
        assert len(terminals[-1].images) <= frames + 6
        kept = [
            picture for slot in app.images._slots.values() for picture in slot.pictures.values()
        ]
        assert sum(len(picture.codes) for picture in kept) <= frames  # of the cine alone
        assert sum(len(slot.patches) for slot in app.images._slots.values()) <= 2
