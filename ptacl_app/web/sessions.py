"""Apps of browser tabs. A tab that reloads, or whose connection broke, finds its app again."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ptacl_app.terminal.page import CELL_VARIABLE, DRIVER
from ptacl_app.web.dropped_files import DroppedFiles
from ptacl_app.web.page_messages import Drawn, Focused, PageSize, Typed, read_message
from ptacl_core.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web as aiohttp_web
    from textual_serve.download_manager import DownloadManager

GRACE_S = 20.0
"""How long an app waits for its tab to come back."""
END_DEADLINE_S = 5.0
POLICY_VIOLATION = 1008
"""The web socket's word for a message that is not allowed."""

_MODE = re.compile(rb"\x1b\[\?(\d+)([hl])")
_NAME = re.compile(r"[0-9a-f]{32}")


def is_app_name(name: str) -> bool:
    """Whether a page may call its app so."""
    return _NAME.fullmatch(name) is not None


class BrowserApp:
    """A running app, and the page that shows it; none while the page reloads."""

    def __init__(self, command: str, downloads: "DownloadManager") -> None:
        from textual_serve.app_service import AppService

        class PageService(AppService):
            cell_px: tuple[int, int] = (0, 0)

            def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
                environment = super()._build_environment(width, height)
                environment["TEXTUAL_DRIVER"] = DRIVER
                environment.pop(CELL_VARIABLE, None)
                if self.cell_px != (0, 0):
                    environment[CELL_VARIABLE] = "{}x{}".format(*self.cell_px)
                return environment

        self.service = PageService(
            command,
            write_bytes=self._write_bytes,
            write_str=self._write_text,
            close=self._close,
            download_manager=downloads,
        )
        self.has_ended = False
        self.dropped = DroppedFiles()
        self._page: aiohttp_web.WebSocketResponse | None = None
        self._modes: dict[bytes, bytes] = {}

    @property
    def is_shown(self) -> bool:
        """Whether a page shows it."""
        return self._page is not None

    async def start(self, page: "aiohttp_web.WebSocketResponse", size: PageSize) -> None:
        """Start the process and show it in `page`."""
        self._page = page
        self.service.cell_px = size.cell_px
        await self.service.start(size.columns, size.rows)
        await self._tell_size(size)
        task = self.service._task  # pyright: ignore[reportPrivateUsage] - nothing else tells its end
        assert task is not None
        task.add_done_callback(self._note_end)

    async def show_again(self, page: "aiohttp_web.WebSocketResponse", size: PageSize) -> None:
        """Show it in a new terminal: its modes first, then the whole screen.

        The app draws everything again when it is told its size.
        """
        before, self._page = self._page, page
        if before is not None:
            await before.close()
        await page.send_bytes(b"".join(self._modes.values()))
        await self._tell_size(size)

    async def listen(self, page: "aiohttp_web.WebSocketResponse") -> None:
        """Pass on what the page says until it goes; what it may not say ends the connection."""
        async for message in page:
            try:
                if not isinstance(message.data, str):
                    raise ConfigError("page: expected text")
                said = read_message(message.data)
            except ConfigError as error:
                await page.close(code=POLICY_VIOLATION, message=str(error).encode()[:120])
                return
            match said:
                case Typed(text):
                    await self.service.send_bytes(text.encode())
                case Drawn(number):
                    await self.service.send_meta({"type": "drawn", "number": number})
                case Focused(has_focus):
                    await (self.service.focus() if has_focus else self.service.blur())
                case PageSize():
                    await self._tell_size(said)

    async def _tell_size(self, size: PageSize) -> None:
        if size.has_pixels:
            await self.service.send_bytes(size.write_report())
        else:
            await self.service.set_terminal_size(size.columns, size.rows)

    async def paste(self, text: str) -> None:
        """Type `text` as a terminal pastes it: what is dropped on one."""
        await self.service.send_bytes(b"\x1b[200~%s\x1b[201~" % text.encode())

    def leave(self, page: "aiohttp_web.WebSocketResponse") -> bool:
        """`page` is gone; says whether no other page shows the app."""
        if self._page is page:
            self._page = None
        return self._page is None

    async def end(self) -> None:
        """End the process and wait for it: a closed page leaves nothing behind.

        textual-serve 1.1 asks the app to quit but neither waits for the process nor ends one
        that does not answer; the process is a private field of it.
        """
        process = self.service._process  # pyright: ignore[reportPrivateUsage] - see above
        if process is not None:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), END_DEADLINE_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()
            if process.stdin is not None:
                process.stdin.close()
        await self.service.stop()
        self.dropped.remove()

    def _note_end(self, _: object) -> None:
        self.has_ended = True

    async def _write_bytes(self, data: bytes) -> None:
        """What is drawn while no page is there is drawn again for the next."""
        for match in _MODE.finditer(data):
            self._modes[match[1]] = match[0]
        await self._send(lambda page: page.send_bytes(data))

    async def _write_text(self, text: str) -> None:
        await self._send(lambda page: page.send_str(text))

    async def _send(
        self, send: "Callable[[aiohttp_web.WebSocketResponse], Awaitable[None]]"
    ) -> None:
        """To the page that is there; one whose connection has just broken is no longer."""
        page = self._page
        if page is None or page.closed:
            return
        try:
            await send(page)
        except ConnectionError:
            self.leave(page)

    async def _close(self) -> None:
        self.has_ended = True
        if self._page is not None:
            await self._page.close()


