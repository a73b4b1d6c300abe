"""Whom the window's site obeys, what it opens and where it saves: hostile orders do nothing."""

import asyncio
import io
import json
import os
import socket
import stat
from contextlib import nullcontext
from typing import Any, cast

import pytest
from aiohttp import ClientSession, FormData
from aiohttp.test_utils import TestServer
from textual_serve.download_manager import DownloadManager

from ptacl_app.desktop.choice import CohortChoice
from ptacl_app.desktop.instance import SECRET_HEADER, be_the_only_one, tell_address
from ptacl_app.desktop.recent import WindowPlace, load_memory
from ptacl_app.desktop.saving import save_delivery
from ptacl_app.desktop.site import WindowSite
from ptacl_app.desktop.window import Kind
from ptacl_app.desktop.wishes import MAX_FILES, check_path, check_target, understand
from ptacl_app.web.guard import COOKIE, SessionGuard
from ptacl_app.web.server import build_server
from ptacl_core.errors import CohortError, ConfigError

ORDERS = ("/open", "/open/example", "/open/files", "/dialog/cohort", "/save/key", "/place")


class Dialogs:
    """A window whose dialogs answer at once; what was asked is kept."""

    def __init__(self, *, has_dialogs=True):
        self.has_dialogs = has_dialogs
        self.asked, self.pages, self.raised = [], [], 0
        self.to_open, self.to_save = (), None
        self.wait = None

    def show(self, address, place, keep_place, menu):
        raise AssertionError("nobody shows it")

    def close(self):
        raise AssertionError("nobody shows it")

    def go_to(self, address):
        self.pages.append(address)

    def bring_to_front(self):
        self.raised += 1
        return True

    def ask_to_open(self, kind):
        self.asked.append(kind)
        if self.wait is not None:
            self.wait.wait(10)
        return self.to_open

    def ask_where_to_save(self, name):
        self.asked.append(name)
        return self.to_save


class Desk:
    """A window's site on a port, its dialogs, and what it opened."""

    def __init__(self, state, *, has_dialogs=True):
        self.guard = SessionGuard("token", host="127.0.0.1", port=1)
        self.choice = CohortChoice(state, theme=None, is_private=False)
        self.window = Dialogs(has_dialogs=has_dialogs)
        self.places = []
        self.downloads = None
        site = WindowSite(
            self.guard, self.choice, self.window, secret="a-secret", keep_place=self.places.append
        )

        def extend(application, downloads):
            self.downloads = downloads
            site.add_to(application, downloads)

        self.server = TestServer(
            build_server(self.guard, self.choice.command, extend=extend), host="127.0.0.1"
        )

    async def __aenter__(self):
        await self.server.start_server()
        self.guard.listen_on("127.0.0.1", int(self.server.port or 0))
        return self

    async def __aexit__(self, *_):
        await self.server.close()
        await asyncio.to_thread(self.choice.close)

    async def post(self, path, *, headers=None, **content):
        ours = {"Origin": self.guard.origin, "Cookie": f"{COOKIE}={self.guard.cookie}"}
        async with (
            ClientSession(headers={**ours, **(headers or {})}) as session,
            session.post(f"{self.guard.origin}{path}", **content) as answer,
        ):
            return answer.status, await answer.text()

    @property
    def is_untouched(self):
        return self.choice.cohort is None and not self.window.asked and not self.places


@pytest.fixture
async def desk(tmp_path):
    async with Desk(tmp_path / "state") as desk:
        yield desk


@pytest.mark.parametrize("path", ORDERS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Cookie": ""},
        {"Cookie": f"{COOKIE}=guess"},
        {"Host": "rebound.example"},
        {SECRET_HEADER: "a-secret", "Cookie": ""},
    ],
    ids=["site", "null", "none", "port", "no cookie", "guess", "rebound", "secret for cookie"],
)
async def test_no_order_is_taken_from_elsewhere(desk, cohort_dir, path, headers):
    body = json.dumps({"cohort": str(cohort_dir)})
    status, _ = await desk.post(path, headers=headers, data=body)
    assert status == 403
    assert desk.is_untouched


async def test_a_page_cannot_raise_with_its_cookie(desk, cohort_dir):
    """Pages have the cookie, never the secret of the window."""
    for given in ({}, {SECRET_HEADER: ""}, {SECRET_HEADER: desk.guard.cookie}):
        status, _ = await desk.post("/raise", headers=given, json={"paths": [str(cohort_dir)]})
        assert status == 403
    assert desk.window.raised == 0
    assert desk.is_untouched


def test_the_secret_is_its_owners_alone_and_goes_with_the_window(tmp_path):
    with be_the_only_one(tmp_path) as state:
        tell_address(state, 1234, "a-secret")
        (file,) = state.glob("desktop-window.json")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.rglob("desktop-window.json")) == []


