"""The app's end of a page in a browser: messages, packets, sizes, the mouse by pixel."""

import json
import os
import sys
import threading

import numpy as np
import pytest
from textual import events
from textual.app import App
from textual.geometry import Size

from ptacl_app.drawing.picture import Picture
from ptacl_app.terminal import page
from ptacl_app.terminal.back_pressure import PAGE_WRITES_UNDER_WAY, count_queued_writes
from ptacl_app.terminal.cell_owners import CellBlock
from ptacl_app.terminal.graphics import Graphics, Protocol, choose_graphics, read_cell_px
from ptacl_app.terminal.image_layer import ImageLayer
from ptacl_app.terminal.page_driver import PageDriver
from ptacl_app.widgets.pointer import place_of

HOSTILE = '\x1b\\ \x07 "} \x9c é \u202e </div><script>'


def read_messages(text):
    """The messages in a text, and what is left of it."""
    messages = []
    while "\x1b]7770;" in text:
        before, _, rest = text.partition("\x1b]7770;")
        body, _, after = rest.partition("\x1b\\")
        messages.append(json.loads(body))
        text = before + after
    return messages, text


def test_nothing_in_a_message_ends_it():
    text = page.show(3, 7, [CellBlock(1, 2, 3, 4, 5, 6)], label=HOSTILE)
    assert text.isascii()
    assert text[2:-2].isprintable()
    (message,), rest = read_messages(text)
    assert rest == ""
    assert message == {"do": "show", "slot": 3, "picture": 7, "label": HOSTILE,
                       "at": [[1, 2, 3, 4, 5, 6]]}  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "cell"),
    [("9x18", (9, 18)), ("200x200", (200, 200)), ("0x18", None), ("9x201", None), ("", None),
     ("9", None), ("-9x18", None), ("9x18x2", None), ("٩x18", None), ("9.5x18", None)],
)  # fmt: skip
def test_the_environment_tells_the_cell(stated, cell, monkeypatch):
    environment = {page.CELL_VARIABLE: stated, "TERM_PROGRAM": "textual", "TERM": "xterm-kitty"}
    assert page.read_page_cell(environment) == cell
    chosen = choose_graphics("auto", environment)
    assert chosen.protocol is (Protocol.CELLS if cell is None else Protocol.PAGE)
    monkeypatch.setenv(page.CELL_VARIABLE, stated)
    assert read_cell_px(Protocol.PAGE) == (cell or (8, 16))


def test_in_a_page_the_terminal_around_the_server_does_not_count():
    inside = {"TERM_PROGRAM": "textual", page.CELL_VARIABLE: "9x18", "TMUX": "x", "TERM": "foot"}
    for choice in ("auto", "kitty", "sixel", "iterm"):  # one of these may stand in config.toml
        assert choose_graphics(choice, inside).protocol is Protocol.PAGE
    assert choose_graphics("cells", inside).protocol is Protocol.CELLS
    outside = {"TERM": "xterm-256color", page.CELL_VARIABLE: "9x18"}
    assert choose_graphics("auto", outside).protocol is Protocol.CELLS


def make_layer():
    layer = ImageLayer(Graphics(Protocol.PAGE, "asked for by a test"), cell_px=(8, 16))
    return layer, layer.claim(lambda: None)


def draw(width, height):
    return lambda: Picture(np.zeros((height, width), np.uint8), np.zeros((1, 3), np.uint8))


def test_a_page_keeps_no_more_of_a_pane_than_it_has_room_for(monkeypatch):
    monkeypatch.setattr(page, "MAX_KEPT_PX", 5 * 80 * 160)
    layer, slot = make_layer()
    for frame in range(12):
        layer.show(slot, frame, draw(80, 160), columns=10, rows=10, num_kept=50)
    sent, _ = read_messages("".join(layer._uploads + layer._farewells))
    kept = {message["picture"] for message in sent if message["do"] == "upload"}
    kept -= {message["picture"] for message in sent if message["do"] == "forget"}
    assert len(kept) == len(layer._slots[slot].pictures) == 5
    assert read_messages(layer.close())[0][0]["do"] == "forget"


