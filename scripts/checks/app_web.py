#!/usr/bin/env python3
"""`ptacl-app web` in a real headless Chromium: what is seen, what is refused, a picture.

    python scripts/checks/app_web.py COHORT [--browser chromium] [--picture assets/app_web.png]

The browser is driven through its own debugging port. Held: the page opens with its token and shows
a patient; nothing is fetched from elsewhere; scripts cannot read the cookie; the page by another
host name, without the token, and the socket from another origin are refused. Exit status 1
otherwise.
"""

import argparse
import asyncio
import base64
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientWebSocketResponse

ROOT = Path(__file__).resolve().parents[2]
APP_PORT, DEBUG_PORT = 8759, 9339
SCRIPT = "import sys; from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
FETCHED = 'performance.getEntriesByType("resource").map(e => e.name).join("\\n")'
OPEN_SOCKET = """new Promise(answer => {
    const socket = new WebSocket("%s");
    socket.onopen = () => answer("open");
    socket.onerror = () => answer("refused");
})"""


class Page:
    """One tab, by the browser's debugging protocol."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one call; events between are left aside."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_json(call)
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._number:
                return message.get("result", {})

    async def go(self, url: str, *, wait_s: float) -> None:
        """Open a page and give it time."""
        await self.call("Page.navigate", url=url)
        await asyncio.sleep(wait_s)

    async def ask(self, expression: str) -> str:
        """The value of an expression of the page."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        return str(answer["result"].get("value", ""))

    async def press_enter(self) -> None:
        """Into the terminal of the page."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def click(self, x: int, y: int) -> None:
        """The left button."""
        place = {"x": x, "y": y, "button": "left", "clickCount": 1}
        await self.call("Input.dispatchMouseEvent", type="mousePressed", **place)
        await self.call("Input.dispatchMouseEvent", type="mouseReleased", **place)

    async def save_picture(self, path: Path) -> int:
        """A PNG of what is seen; its bytes."""
        answer = await self.call("Page.captureScreenshot", format="png")
        return path.write_bytes(base64.b64decode(answer["data"]))


async def check(url: str, picture: Path) -> dict[str, bool]:
    """Each promise, and whether it held."""
    address = url.split("/?", 1)[0]
    async with ClientSession() as session:
        debugger = f"http://127.0.0.1:{DEBUG_PORT}/json"
        tabs = []
        for _ in range(100):
            with contextlib.suppress(ClientConnectionError):
                tabs = await (await session.get(debugger)).json()
                break
            await asyncio.sleep(0.2)
        place = next(tab for tab in tabs if tab["type"] == "page")["webSocketDebuggerUrl"]
        async with session.ws_connect(place, max_msg_size=100_000_000) as socket:
            page = Page(socket)
            await page.go(url, wait_s=8.0)
            empty = await page.save_picture(picture)
            await page.click(300, 100)
            await page.press_enter()
            await asyncio.sleep(5.0)
            num_bytes = await page.save_picture(picture)
            fetched = (await page.ask(FETCHED)).splitlines()
            cookie = await page.ask("document.cookie")
            shown = await page.ask("location.href")
            await page.go(address.replace("127.0.0.1", "localhost"), wait_s=1.0)
            by_name = await page.ask("document.body.innerText")
            await page.go("about:blank", wait_s=0.5)
            socket_url = address.replace("http", "ws") + "/ws?width=80&height=24"
            foreign = await page.ask(OPEN_SOCKET % socket_url)
    return {
        "the page shows the app": min(empty, num_bytes) > 20_000,
        "the token is out of the address once the page is open": "token" not in shown,
        f"all {len(fetched)} resources come from the same address": bool(fetched)
        and all(url.startswith(address) for url in fetched),
        "scripts cannot read the cookie": cookie == "",
        "another host name is refused": "whole address" in by_name,
        "a socket from another origin is refused": foreign == "refused",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--picture", type=Path, default=ROOT / "assets" / "app_web.png")
    options = parser.parse_args()
    browser = shutil.which(options.browser)
    if browser is None:
        sys.exit(f"{options.browser}: there is no such browser")
    with tempfile.TemporaryDirectory() as profile:
        app = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-c",
                SCRIPT,
                "web",
                str(options.cohort),
                "--port",
                str(APP_PORT),
            ],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        chromium = subprocess.Popen(
            [
                browser, "--headless=new", "--no-sandbox", "--disable-gpu",
                f"--user-data-dir={profile}", "--window-size=1400,880",
                f"--remote-debugging-port={DEBUG_PORT}", "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert app.stderr is not None
            served = re.search(r"http://\S+", app.stderr.readline())
            if served is None:
                sys.exit("ptacl-app web printed no address")
            verdicts = asyncio.run(check(served.group(), options.picture))
        finally:
            for process in (chromium, app):
                process.terminate()
                process.wait()
    for words, is_held in verdicts.items():
        print(f"{'held' if is_held else 'MISSED':7}{words}")
    sys.exit(not all(verdicts.values()))


if __name__ == "__main__":
    main()
