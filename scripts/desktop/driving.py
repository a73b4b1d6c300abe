"""A window that is driven: mouse and keyboard act on the screen, DevTools only read the page."""

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession

from ptacl_app.desktop.window import TITLE
from scripts.desktop.installed import Installed
from scripts.desktop.screen import Place, Screen
from tests.integration.chromium import Browser, Tab

READ_TEXT = """[...document.querySelectorAll('.xterm-rows > div')]
    .map((row) => row.textContent.replaceAll('\\u00a0', ' ')).join('\\n')"""
PANES = """[...document.querySelectorAll('.picture')].map((each) => {
    const box = each.getBoundingClientRect();
    return [each.getAttribute('aria-label'), box.left, box.top, box.width, box.height];
})"""


DIALOG_S = 0.7


class Driven:
    """One window on a screen."""

    def __init__(self, screen: Screen, window: str, tab: Tab) -> None:
        self.screen, self.window, self.tab = screen, window, tab
        self.start_s = 0.0
        """From the menu entry to the window."""

    @property
    def place(self) -> Place:
        """Where the window's inside lies, with its menu."""
        return self.screen.place_of(self.window)

    async def to_screen(self, x: float, y: float) -> tuple[int, int]:
        """A place of the page → of the screen."""
        place = self.place
        page_height = await self.tab.evaluate("innerHeight")
        return place.left + round(x), place.top + place.height - page_height + round(y)

    async def click_on(self, selector: str) -> None:
        """Click what a selector finds."""
        x, y = await self.tab.evaluate(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        await self.screen.click(*await self.to_screen(x, y))

    async def read(self) -> str:
        """The text of the app."""
        return str(await self.tab.evaluate(READ_TEXT))

    async def wait_for_text(self, expression: str, *, timeout_s: float = 40) -> re.Match[str]:
        """Until the app shows it; the match. AssertionError with what it shows instead."""
        text = ""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    text = await self.read()
                    match = re.search(expression, text)
                    if match:
                        return match
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{expression!r} did not appear; the app shows\n{text}") from None

    async def find_pane(self, begins: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of a picture in the page, by how its label begins."""
        async with asyncio.timeout(60):
            while True:
                for label, *box in await self.tab.evaluate(PANES):
                    if label.startswith(begins):
                        left, top, width, height = box
                        return left, top, width, height
                await asyncio.sleep(0.1)

    async def choose(self, title: str, path: Path) -> None:
        """Type a path into the native dialog of this title."""
        await self.screen.wait_for(title)
        await asyncio.sleep(DIALOG_S)
        await self.screen.type(str(path))
        await asyncio.sleep(DIALOG_S)  # its completer looks at the folder
        await self.screen.press("Return")
        await self.screen.wait_until_gone(title)


def find_free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@asynccontextmanager
async def open_window(installed: Installed, screen: Screen, *files: Path) -> AsyncIterator[Driven]:
    """Start it from its menu entry, and look into its page."""
    port = find_free_port()
    began_s = time.monotonic()
    launcher = installed.launch(screen, *files, devtools_port=port)
    window = await screen.wait_for(f"^{TITLE}$")
    start_s = time.monotonic() - began_s
    async with ClientSession() as session:
        driven = Driven(screen, window, await Browser(session, port).take_first())
        driven.start_s = start_s
        launcher.wait(30)
        yield driven


async def wait_for_end(installed: Installed, *, timeout_s: float = 30) -> dict[str, object]:
    """Until no process of the environment is left; what is left then."""
    try:
        async with asyncio.timeout(timeout_s):
            while installed.family():
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    return {
        "processes": [process.name() for process in installed.family()],
        "ports": installed.list_ports(),
    }
