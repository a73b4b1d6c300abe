"""The browser's door: loopback, a secret, a cookie, the exact origin; nothing from elsewhere."""

import asyncio
import re
import socket
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, FormData, WSServerHandshakeError

from ptacl_app.__main__ import main
from ptacl_app.web.address import check_host, parse_public_url
from ptacl_app.web.command import build_command
from ptacl_app.web.dropped_files import MAX_FILES, clean_name
from ptacl_app.web.guard import COOKIE, MAX_SESSIONS, SessionGuard
from ptacl_core.errors import ConfigError


async def enter(session, guard):
    async with session.get(f"{guard.origin}/?token=secret-token") as answer:
        return answer.status, await answer.text(), answer.headers


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.org"])
def test_other_addresses_need_a_proxy(host):
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1"):
        check_host(host, has_proxy=False)
    check_host(host, has_proxy=True)
    check_host("127.0.0.1", has_proxy=False)


def test_refusals_are_one_line(tmp_path, capsys):
    assert main(["web", "--host", "0.0.0.0", str(tmp_path)]) == 2
    assert main(["web", str(tmp_path / "absent")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 2


async def test_page_needs_the_secret_and_then_the_cookie(site):
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        for path in ("/", "/?token=wrong", "/?token=", "/download/x"):
            async with session.get(site.origin + path) as answer:
                assert answer.status == 403
        status, page, headers = await enter(session, site)
        assert status == 200
        assert "secret-token" not in page
        assert "googleapis" not in page
        assert f"ws://{site.authority}/ws" in page
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        async with session.get(f"{site.origin}/static/css/xterm.css") as answer:
            assert answer.status == 200
        async with session.get(f"{site.origin}/static/") as answer:
            assert answer.status in (403, 404)


async def test_cookie_is_out_of_reach_of_scripts_and_other_sites(site):
    async with (
        ClientSession() as session,
        session.get(f"{site.origin}/?token=secret-token", allow_redirects=False) as answer,
    ):
        cookie = answer.headers["Set-Cookie"]
        assert answer.status == 303
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "secret-token" not in cookie


@pytest.mark.parametrize(
    ("origin", "cookie"),
    [
        ("http://evil.example", True),
        ("null", True),
        (None, True),
        ("own", False),
        ("http://127.0.0.1.evil.example", True),
    ],
)
async def test_foreign_sockets_are_refused(site, origin, cookie):
    headers = {}
    if origin is not None:
        headers["Origin"] = site.origin if origin == "own" else origin
    if cookie:
        headers["Cookie"] = f"{COOKIE}={site.cookie}"
    async with ClientSession() as session:
        with pytest.raises(WSServerHandshakeError) as caught:
            await session.ws_connect(f"ws://{site.authority}/ws", headers=headers)
        assert caught.value.status == 403


async def test_another_host_name_is_refused(site):
    async with ClientSession() as session:
        headers = {"Host": "rebound.example", "Cookie": f"{COOKIE}={site.cookie}"}
        async with session.get(site.origin, headers=headers) as answer:
            assert answer.status == 403


def test_sessions_are_few():
    guard = SessionGuard("t", host="127.0.0.1", port=8750)
    assert guard.accepts_socket(guard.authority, guard.cookie, guard.origin)
    guard.num_sessions = MAX_SESSIONS
    assert not guard.accepts_socket(guard.authority, guard.cookie, guard.origin)


def test_command_runs_no_file_of_the_folder(cohort_dir):
    command = build_command(cohort_dir, theme="ptacl-paper", is_private=True)
    assert command.startswith(f"exec {sys.executable} -P -c ")
    assert command.endswith("--theme ptacl-paper --privacy")


async def test_our_own_page_gets_the_app(site):
    async with ClientSession() as session:
        headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
        url = f"ws://{site.authority}/ws?width=120&height=36"
        async with session.ws_connect(url, headers=headers) as socket:
            seen = b""
            async with asyncio.timeout(40):
                while b"RESEARCH USE ONLY" not in seen:
                    message = await socket.receive()
                    seen += message.data if isinstance(message.data, bytes) else b""
            assert site.num_sessions == 1
    async with asyncio.timeout(20):
        while site.num_sessions:
            await asyncio.sleep(0.05)


async def read_until(socket, words):
    """What the terminal was sent until `words` came."""
    seen = b""
    async with asyncio.timeout(40):
        while words not in seen:
            message = await socket.receive()
            seen += message.data if isinstance(message.data, bytes) else b""
    return seen


async def test_a_tab_that_reloads_finds_its_app_as_it_was(site):
    """The same process, its screen drawn whole into the new terminal, modes of the mouse first."""
    headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
    url = f"ws://{site.authority}/ws/{'a' * 32}?width=120&height=36"
    async with ClientSession(headers=headers) as session:
        async with session.ws_connect(url) as socket:
            await read_until(socket, b"RESEARCH USE ONLY")
            await socket.send_json(["stdin", "?"])  # the help, which only this app shows
            await read_until(socket, b"Keys")
        for _ in range(3):
            async with session.ws_connect(url) as socket:
                seen = await read_until(socket, b"Keys")
            assert seen.index(b"\x1b[?1006h") < seen.index(b"Keys")
            assert site.num_sessions == 1
            async with session.get(f"{site.origin}/apps/{'a' * 32}") as answer:
                assert await answer.json() == {"state": "running"}
        async with session.ws_connect(url.replace("aaaa", "bbbb")) as other:
            assert b"Keys" not in await read_until(other, b"RESEARCH USE ONLY")
            assert site.num_sessions == 2


@pytest.mark.parametrize("name", ["../etc", "a", "A" * 32, "a" * 33, "%00" * 32])
async def test_a_name_of_another_form_is_refused(site, name):
    headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
    async with ClientSession(headers=headers) as session:
        with pytest.raises(WSServerHandshakeError) as caught:
            await session.ws_connect(f"ws://{site.authority}/ws/{name}")
        assert caught.value.status in (403, 404)


async def test_the_app_of_another_browser_cannot_be_asked_for(site):
    async with ClientSession() as session:
        async with session.get(f"{site.origin}/apps/{'a' * 32}") as answer:
            assert answer.status == 403
        async with session.get(f"{site.origin}/page.js") as answer:
            assert answer.status == 403


async def test_a_new_tab_takes_the_place_of_one_that_left(site, monkeypatch):
    for module in ("guard", "server"):
        monkeypatch.setattr(f"ptacl_app.web.{module}.MAX_SESSIONS", 1)
    headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
    async with ClientSession(headers=headers) as session:
        for number in range(2):
            url = f"ws://{site.authority}/ws/{number:032x}?width=80&height=24"
            async with session.ws_connect(url) as socket:
                await socket.receive()
            assert site.num_sessions == 1


async def test_a_dropped_file_is_pasted_as_a_path_and_goes_with_the_app(site, monkeypatch):
    monkeypatch.setattr("ptacl_app.web.server.GRACE_S", 0.0)
    headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={site.cookie}"}
    page = f"{site.origin}/apps/{'c' * 32}/files"
    async with ClientSession(headers=headers) as session:
        async with session.post(page, data=drop(("a.xml", b"x"))) as answer:
            assert answer.status == 403  # no app of this name
        async with session.ws_connect(f"ws://{site.authority}/ws/{'c' * 32}") as socket:
            await read_until(socket, b"RESEARCH USE ONLY")
            async with session.post(page, data=drop(("not-an-ECG.xml", b"x"))) as answer:
                assert answer.status == 204
            seen = await read_until(socket, b"/not-an-ECG.xml")
            path = re.search(rb"m(/[^\s\x1b]*ptacl-dropped-[^\s\x1b/]*)/1/not-an-ECG\.xml", seen)
            for name in ("Origin", "Cookie"):
                wrong = {**headers, name: "http://evil.example"}
                async with (
                    ClientSession(headers=wrong) as other,
                    other.post(page, data=drop(("a.xml", b"x"))) as answer,
                ):
                    assert answer.status == 403
            async with session.post(page, data=b"x") as answer:
                assert answer.status == 400
            too_many = drop(*((f"{number}.xml", b"x") for number in range(MAX_FILES + 1)))
            async with session.post(page, data=too_many) as answer:
                assert answer.status == 400
                assert str(MAX_FILES) in await answer.text()
            assert path is not None
            folder = Path(path[1].decode())
            assert (folder / "1" / "not-an-ECG.xml").read_bytes() == b"x"
            assert folder.stat().st_mode & 0o077 == 0
        async with asyncio.timeout(30):
            while site.num_sessions:
                await asyncio.sleep(0.05)
    assert not folder.exists()


def drop(*contents):
    form = FormData()
    for name, content in contents:
        form.add_field("file", content, filename=name)
    return form


@pytest.mark.parametrize(
    ("name", "clean"),
    [("ecg.xml", "ecg.xml"), ("../../etc/passwd", "passwd"), ("C:\\a\\b c.dcm", "b_c.dcm"),
     (".bashrc", "bashrc"), ("", "file"), ("\x1b[201~q.xml", "_201_q.xml"), ("x" * 300, "x" * 120)],
)  # fmt: skip
def test_names_of_dropped_files_hold_nothing_that_is_read(name, clean):
    assert clean_name(name) == clean


@pytest.mark.parametrize("port", ["-1", "0", "70000"])
def test_a_port_that_cannot_be_is_one_line(port, cohort_dir, capsys):
    assert main(["web", str(cohort_dir), "--port", port]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "65535" in error


def test_a_port_in_use_names_one_that_is_free(cohort_dir, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["web", str(cohort_dir), "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"--port {port}: another program listens there" in error


def test_behind_a_proxy_pages_and_sockets_are_the_public_addresss(cohort_dir, capsys):
    assert main(["web", str(cohort_dir), "--host", "0.0.0.0", "--i-have-a-proxy"]) == 2
    assert "--public-url" in capsys.readouterr().err
    public = parse_public_url("https://Ptacl.Example.org/")
    guard = SessionGuard("secret", host="0.0.0.0", port=8750, public=public)
    assert guard.origin == "https://ptacl.example.org"
    assert guard.socket_origin == "wss://ptacl.example.org"
    assert guard.accepts_socket("ptacl.example.org", guard.cookie, "https://ptacl.example.org")
    assert not guard.accepts_socket("0.0.0.0:8750", guard.cookie, "https://ptacl.example.org")
    assert not guard.accepts_socket("ptacl.example.org", guard.cookie, "http://ptacl.example.org")
    for wrong in ("ptacl.example.org", "ftp://a", "https://a/path", "https://", "https://a:99999"):
        with pytest.raises(ConfigError):
            parse_public_url(wrong)
