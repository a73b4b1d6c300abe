"""Pixel panes in a real browser: where they lie, what is in them, the mouse on them."""

import asyncio
import json
import re
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from ptacl_app.drawing.paper import GUTTER_MM, PAGE_MM
from tests.app.terminal.reference_terminal import ReferenceTerminal
from tests.integration.chromium import Tab, run_chromium
from tests.integration.conftest import open_page

UPLOAD = re.compile(rb'\x1b\]7770;\{"do":"upload","picture":(\d+),"columns":(\d+),"rows":(\d+)')
NAMES = """[...document.querySelectorAll('[role=img]')].map(each => {
    const box = each.getBoundingClientRect();
    return [each.getAttribute('aria-label'), box.left, box.top, box.width, box.height];
})"""


def read_size(tab: Tab) -> dict[str, int]:
    """What the page told last: columns, rows, and a cell in pixels."""
    query = parse_qs(urlsplit(tab.socket_address).query)
    size = {name: int(values[0]) for name, values in query.items()}
    for text in tab.sent:
        if text.startswith('["resize"'):
            size = json.loads(text)[1]
    return size


def read_terminal(tab: Tab) -> ReferenceTerminal:
    """A terminal of ours that was sent what the page was sent since the last `forget`."""
    size = read_size(tab)
    cell_px = size["cell_width"], size["cell_height"]
    terminal = ReferenceTerminal(size["width"], size["height"], cell_px)
    text = tab.received.decode()
    text = text[: text.rindex("\x1b\\") + 2]  # only whole updates
    terminal.feed(text.replace("\x1b[?2026$p", ""))
    return terminal


def list_large_uploads(tab: Tab) -> set[bytes]:
    """Pictures that were sent since the last `forget`, without the strips under the cursor."""
    return {number for number, columns, _ in UPLOAD.findall(tab.received) if int(columns) > 6}


@pytest.fixture(autouse=True)
def keep_still(tmp_path):
    """The heart stands until it is told to play."""
    (tmp_path / "ptacl").mkdir()
    (tmp_path / "ptacl" / "config.toml").write_text("use_autoplay = false\n")


async def open_patient(browser, site):
    tab = await open_page(browser, site)
    await tab.wait_for(b"p0000")
    await tab.press("Enter")
    await tab.wait_for(b"mm/mV")
    await tab.wait_for(b"ECG on paper")
    await tab.wait_for(b"Short-axis cine")
    return tab


async def assert_page_shows(tab, *, ratio=1):
    """Canvas and screen hold what the app's bytes say, at its place; the rest is text."""
    while True:
        await tab.grow_quiet()
        num_bytes = len(tab.received)
        canvas = await tab.read_canvas(".pictures")
        seen = await tab.take_picture()
        names = {name: box for name, *box in await tab.evaluate(NAMES)}
        if len(tab.received) == num_bytes:
            break
    terminal = read_terminal(tab)
    expected = terminal.draw()
    is_picture = expected.min(axis=2) >= 0
    assert canvas.shape[:2] == expected.shape[:2]
    assert (canvas[is_picture][:, :3] == expected[is_picture]).all()
    assert (canvas[..., 3] == np.where(is_picture, 255, 0)).all()
    seen = seen[: expected.shape[0], : expected.shape[1], :3].astype(np.int16)
    is_picture = is_picture[: seen.shape[0], : seen.shape[1]]
    drawn = expected[: seen.shape[0], : seen.shape[1]][is_picture]
    num_other = np.count_nonzero((np.abs(seen[is_picture] - drawn) > 2).any(axis=1))
    assert num_other < 0.001 * len(drawn), "what is seen is not what was drawn"
    assert is_picture.mean() > 0.05
    width, height = (side / ratio for side in terminal.cell_px)
    panes = {
        pane["label"]: pane["at"]
        for pane in terminal.panes.values()
        if pane["label"] and pane["at"] and pane["picture"] in terminal.images
    }
    assert names.keys() == panes.keys()
    for name, at in panes.items():
        left, top = min(box[0] for box in at), min(box[1] for box in at)
        right, bottom = (max(box[n] + box[n + 2] for box in at) for n in (0, 1))
        place = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        assert names[name] == pytest.approx(place, abs=1.0)
    return terminal, is_picture