class BrowserApps:
    """All apps by the name that their tab gave them. `count` is told each change."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._apps: dict[str, BrowserApp] = {}
        self._count = count
        self._ending: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, asyncio.Task[None]] = {}

    def find(self, name: str) -> BrowserApp | None:
        """The running app of this name."""
        app = self._apps.get(name)
        return None if app is None or app.has_ended else app

    def add(self, name: str, app: BrowserApp) -> None:
        """A new app; one of the same name that has ended gives way."""
        former = self._apps.pop(name, None)
        if former is not None:
            self._end(former)
        self._apps[name] = app
        self._tell()

    def keep(self, name: str) -> None:
        """The tab is back: its app is not ended."""
        waiting = self._waiting.pop(name, None)
        if waiting is not None:
            waiting.cancel()

    def release(self, name: str, *, grace_s: float) -> None:
        """The tab is gone: end its app unless it comes back within `grace_s` seconds."""
        app = self._apps.get(name)
        if app is None:
            return
        if grace_s == 0 or app.has_ended:
            self._drop(name)
            return
        self.keep(name)
        self._waiting[name] = asyncio.ensure_future(self._drop_later(name, grace_s))

    async def make_room(self) -> None:
        """End the app that has waited longest for its tab, if there is one."""
        name = next(iter(self._waiting), None)
        if name is not None:
            self.keep(name)
            self._drop(name)
            await asyncio.wait(self._ending)

    async def end_all(self) -> None:
        """End every app and wait for all of them."""
        for name in list(self._apps):
            self.keep(name)
            self._drop(name)
        if self._ending:
            await asyncio.wait(self._ending)

    async def _drop_later(self, name: str, grace_s: float) -> None:
        await asyncio.sleep(grace_s)
        del self._waiting[name]
        self._drop(name)

    def _drop(self, name: str) -> None:
        self._end(self._apps.pop(name))

    def _end(self, app: BrowserApp) -> None:
        # a task of its own: the handler that calls is cancelled when the browser goes
        ending = asyncio.ensure_future(app.end())
        self._ending.add(ending)
        ending.add_done_callback(self._forget)

    def _forget(self, ending: asyncio.Task[None]) -> None:
        self._ending.discard(ending)
        self._tell()

    def _tell(self) -> None:
        self._count(len(self._apps) + len(self._ending))
