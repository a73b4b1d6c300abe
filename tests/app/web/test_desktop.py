"""The window: what it takes as an order, what it remembers, and that it ends with its browser."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from ptacl_app.__main__ import main
from ptacl_app.desktop.choice import CohortChoice
from ptacl_app.desktop.instance import SECRET_HEADER, be_the_only_one, raise_first_window
from ptacl_app.desktop.recent import MAX_COHORTS, Memory, load_memory
from ptacl_app.desktop.site import WindowSite
from ptacl_app.desktop.wishes import Wish
from ptacl_app.web.guard import COOKIE, SessionGuard
from ptacl_app.web.server import build_server
from ptacl_core.errors import CohortLockedError, ConfigError

ROOT = Path(__file__).resolve().parents[3]


class Seen:
    """A window that nobody sees: what it was asked for, and what its dialogs answer."""

    has_dialogs = True

    def __init__(self):
        self.raised, self.pages = [], []
        self.to_open, self.to_save = (), None

    def show(self, address, place, keep_place, menu):
        raise AssertionError("nobody shows it")

    def close(self):
        raise AssertionError("nobody shows it")

    def go_to(self, address):
        self.pages.append(address)

    def bring_to_front(self):
        self.raised.append(1)
        return True

    def ask_to_open(self, kind):
        return self.to_open

    def ask_where_to_save(self, name):
        return self.to_save


BROWSER = """#!{python}
import sys, time, urllib.request
address = next(word for word in sys.argv if word.startswith("--app=")).removeprefix("--app=")
opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
page = opener.open(address, timeout=30).read().decode()
open({told!r}, "w").write(address + "\\n" + page)
until = {until!r}
while until and not __import__("os").path.exists(until):
    time.sleep(0.05)