async def test_pictures_lie_where_the_app_says_and_hold_what_it_drew(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_patient(browser, site)
        terminal, _ = await assert_page_shows(tab)
        width, height = terminal.cell_px
        names = [name for name, *_ in await tab.evaluate(NAMES)]
        assert any(name.startswith("ECG on paper, 3×4 + II, 25 mm/s") for name in names)
        assert any(name.startswith("Short-axis cine of 50 frames") for name in names)
        assert not any("p0000" in name for name in names)
        # under a dialog, which hides them
        await tab.press("?")
        await tab.wait_for(b"Keys")
        under, is_picture = await assert_page_shows(tab)
        row = next(y for y, line in enumerate(under.text()) if "Keys" in line)
        column = under.text()[row].index("Keys")
        assert not is_picture[row * height : (row + 1) * height, column * width :][:, :width].any()
        await tab.press("Escape")
        await tab.wait_until(f"{NAMES}.length === 2")
        _, is_picture = await assert_page_shows(tab)
        assert is_picture[row * height : (row + 1) * height, column * width :][:, :width].all()
        # after a resize everything comes anew
        tab.forget()
        await tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=900, height=640, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        await tab.wait_for(b'"do":"show"')
        await tab.grow_quiet()
        tab.received = tab.received[tab.received.rindex(b'\x1b]7770;{"do":"forget all"}') :]
        await assert_page_shows(tab)
        # gone with the screen
        await tab.press("5")
        await tab.wait_until(f"{NAMES}.length === 0")
        canvas = await tab.read_canvas(".pictures")
        assert not canvas[..., 3].any()


@pytest.mark.parametrize("density", [2.0, 1.25])
async def test_dense_screens_get_their_own_pixels(site, tmp_path, density):
    async with run_chromium(tmp_path / "profile", density=density) as browser:
        tab = await open_patient(browser, site)
        terminal, _ = await assert_page_shows(tab, ratio=density)
        assert terminal.cell_px[0] >= 8 * density
        assert terminal.columns >= 140


async def test_a_frame_is_sent_once_and_shown_by_its_number(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_patient(browser, site)
        await tab.press(" ")
        async with asyncio.timeout(60):  # until all frames of the cine are there
            while len(list_large_uploads(tab)) < 51:  # the ECG's page is one
                await asyncio.sleep(0.2)
        size = read_size(tab)
        tab.forget()
        await asyncio.sleep(3.0)
        uploads = UPLOAD.findall(tab.received)
        shows = tab.received.count(b'"do":"show"')
        kept = await tab.evaluate("performance.memory.usedJSHeapSize")
        print(f"3 s: {len(tab.received)} bytes, {len(uploads)} uploads, {shows} shows")  # noqa: T201
        assert shows > 20
        assert list_large_uploads(tab) == set(), "only what is under the cursor"
        assert len(tab.received) < 3 * 250_000
        assert kept < 200 * 2**20
        assert size["cell_width"] > 0
        drawn = [json.loads(text)[1] for text in tab.sent if text.startswith('["drawn"')]
        assert drawn == sorted(drawn)
        assert len(drawn) > 20


async def test_a_caliper_is_put_and_dragged_by_the_mouse_to_the_pixel(site, tmp_path):
    async with run_chromium(tmp_path / "profile") as browser:
        tab = await open_patient(browser, site)
        terminal = read_terminal(tab)
        width, height = terminal.cell_px
        (at,) = (
            pane["at"]
            for pane in terminal.panes.values()
            if pane["label"].startswith("ECG on paper")
        )
        columns = max(box[0] + box[2] for box in at)
        px_per_mm = columns * width / (PAGE_MM + GUTTER_MM)
        px_per_s = px_per_mm * 25.0
        y = (min(box[1] for box in at) + 2) * height + 3
        await tab.press("m")
        await tab.wait_for("Δt".encode())
        places = [round((GUTTER_MM + share * PAGE_MM) * px_per_mm) for share in (0.375, 0.625)]
        errors_ms = []
        for wanted in ((101, 163), (203, 290), (96, 177)):
            for number, x in enumerate(wanted):
                await tab.drag((places[number], y), (x, y))
                places[number] = x
            await tab.grow_quiet()
            text = "\n".join(read_terminal(tab).text())
            shown_ms = float(re.findall(r"Δt (\d+) ms", text)[-1])
            errors_ms.append(abs(shown_ms - (wanted[1] - wanted[0]) / px_per_s * 1000))
        print(f"calipers by mouse: {max(errors_ms):.1f} ms off, 1 px {1000 / px_per_s:.1f} ms")  # noqa: T201
        assert max(errors_ms) <= 4.0
        # the wheel pans, with ctrl it zooms about the pointer
        tab.forget()
        await tab.call("Input.dispatchMouseEvent", type="mouseWheel", x=300, y=y, deltaX=0,
                       deltaY=-120, modifiers=2)  # fmt: skip
        await tab.wait_for(b'"do":"upload"')
        await tab.grow_quiet()
        assert b"ECG on paper" in tab.received
