"""Headless Chromium by its DevTools protocol: open tabs, press keys, see what sockets carry."""

import asyncio
import base64
import io
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from aiohttp import ClientConnectionError, ClientSession, ClientWebSocketResponse
from PIL import Image

from ptacl_core.arrays import Array, UInt8

START_TIMEOUT_S = 60


class Tab:
    """One page; `received` holds what its web sockets were sent since the last `forget`."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self.received = b""
        self.sent: list[str] = []
        self.socket_address = ""
        self._reading = asyncio.ensure_future(self._read())

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol; its result."""
        self._number += 1
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, 60)

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def press(self, key: str) -> None:
        """A printable key, Enter or Escape."""
        named: dict[str, object] = {
            "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"},
            "Escape": {"windowsVirtualKeyCode": 27},
        }.get(key, {"text": key})
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **named)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def paste(self) -> None:
        """Ctrl+V, as a person presses it."""
        key = {"key": "v", "code": "KeyV", "windowsVirtualKeyCode": 86, "modifiers": 2}
        await self.call("Input.dispatchKeyEvent", type="keyDown", commands=["paste"], **key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def point(
        self, x: float, y: float, *, kind: str = "mouseMoved", button: str = ""
    ) -> None:
        """The mouse at a place of the page: moved, `mousePressed`, `mouseReleased`."""
        held = {"left": 1}.get(button, 0) if kind != "mouseReleased" else 0
        await self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button or "none", buttons=held,
            clickCount=0 if kind == "mouseMoved" else 1,
        )  # fmt: skip

    async def click(self, x: float, y: float) -> None:
        """The left button, at a place of the page."""
        await self.point(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            await self.point(x, y, kind=kind, button="left")

    async def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """From one place to another, in steps."""
        await self.point(*start)
        await self.point(*start, kind="mousePressed", button="left")
        for share in (0.25, 0.5, 0.75, 1.0):
            x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
            await self.point(x, y, button="left")
        await self.point(*end, kind="mouseReleased", button="left")

    async def take_picture(self) -> UInt8[Array, "row column rgba"]:
        """What a person sees of the page."""
        answer = await self.call("Page.captureScreenshot", format="png")
        return _decode(answer["data"])

    async def read_canvas(self, selector: str) -> UInt8[Array, "row column rgba"]:
        """The pixels of a canvas."""
        url = await self.evaluate(f"document.querySelector({selector!r}).toDataURL('image/png')")
        return _decode(url.partition(",")[2])

    async def grow_quiet(self, quiet_s: float = 0.6) -> None:
        """Until nothing has come for a while."""
        before = -1
        async with asyncio.timeout(60):
            while before != len(self.received):
                before = len(self.received)
                await asyncio.sleep(quiet_s)

    async def wait_for(self, words: bytes, *, timeout_s: float = 60) -> None:
        """Until a web socket has sent `words`."""
        async with asyncio.timeout(timeout_s):
            while words not in self.received:
                await asyncio.sleep(0.01)

    async def wait_until(self, expression: str, *, timeout_s: float = 60) -> None:
        """Until an expression is true in the page."""
        async with asyncio.timeout(timeout_s):
            while not await self.evaluate(expression):
                await asyncio.sleep(0.05)

    def forget(self) -> None:
        """Begin to collect anew."""
        self.received, self.sent = b"", []

    async def close(self) -> None:
        """Close the page."""
        await self.call("Page.close")
        self._reading.cancel()
        await self._socket.close()

    async def _read(self) -> None:
        async for message in self._socket:
            event = json.loads(message.data)
            if "id" in event:
                answer = self._answers.pop(event["id"])
                answer.set_result(event.get("result", {"error": event.get("error")}))
            elif event["method"] == "Network.webSocketFrameReceived":
                frame = event["params"]["response"]
                if frame["opcode"] == 2:
                    self.received += base64.b64decode(frame["payloadData"])
            elif event["method"] == "Network.webSocketCreated":
                self.socket_address = event["params"]["url"]
            elif event["method"] == "Network.webSocketFrameSent":
                self.sent.append(event["params"]["response"]["payloadData"])


def _decode(png: str) -> UInt8[Array, "row column rgba"]:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA"))


class Browser:
    """A running Chromium with a profile of its own."""

    def __init__(self, session: ClientSession, port: int) -> None:
        self._session = session
        self._origin = f"http://127.0.0.1:{port}"

    async def open(self, address: str) -> Tab:
        """A new tab at `address`."""
        async with self._session.put(f"{self._origin}/json/new?about:blank") as answer:
            target = await answer.json(content_type=None)
        tab = await self._attach(target)
        await tab.call("Page.navigate", url=address)
        return tab

    async def take_first(self) -> Tab:
        """The tab that the browser was started with."""
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                try:
                    async with self._session.get(f"{self._origin}/json/list") as answer:
                        targets = await answer.json(content_type=None)
                    pages = [target for target in targets if target["type"] == "page"]
                    if pages:
                        return await self._attach(pages[0])
                except ClientConnectionError:  # it has not begun to listen
                    await asyncio.sleep(0.2)
                    continue
                await asyncio.sleep(0.1)

    async def _attach(self, target: dict[str, str]) -> Tab:
        socket = await self._session.ws_connect(
            target["webSocketDebuggerUrl"], max_msg_size=2**28, origin=None
        )
        tab = Tab(socket)
        for domain in ("Network", "Page", "Runtime"):
            await tab.call(f"{domain}.enable")
        return tab


@asynccontextmanager
async def run_chromium(folder: Path, *, density: float = 1.0) -> AsyncIterator[Browser]:
    """Headless, without its sandbox (tests may run as root); pixels of the screen per CSS pixel."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "chromium is not installed: scripts/integration installs it"
    process = await asyncio.create_subprocess_exec(
        program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--window-size=1280,800",
        f"--force-device-scale-factor={density:g}", "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port_file = folder / "DevToolsActivePort"
        async with asyncio.timeout(START_TIMEOUT_S):
            while not port_file.exists() or not port_file.read_text().strip():
                await asyncio.sleep(0.05)
        port = int(port_file.read_text().split()[0])
        async with ClientSession() as session:
            yield Browser(session, port)
    finally:
        process.terminate()
        await process.wait()
