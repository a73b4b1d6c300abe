"""What the window's page adds to the guarded site: the start page, opening, saving, raising."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from aiohttp import web as aiohttp_web
from pydantic import ValidationError
from textual_serve.download_manager import DownloadManager

from ptacl_app.desktop.choice import CohortChoice
from ptacl_app.desktop.instance import SECRET_HEADER
from ptacl_app.desktop.orders import read_order, read_wish, tell_page, understand_drop
from ptacl_app.desktop.recent import WindowPlace
from ptacl_app.desktop.saving import save_delivery
from ptacl_app.desktop.window import Kind, Window
from ptacl_app.desktop.wishes import understand
from ptacl_app.text.formatting import safe
from ptacl_app.web.dropped_files import DroppedFiles
from ptacl_app.web.guard import COOKIE, SessionGuard
from ptacl_core.errors import ConfigError

START_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class WindowSite:
    """The handlers; `ptacl-app web` has none of them."""

    def __init__(
        self,
        guard: SessionGuard,
        choice: CohortChoice,
        window: Window,
        *,
        secret: str,
        keep_place: Callable[[WindowPlace], None],
    ) -> None:
        self._guard, self._choice, self._window = guard, choice, window
        self._secret, self._keep_place = secret, keep_place
        self._dropped = DroppedFiles()
        self._downloads: DownloadManager | None = None
        self._is_asking = asyncio.Lock()

    def add_to(self, application: aiohttp_web.Application, downloads: DownloadManager) -> None:
        """Add the routes; `downloads` holds what apps deliver."""
        self._downloads = downloads
        routes: list[tuple[str, str, Callable[..., Awaitable[aiohttp_web.Response]]]] = [
            ("GET", "/start", self.show_start),
            ("GET", "/start.js", self.show_script),
            ("GET", "/window.js", self.show_script),
            ("GET", "/state", self.show_state),
            ("POST", "/open", self.open_cohort),
            ("POST", "/open/example", self.open_example),
            ("POST", "/open/files", self.open_files),
            ("POST", "/dialog/{kind}", self.show_dialog),
            ("POST", "/save/{key}", self.save),
            ("POST", "/place", self.note_place),
            ("POST", "/raise", self.raise_first),
        ]
        for method, path, handler in routes:
            application.router.add_route(method, path, handler)

        async def remove_dropped(_: aiohttp_web.Application) -> None:
            self._dropped.remove()

        application.on_cleanup.append(remove_dropped)

    async def show_start(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """The page before a cohort is open."""
        self._check(request)
        return aiohttp_web.Response(
            text=self._fill(_read("start.html")),
            content_type="text/html",
            headers={"Content-Security-Policy": START_POLICY},
        )

    async def show_script(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """The scripts of the start page, and of the app's page in a window."""
        self._check(request)
        script = _read(request.path.removeprefix("/"))
        return aiohttp_web.Response(text=self._fill(script), content_type="text/javascript")

    async def show_state(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """What is being opened, what went wrong, what was opened last."""
        self._check(request)
        return aiohttp_web.Response(
            text=json.dumps(self._choice.describe()), content_type="application/json"
        )

    async def open_cohort(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """A cohort by the path that was typed, or opened before."""
        self._check(request, is_change=True)
        given = (await read_order(request)).get("cohort")
        if not isinstance(given, str) or not given or "\0" in given:
            raise aiohttp_web.HTTPBadRequest(text="expected the folder of a cohort")
        with tell_page():
            wish = understand([Path(given)])
            if wish.cohort is None:
                raise ConfigError(f"{safe(given)}: expected a cohort directory, got a file")
            self._choice.begin(wish)
        return aiohttp_web.Response(status=204)

    async def open_example(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Simulated patients."""
        self._check(request, is_change=True)
        with tell_page():
            self._choice.begin_example()
        return aiohttp_web.Response(status=202)

    async def open_files(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """ECG files and a packed model, dropped on the start page or chosen in a browser."""
        self._check(request, is_change=True)
        if not request.content_type.startswith("multipart/"):
            raise aiohttp_web.HTTPBadRequest(text="expected files")
        with tell_page():
            saved = await self._dropped.save_all(await request.multipart())
            self._choice.begin(understand_drop(saved))
        return aiohttp_web.Response(status=202)

    async def show_dialog(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Ask for a cohort, ECG files or a model by the native dialog, and open what is chosen."""
        self._check(request, is_change=True)
        if not self._window.has_dialogs or request.match_info["kind"] not in set(Kind):
            raise aiohttp_web.HTTPNotFound
        kind = Kind(request.match_info["kind"])
        with tell_page():
            chosen = await self._ask(lambda: self._window.ask_to_open(kind))
            self._choice.begin(understand(chosen or ()))
        return aiohttp_web.Response(status=202 if chosen else 204)

    async def save(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """What the app delivers goes where the native dialog says."""
        self._check(request, is_change=True)
        if not self._window.has_dialogs or self._downloads is None:
            raise aiohttp_web.HTTPNotFound
        with tell_page():
            path = await save_delivery(
                self._downloads,
                request.match_info["key"],
                lambda name: self._ask(lambda: self._window.ask_where_to_save(name)),
            )
        return aiohttp_web.Response(
            text="" if path is None else f"Saved as {safe(path, max_length=300)}"
        )

    async def note_place(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """Where a browser's window stands; a native one says so itself."""
        self._check(request, is_change=True)
        order = await read_order(request)
        try:
            place = WindowPlace.model_validate_json(json.dumps(order))
        except ValidationError:
            raise aiohttp_web.HTTPBadRequest(text="expected the place of a window") from None
        if not self._window.has_dialogs:
            self._keep_place(place)
        return aiohttp_web.Response(status=204)

    async def raise_first(self, request: aiohttp_web.Request) -> aiohttp_web.Response:
        """A second start of the same user; a page cannot know the secret."""
        given = request.headers.get(SECRET_HEADER, "")
        if request.host != self._guard.authority or not hmac.compare_digest(
            given.encode(), self._secret.encode()
        ):
            raise aiohttp_web.HTTPForbidden(text="expected the secret of the open window")
        order = await read_order(request)
        with tell_page():
            wish = read_wish(order)
            if not self._window.bring_to_front():
                raise aiohttp_web.HTTPConflict(
                    text="a window of PTACL is open already, which cannot be raised from here"
                )
            number = self._choice.number
            self._choice.begin(wish)
        if not wish.is_empty:
            page = f"{self._guard.origin}/start?after={number}"
            await asyncio.to_thread(self._window.go_to, page)
        return aiohttp_web.Response(status=204)

    def _check(self, request: aiohttp_web.Request, *, is_change: bool = False) -> None:
        is_ours = self._guard.accepts_request(request.host, request.cookies.get(COOKIE, ""))
        origin = request.headers.get("Origin", "")
        if not is_ours or (is_change and origin != self._guard.origin):
            raise aiohttp_web.HTTPForbidden(text="not from the page of this window")

    def _fill(self, text: str) -> str:
        return text.replace("HAS_DIALOGS", "true" if self._window.has_dialogs else "false")

    async def _ask(self, ask: Callable[[], Any]) -> Any:
        """One dialog at a time, in a thread. Raises ConfigError while another is open."""
        if self._is_asking.locked():
            raise ConfigError("a dialog is open already")
        async with self._is_asking:
            return await asyncio.to_thread(ask)


def _read(name: str) -> str:
    return files("ptacl_app.desktop").joinpath(name).read_text(encoding="utf-8")