@pytest.fixture
def odd(tmp_path):
    """Things that are neither files nor folders."""
    os.mkfifo(tmp_path / "pipe")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "to-device").symlink_to("/dev/zero")
    (tmp_path / "to-pipe").symlink_to(tmp_path / "pipe")
    yield tmp_path
    listening.close()


@pytest.mark.parametrize(
    "name",
    ["pipe", "socket", "loop", "dangling", "to-device", "to-pipe", "/dev/zero", "/dev/stdin"],
)
@pytest.mark.parametrize("way", ["typed", "dialog", "second start"])
async def test_devices_pipes_and_broken_links_are_never_opened(desk, odd, name, way):
    """A pipe without a writer would hold the whole window, were it opened."""
    path = odd / name
    if way == "typed":
        answer = desk.post("/open", json={"cohort": str(path)})
    elif way == "dialog":
        desk.window.to_open = (path,)
        answer = desk.post("/dialog/ecg")
    else:
        order = {"paths": [str(path)]}
        answer = desk.post("/raise", headers={SECRET_HEADER: "a-secret"}, json=order)
    status, text = await asyncio.wait_for(answer, 10)
    assert status == 400
    assert text.count("\n") == 0
    assert desk.choice.cohort is None
    assert desk.window.pages == []


@pytest.mark.parametrize(
    "name",
    ["a" * 300, "a/" * 3000, "\x1b]0;title\x07", "\u202egnp.exe", "a\nb", "\udcff", "..", "%2e%2e"],
    ids=["long name", "long path", "escape", "turned", "two lines", "no text", "up", "coded"],
)
async def test_huge_and_deceiving_names_are_one_clean_line(desk, tmp_path, name):
    status, text = await desk.post("/open", json={"cohort": f"{tmp_path}/{name}"})
    assert status == 400
    assert len(text) <= 500
    assert text.isprintable()
    assert desk.choice.cohort is None


async def test_a_typed_path_opens_cohorts_and_no_other_file(desk, tmp_path, cohort_dir):
    """A page could otherwise have any file of the user read."""
    secret = tmp_path / "secret.txt"
    secret.write_text("I,II\n")
    status, text = await desk.post("/open", json={"cohort": str(secret)})
    assert (status, desk.choice.cohort) == (400, None)
    assert "cohort" in text
    (tmp_path / "link").symlink_to(cohort_dir)
    status, _ = await desk.post("/open", json={"cohort": str(tmp_path / "link")})
    assert status == 204


async def test_a_page_names_no_file_for_a_dialog(desk):
    """The dialog's answer goes to the site; what the page sends along is not read."""
    status, _ = await desk.post("/dialog/ecg", json={"paths": ["/etc/passwd"]})
    assert status == 204  # closed without a choice
    assert desk.window.asked == [Kind.ECG]
    assert desk.choice.cohort is None


@pytest.mark.parametrize("kind", ["folder", "save", "..", "ECG", "ecg%00", "a" * 5000])
async def test_there_are_three_dialogs_and_no_other(desk, kind):
    status, _ = await desk.post(f"/dialog/{kind}")
    assert status in (404, 405)
    assert desk.window.asked == []


async def test_one_dialog_at_a_time(desk):
    """A page that asks without end cannot bury the desktop in dialogs."""
    import threading

    desk.window.wait = threading.Event()
    first = asyncio.ensure_future(desk.post("/dialog/ecg"))
    while not desk.window.asked:
        await asyncio.sleep(0.01)
    answers = [await desk.post("/dialog/cohort") for _ in range(5)]
    desk.window.wait.set()
    assert {status for status, _ in answers} == {400}
    assert (await first)[0] == 204
    assert len(desk.window.asked) == 1


async def test_a_browser_has_no_dialogs_to_ask_for(tmp_path):
    async with Desk(tmp_path, has_dialogs=False) as desk:
        for path in ("/dialog/cohort", "/save/key"):
            assert (await desk.post(path))[0] == 404
        assert desk.window.asked == []


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b"null", b"\xff\xfe", b'{"paths": "/"}', b'{"paths": [1]}',
        b'{"paths": [], "model": 1}', b"[" * 60_000, b'{"paths": ' + b"[" * 60_000,
        json.dumps({"paths": ["/x"] * (MAX_FILES + 1)}).encode(), b'{"paths": ["a\\u0000b"]}',
    ],
)  # fmt: skip
async def test_orders_of_no_sense_are_one_line(desk, body):
    status, text = await desk.post("/raise", headers={SECRET_HEADER: "a-secret"}, data=body)
    assert status == 400
    assert text.count("\n") == 0
    assert desk.is_untouched


async def test_an_endless_order_is_cut_off(desk):
    status, _ = await desk.post(
        "/raise", headers={SECRET_HEADER: "a-secret"}, data=io.BytesIO(b"[" + b" " * 2**21)
    )
    assert status == 413
    assert desk.is_untouched


