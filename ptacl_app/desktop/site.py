"""What the window's page adds to the guarded site: a start page, opening a cohort, raising."""

import hmac
import json
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from ptacl_app.data.cohort_check import check_cohort
from ptacl_app.desktop.instance import SECRET_HEADER
from ptacl_app.desktop.recent import load_memory, save_memory
from ptacl_app.text.formatting import safe
from ptacl_app.web.command import build_command
from ptacl_app.web.guard import COOKIE, SessionGuard
from ptacl_core.errors import PtaclError

if TYPE_CHECKING:
    from aiohttp import web as aiohttp_web


START_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""The bridge to the window's dialog evaluates its own calls; this page shows no patient."""


class CohortChoice:
    """The cohort that new pages show; None until one is opened."""

    def __init__(self, state: Path, *, theme: str | None, is_private: bool) -> None:
        self._state = state
        self._theme, self._is_private = theme, is_private
        self.cohort: Path | None = None

    def open(self, path: Path) -> None:
        """Show this cohort from now on, and remember it. Raises CohortError, OSError."""
        self.cohort = check_cohort(path)
        if not self._is_private:
            save_memory(load_memory(self._state).with_cohort(self.cohort), self._state)

    def command(self) -> str | None:
        """What starts the app; None where no cohort is open."""
        if self.cohort is None:
            return None
        return build_command(self.cohort, theme=self._theme, is_private=self._is_private)

    def list_recent(self) -> list[str]:
        """Cohorts opened last that are still there."""
        return [name for name in load_memory(self._state).cohorts if Path(name).is_dir()]


def add_window_pages(
    application: "aiohttp_web.Application",
    guard: SessionGuard,
    choice: CohortChoice,
    secret: str,
    raise_window: Callable[[], bool],
) -> None:
    """Routes of the start page, for the window alone; `ptacl-app web` has none of them."""
    from aiohttp import web as aiohttp_web

    def check(request: aiohttp_web.Request, *, is_change: bool = False) -> None:
        is_ours = guard.accepts_request(request.host, request.cookies.get(COOKIE, ""))
        if not is_ours or (is_change and request.headers.get("Origin", "") != guard.origin):
            raise aiohttp_web.HTTPForbidden(text="not from the page of this window")

    async def show_start(request: aiohttp_web.Request) -> aiohttp_web.Response:
        check(request)
        return aiohttp_web.Response(
            text=_read("start.html"),
            content_type="text/html",
            headers={"Content-Security-Policy": START_POLICY},
        )

    async def show_script(request: aiohttp_web.Request) -> aiohttp_web.Response:
        check(request)
        return aiohttp_web.Response(text=_read("start.js"), content_type="text/javascript")

    async def list_recent(request: aiohttp_web.Request) -> aiohttp_web.Response:
        check(request)
        return aiohttp_web.json_response({"cohorts": choice.list_recent()})

    async def open_cohort(request: aiohttp_web.Request) -> aiohttp_web.Response:
        check(request, is_change=True)
        return await _open(request, choice)

    async def raise_first(request: aiohttp_web.Request) -> aiohttp_web.Response:
        """A second start of the same user; a page cannot know the secret."""
        given = request.headers.get(SECRET_HEADER, "")
        if request.host != guard.authority or not hmac.compare_digest(
            given.encode(), secret.encode()
        ):
            raise aiohttp_web.HTTPForbidden(text="expected the secret of the open window")
        answer = await _open(request, choice, may_be_absent=True)
        if not raise_window():
            raise aiohttp_web.HTTPConflict(
                text="a window of PTACL is open already, which cannot be raised from here"
            )
        return answer

    routes: list[tuple[str, str, Callable[..., Awaitable[aiohttp_web.Response]]]] = [
        ("GET", "/start", show_start),
        ("GET", "/start.js", show_script),
        ("GET", "/recent", list_recent),
        ("POST", "/open", open_cohort),
        ("POST", "/raise", raise_first),
    ]
    for method, path, handler in routes:
        application.router.add_route(method, path, handler)


async def _open(
    request: "aiohttp_web.Request", choice: CohortChoice, *, may_be_absent: bool = False
) -> "aiohttp_web.Response":
    from aiohttp import web as aiohttp_web

    try:
        given = (await request.json()).get("cohort")
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        raise aiohttp_web.HTTPBadRequest(text='expected {"cohort": FOLDER}') from None
    if given is None and may_be_absent:
        return aiohttp_web.Response(status=204)
    if not isinstance(given, str) or not given or "\0" in given:
        raise aiohttp_web.HTTPBadRequest(text="expected the folder of a cohort")
    try:
        choice.open(Path(given).expanduser())
    except (PtaclError, OSError, RuntimeError) as error:
        raise aiohttp_web.HTTPBadRequest(text=safe(error, max_length=400)) from None
    return aiohttp_web.Response(status=204)


def _read(name: str) -> str:
    return files("ptacl_app.desktop").joinpath(name).read_text(encoding="utf-8")