"""


@pytest.fixture
async def window(tmp_path):
    """The site of a window without a cohort; what was raised is counted."""
    guard = SessionGuard("token", host="127.0.0.1", port=1)
    choice = CohortChoice(tmp_path / "state", theme=None, is_private=False)
    seen = Seen()
    site = WindowSite(guard, choice, seen, secret="a-secret", keep_place=lambda _: None)
    server = TestServer(build_server(guard, choice.command, extend=site.add_to), host="127.0.0.1")
    await server.start_server()
    guard.listen_on("127.0.0.1", int(server.port or 0))
    yield guard, choice, seen
    await server.close()


def ours(guard, **changes):
    return {"Origin": guard.origin, "Cookie": f"{COOKIE}={guard.cookie}", **changes}


async def test_without_a_cohort_the_start_page_opens_one(window, cohort_dir):
    guard, choice, _ = window
    async with ClientSession(headers=ours(guard)) as session:
        async with session.get(f"{guard.origin}/") as answer:
            assert answer.url.path == "/start"
            assert "Research use only" in await answer.text()
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        async with session.post(f"{guard.origin}/open", json={"cohort": str(cohort_dir)}) as answer:
            assert answer.status == 204
        async with session.get(f"{guard.origin}/") as answer:
            assert answer.url.path == "/"
        async with session.get(f"{guard.origin}/state") as answer:
            assert (await answer.json())["cohorts"] == [str(cohort_dir)]
    assert choice.cohort == cohort_dir


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"cohort": "/nowhere/at all"}', 400),
        (b'{"cohort": "/etc/passwd"}', 400),
        (b'{"cohort": "/"}', 400),
        (b'{"cohort": ""}', 400),
        (b'{"cohort": "a\\u0000b"}', 400),
        (b'{"cohort": "~nobody-of-this-name/x"}', 400),
        (b'{"cohort": ["/"]}', 400),
        (b'{"cohort": null}', 400),
        (b"[]", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
    ],
)
async def test_what_is_not_a_cohort_is_one_line(window, body, status):
    guard, choice, _ = window
    async with (
        ClientSession(headers=ours(guard)) as session,
        session.post(f"{guard.origin}/open", data=body) as answer,
    ):
        assert answer.status == status
        assert (await answer.text()).count("\n") == 0
    assert choice.cohort is None


@pytest.mark.parametrize("path", ["/open", "/raise"])
@pytest.mark.parametrize(
    "changes",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Cookie": ""},
        {"Host": "rebound.example"},
        {SECRET_HEADER: "guess"},
    ],
)
async def test_foreign_pages_give_no_orders(window, cohort_dir, path, changes):
    guard, choice, seen = window
    if path == "/open" and SECRET_HEADER in changes:
        changes = {"Cookie": f"{COOKIE}=guess"}
    async with (
        ClientSession(headers=ours(guard, **changes)) as session,
        session.post(f"{guard.origin}{path}", json={"cohort": str(cohort_dir)}) as answer,
    ):
        assert answer.status == 403
    assert choice.cohort is None
    assert seen.raised == []


async def test_pages_of_the_window_need_its_cookie(window):
    guard, _, _ = window
    async with ClientSession() as session:
        for path in ("/start", "/start.js", "/window.js", "/state", "/"):
            async with session.get(f"{guard.origin}{path}") as answer:
                assert answer.status == 403


async def test_a_second_start_raises_the_first(window, cohort_dir):
    guard, choice, seen = window
    headers = {SECRET_HEADER: "a-secret"}
    async with ClientSession(headers=headers) as session:
        async with session.post(f"{guard.origin}/raise", json={"paths": []}) as answer:
            assert answer.status == 204
        async with session.post(
            f"{guard.origin}/raise", json={"paths": [str(cohort_dir)]}
        ) as answer:
            assert answer.status == 204
    assert len(seen.raised) == 2
    assert seen.pages == [f"{guard.origin}/start?after=0"]
    assert choice.cohort == cohort_dir


async def test_a_browser_has_none_of_it(cohort_dir):
    """`ptacl-app web` opens the cohort it was given, and no other."""
    guard = SessionGuard("token", host="127.0.0.1", port=1)
    server = TestServer(build_server(guard, lambda: "exit"), host="127.0.0.1")
    await server.start_server()
    guard.listen_on("127.0.0.1", int(server.port or 0))
    async with ClientSession(headers=ours(guard)) as session:
        for path in ("/open", "/raise"):
            async with session.post(f"{guard.origin}{path}", json={}) as answer:
                assert answer.status == 404
    await server.close()


def test_recent_cohorts_are_few_and_private(tmp_path):
    memory = Memory()
    for number in range(MAX_COHORTS + 2):
        memory = memory.with_cohort(Path(f"/c/{number}"))
    memory = memory.with_cohort(Path("/c/5"))
    assert memory.cohorts[0] == "/c/5"
    assert len(memory.cohorts) == len(set(memory.cohorts)) == MAX_COHORTS
    (tmp_path / "desktop.json").write_text("{broken")
    assert load_memory(tmp_path) == Memory()


def test_with_privacy_no_cohort_is_remembered(tmp_path, cohort_dir):
    choice = CohortChoice(tmp_path, theme=None, is_private=True)
    choice.open(cohort_dir)
    assert choice.list_recent() == []
    assert "--privacy" in (choice.command() or "")


def test_a_window_that_does_not_answer_is_told(tmp_path):
    with be_the_only_one(tmp_path), pytest.raises(CohortLockedError), be_the_only_one(tmp_path):
        pass
    (tmp_path / "desktop-window.json").write_text(json.dumps({"port": 1, "secret": "x"}))
    with pytest.raises(ConfigError, match="does not answer"):
        raise_first_window(Wish(), tmp_path)


@pytest.fixture
def browser(tmp_path, monkeypatch):
    """A program called chromium that reads the page, says so, and waits for a file."""
    notice, until = tmp_path / "told", tmp_path / "close"
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "chromium"
    program.write_text(BROWSER.format(python=sys.executable, told=str(notice), until=str(until)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("ptacl_app.desktop.windows.find_library", lambda _: None)  # no Qt
    for variable in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    return notice, until


def test_the_window_shows_the_page_and_ends_with_its_browser(browser, tmp_path):
    notice, until = browser
    until.touch()
    assert main(["desktop"]) == 0
    address, page = notice.read_text().split("\n", 1)
    assert address.startswith("http://127.0.0.1:")
    assert "Folder of a cohort" in page
    port = int(address.split(":")[2].split("/")[0])
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert list(tmp_path.rglob("desktop-window.json")) == []


def test_a_second_window_says_that_one_is_open(browser, tmp_path, capsys, cohort_dir):
    notice, until = browser
    code = "import sys; from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
    first = subprocess.Popen(
        [sys.executable, "-c", code, "desktop"], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    while not notice.exists():
        assert first.poll() is None
    assert main(["desktop", str(cohort_dir)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "open already" in error
    until.touch()
    assert first.wait(60) == 0


def test_where_nothing_shows_a_window_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("ptacl_app.desktop.browser.APPLICATIONS", ())
    monkeypatch.setattr("ptacl_app.desktop.windows.find_library", lambda _: None)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert main(["desktop"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "ptacl[desktop]" in error


def test_a_wrong_folder_is_refused_before_a_window_opens(browser, tmp_path, capsys):
    assert main(["desktop", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not browser[0].exists()