def test_a_terminal_that_tells_its_pixels_gives_cells_and_a_finer_mouse():
    layer, _ = make_layer()
    event = events.MouseMove(None, 3.0, 2.25, 0, 0, 0, False, False, False)
    assert place_of(event, None) == (3.5, 2.25)
    assert place_of(event, layer) == (3.5, 2.25)
    layer.learn_size(columns=100, rows=30, size_px=(0, 0))  # it does not know them
    assert (layer.cell_px, layer.has_pixel_mouse) == ((8, 16), False)
    layer.learn_size(columns=100, rows=30, size_px=(1000, 600))
    assert layer.cell_px == (10, 20)
    assert place_of(event, layer) == pytest.approx((3.05, 2.275))


@pytest.fixture
async def driver(monkeypatch):
    monkeypatch.setenv(page.CELL_VARIABLE, "9x18")
    app = App()
    reading, writing = os.pipe()
    keys, typed = os.pipe()
    stdin = os.fdopen(keys)
    monkeypatch.setattr(sys, "__stdin__", stdin)
    driver = PageDriver(app, size=(80, 24))
    driver.fileno = writing
    app._driver = driver
    yield app, driver, reading
    stdin.close()
    for descriptor in (typed, writing, reading):
        os.close(descriptor)


async def test_the_page_says_what_it_has_drawn(driver):
    app, driver, reading = driver
    for _ in range(PAGE_WRITES_UNDER_WAY + 2):
        driver.write("x")
    assert count_queued_writes(app) == 2
    for number in (-4, 2, "9", None, 1):  # what is not a number, or goes back, changes nothing
        driver.on_meta("drawn", {"type": "drawn", "number": number})
    assert driver.num_undrawn == PAGE_WRITES_UNDER_WAY
    driver.on_meta("drawn", {"type": "drawn", "number": 10**9})
    assert driver.num_undrawn == 0
    packet = os.read(reading, 4096)
    assert packet[:1] == b"D"
    size = int.from_bytes(packet[1:5], "big")
    assert packet[5 : 5 + size].decode() == "x" + page.note_written(1)


async def test_packets_of_two_threads_stay_whole(driver):
    _, driver, reading = driver
    bodies = [bytes([65 + number]) * 150_000 for number in range(4)]  # more than a pipe takes
    threads = [
        threading.Thread(target=driver._write, args=(b"D" + len(body).to_bytes(4, "big") + body,))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    with os.fdopen(os.dup(reading), "rb") as stream:
        bodies_written = []
        for _ in bodies:
            assert stream.read(1) == b"D"
            bodies_written.append(stream.read(int.from_bytes(stream.read(4), "big")))
    for thread in threads:
        thread.join()
    assert sorted(bodies_written) == bodies


async def test_the_mouse_is_asked_for_by_pixel(driver, monkeypatch):
    _, driver, reading = driver
    driver._enable_mouse_support()
    text = os.read(reading, 4096).decode()
    assert text.index("\x1b[?1006h") < text.index("\x1b[?1016h")
    monkeypatch.delenv(page.CELL_VARIABLE)
    by_cell = PageDriver(driver._app, size=(80, 24))
    by_cell.fileno = driver.fileno
    by_cell._enable_mouse_support()
    assert "1016" not in os.read(reading, 4096).decode()


async def test_a_size_that_no_window_has_is_left_aside(driver, monkeypatch):
    _, driver, _ = driver
    passed = []
    monkeypatch.setattr(driver, "send_message", passed.append)
    for size in ((0, 24), (80, 0), (10**6, 24), (80, 10**6), (120, 36)):
        driver.process_message(events.Resize(Size(*size), Size(*size)))
    assert [message.size for message in passed] == [(120, 36)]