@pytest.mark.parametrize(
    "place",
    [
        {"width": 10**9, "height": 800},
        {"width": -5, "height": 800},
        {"width": 800, "height": 600, "x": 10**12},
        {"width": "800", "height": 600},
        {"width": 800, "height": 600, "command": "x"},
    ],
)
async def test_a_page_cannot_put_the_window_out_of_sight(tmp_path, place):
    async with Desk(tmp_path, has_dialogs=False) as desk:
        assert (await desk.post("/place", json=place))[0] == 400
        assert desk.places == []
        assert (await desk.post("/place", json={"width": 800, "height": 600}))[0] == 204
        assert desk.places == [WindowPlace(width=800, height=600)]


def test_a_memory_that_somebody_changed_is_as_none(tmp_path):
    (tmp_path / "desktop.json").write_text('{"place": {"width": 100000000}}')
    assert load_memory(tmp_path).place == WindowPlace()


@pytest.mark.parametrize(
    "name", ["pipe", "socket", "loop", "dangling", "to-device", "to-pipe", "."]
)
def test_nothing_but_a_plain_file_is_replaced(odd, name):
    with pytest.raises(ConfigError):
        check_target(odd / name)


@pytest.mark.parametrize("name", ["relative.html", "absent/x.html", "a" * 5000])
def test_what_is_no_place_to_save_to_is_told(tmp_path, name):
    from pathlib import Path

    with pytest.raises(ConfigError):
        check_target(Path(name) if name.startswith("relative") else tmp_path / name)


async def test_nothing_is_saved_under_a_guessed_key(desk, tmp_path):
    desk.window.to_save = tmp_path / "report.html"
    for key in ("guess", "..%2f..%2fetc%2fpasswd", "0" * 64):
        status, text = await desk.post(f"/save/{key}")
        assert status == 400
        assert "offers" in text
    assert desk.window.asked == []
    assert not desk.window.to_save.exists()


class Ending:
    """An app that gives one chunk and then no more."""

    app_service_id = "1"

    def __init__(self, downloads, chunks):
        self.downloads, self.chunks = downloads, list(chunks)

    async def send_meta(self, data):
        await self.downloads._active_downloads[data["key"]].incoming_chunks.put(self.chunks.pop(0))
        return True


@pytest.mark.parametrize(("last", "is_whole"), [(b"", True), (None, False)])
async def test_a_file_is_saved_whole_or_not_at_all(tmp_path, last, is_whole):
    downloads = DownloadManager()
    target = tmp_path / "report.html"
    target.write_text("the one before")
    asked = []

    async def ask(name):
        asked.append(name)
        return target

    await downloads.create_download(
        app_service=cast("Any", Ending(downloads, [b"half", last])), delivery_key="key",
        open_method="download", file_name="../../../.bashrc; rm", mime_type="text/html",
    )  # fmt: skip
    with nullcontext() if is_whole else pytest.raises(ConfigError, match="nothing was saved"):
        assert await save_delivery(downloads, "key", ask) == target
    assert asked == ["bashrc_rm"]
    assert target.read_text() == ("half" if is_whole else "the one before")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def form(*names):
    data = FormData()
    for name in names:
        data.add_field("file", b"I,II\n", filename=name)
    return data


@pytest.mark.parametrize(
    "names",
    [("a.csv",) * 9, ("a.ptacl", "b.ptacl"), ("cohort.toml",), ("a.csv", "a.csv")],
    ids=["many", "two models", "a cohort's file", "one name twice"],
)
async def test_a_drop_that_makes_no_sense_leaves_nothing(desk, names, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    status, text = await desk.post("/open/files", data=form(*names))
    assert status == 400
    assert text.count("\n") == 0
    assert desk.choice.cohort is None


async def test_dropped_names_lead_nowhere(desk, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = ("../../../../etc/x.ptacl", "/etc/y.ptacl")
    assert (await desk.post("/open/files", data=form(*names)))[0] == 400
    written = list(tmp_path.rglob("*.ptacl"))
    assert len(written) == 2
    assert {path.parent.parent.parent for path in written} == {tmp_path}
    assert stat.S_IMODE(written[0].parent.parent.stat().st_mode) == 0o700


def test_what_cannot_be_opened_together_is_told(cohort_dir, tmp_path):
    (tmp_path / "a.csv").touch()
    for paths in ([cohort_dir, cohort_dir], [cohort_dir, tmp_path / "a.csv"]):
        with pytest.raises(ConfigError):
            understand(paths)
    with pytest.raises(CohortError):
        understand([tmp_path])
    assert understand([cohort_dir / "cohort.toml"]).cohort == cohort_dir
    assert check_path(tmp_path / "a.csv") == tmp_path / "a.csv"


async def test_pages_of_the_window_ask_for_no_eval_and_no_other_site(desk):
    async with (
        ClientSession(cookies={COOKIE: desk.guard.cookie}) as session,
        session.get(f"{desk.guard.origin}/start") as answer,
    ):
        policy = answer.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert "form-action 'none'" in policy
