"""What a page may tell its app, word by word; everything else ends the connection."""

import asyncio
import json

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

from ptacl_app.terminal.page import MAX_CELL_PX, MAX_COLUMNS, MAX_ROWS
from ptacl_app.web.guard import COOKIE
from ptacl_app.web.page_messages import (
    MAX_MESSAGE_BYTES,
    Drawn,
    Focused,
    PageSize,
    Typed,
    read_message,
    read_query,
)
from ptacl_app.web.sessions import POLICY_VIOLATION
from ptacl_core.errors import ConfigError

SIZE = {"width": 120, "height": 36, "cell_width": 9, "cell_height": 18}


@pytest.mark.parametrize(
    ("message", "read"),
    [
        (["stdin", "q"], Typed("q")),
        (["stdin", ""], Typed("")),
        (["stdin", "\x1b[200~ÄÖ \U0001f9e1\x1b[201~"], Typed("\x1b[200~ÄÖ \U0001f9e1\x1b[201~")),
        (["resize", SIZE], PageSize(120, 36, (9, 18))),
        (["resize", {"width": 80, "height": 24}], PageSize(80, 24)),
        (["resize", {**SIZE, "cell_width": 0}], PageSize(120, 36)),
        (["drawn", 0], Drawn(0)),
        (["drawn", 2**53], Drawn(2**53)),
        (["focus"], Focused(True)),
        (["blur"], Focused(False)),
    ],
)
def test_what_our_page_says_is_read(message, read):
    assert read_message(json.dumps(message)) == read


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "null", "7", '"stdin"', "[]", "{}", '["stdin"]',
        '["stdin", 7]', '["stdin", "a", 1]',
        '["stdin", ["a"]]', '["stdin", "\\ud800"]', '["STDIN", "a"]', '["drawn"]', '["drawn", -1]',
        '["drawn", 1.0]', '["drawn", true]', '["drawn", "1"]', '["drawn", 9007199254740993]',
        '["drawn", NaN]', '["focus", 1]', '["ping", "1"]', '["quit"]',
        '["deliver_chunk_request", {}]',
        '["resize", []]', '["resize", {"width": 0, "height": 24}]',
        '["resize", {"width": -80, "height": 24}]', '["resize", {"width": 80, "height": 1e9}]',
        '["resize", {"width": "80", "height": 24}]', '["resize", {"width": true, "height": 24}]',
        '["resize", {"width": 80.5, "height": 24}]', '["resize", null]', "[" * 50_000,
    ],
)  # fmt: skip
def test_what_it_does_not_say_is_refused(text):
    with pytest.raises(ConfigError, match=r"^page: expected"):
        read_message(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("width", MAX_COLUMNS + 1),
        ("height", MAX_ROWS + 1),
        ("cell_width", MAX_CELL_PX + 1),
        ("cell_height", -1),
    ],
)
def test_sizes_that_no_window_has_are_refused(name, value):
    with pytest.raises(ConfigError):
        read_message(json.dumps(["resize", {**SIZE, name: value}]))
    with pytest.raises(ConfigError):
        read_query({name: str(value)})


def test_the_size_in_the_address_is_digits():
    assert read_query({}) == PageSize()
    assert read_query({name: str(value) for name, value in SIZE.items()}) == PageSize(
        120, 36, (9, 18)
    )
    for wrong in ("", "+80", "8 0", "٨٠", "80;q", "0x50", "1e2", "00080", "-1", "99999999999"):
        with pytest.raises(ConfigError):
            read_query({"width": wrong})


def test_a_size_is_told_to_the_app_as_a_terminal_tells_it():
    assert PageSize(146, 40, (9, 18)).write_report() == b"\x1b[48;40;146;720;1314t"


@pytest.mark.parametrize(
    "send",
    [
        lambda socket: socket.send_str("what?"),
        lambda socket: socket.send_str('["deliver_chunk_request", {"key": "x"}]'),
        lambda socket: socket.send_bytes(b'["stdin", "q"]'),
        lambda socket: socket.send_str(json.dumps(["stdin", "x" * MAX_MESSAGE_BYTES])),
    ],
    ids=["no JSON", "another word", "bytes", "too much"],
)
async def test_a_page_that_says_anything_else_is_cut_off(site, send):
    headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
    async with (
        ClientSession(headers=headers) as session,
        session.ws_connect(f"ws://{site.authority}/ws/{'d' * 32}?width=80&height=24") as socket,
    ):
        await send(socket)
        async with asyncio.timeout(30):
            while (message := await socket.receive()).type is not WSMsgType.CLOSE:
                assert message.type is WSMsgType.BINARY
        assert message.data in (POLICY_VIOLATION, 1009)  # 1009: too big


@pytest.mark.parametrize("query", ["width=0", "width=80&height=x", "cell_width=-9", "height=9999"])
async def test_no_app_starts_for_a_size_that_cannot_be(site, query):
    headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
    async with ClientSession(headers=headers) as session:
        with pytest.raises(WSServerHandshakeError) as caught:
            await session.ws_connect(f"ws://{site.authority}/ws/{'e' * 32}?{query}")
    assert caught.value.status == 400
    assert site.num_sessions == 0


async def test_scripts_and_fonts_of_the_page_need_its_cookie(site):
    paths = ["/page.js", "/pictures.js", "/pointer.js", "/fonts/ptacl-mono-bold.woff2"]
    async with ClientSession() as session:
        for path in paths:
            async with session.get(site.origin + path) as answer:
                assert answer.status == 403
    async with ClientSession(headers={"Cookie": f"{COOKIE}={site.cookie}"}) as session:
        for path in paths:
            async with session.get(site.origin + path) as answer:
                assert answer.status == 200
                assert len(await answer.read()) > 500
        for path in ("/sessions.py", "/fonts/LICENSE", "/fonts/../server.py", "/fonts/"):
            async with session.get(site.origin + path) as answer:
                assert answer.status == 404
