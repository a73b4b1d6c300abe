#!/usr/bin/env python3
"""See iTerm2's inline images by eye: the app's bytes in xterm.js inside headless Chromium.

    npm install --prefix FOLDER @xterm/xterm @xterm/addon-image
    scripts/checks/app_xtermjs.py COHORT PATIENT OUT --modules FOLDER/node_modules

The patient screen runs on a pseudo-terminal of 146×40 cells; what it writes while the heart plays,
under a dialog, and after a resize is given to a terminal in a page, whose picture is taken:
OUT/xtermjs_play.png, _dialog.png, _closed.png, _small.png. Needs Debian's chromium; it is a
check and no part of the app.
"""

import argparse
import asyncio
import base64
import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientWebSocketResponse

SIZE, SMALL = (146, 40), (124, 36)
CELL_PX = (9, 18)
START_S, STEP_S, QUIET_S = 20.0, 5.0, 0.15
DEBUG_PORT = 9341
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="xterm.css">
<style>body { margin: 0; background: #000 }</style><div id="t"></div>
<script src="xterm.js"></script><script src="addon-image.js"></script><script>
const term = new Terminal({fontSize: 15, fontFamily: "DejaVu Sans Mono", allowProposedApi: true});
term.loadAddon(new ImageAddon.ImageAddon());
term.open(document.getElementById("t"));
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
async function show(columns, rows, text) {
  term.resize(columns, rows);
  await new Promise(done => term.write(bytes(text), done));
  await new Promise(done => setTimeout(done, 1500));
  return "shown";
}
</script>"""


class Recorder:
    """The app on a pseudo-terminal, and every byte that it writes."""

    def __init__(self, cohort: Path, patient: str, state: Path) -> None:
        self.master, slave = pty.openpty()
        self.stages: list[tuple[int, int, bytes]] = []
        self.resize(SIZE)
        environment = os.environ | {
            "TERM": "xterm-256color", "COLORTERM": "truecolor", "XDG_STATE_HOME": str(state),
            "XDG_CONFIG_HOME": str(state),
        }  # fmt: skip
        command = [sys.executable, "-m", "ptacl_app", str(cohort), "--patient", patient]
        self.process = subprocess.Popen(
            [*command, "--graphics", "iterm", "--fps", "3"], env=environment,
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def resize(self, size: tuple[int, int]) -> None:
        """Tell cells and pixels; the app hears of it."""
        columns, rows = self.size = size
        pixels = (columns * CELL_PX[0], rows * CELL_PX[1])
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, *pixels))

    def read(self, duration_s: float) -> None:
        """Keep what is written for so long, and to the end of the frame under way, as a stage."""
        written, until_s = bytearray(), time.monotonic() + duration_s
        is_ready = True
        while is_ready or time.monotonic() < until_s:
            is_ready = bool(select.select([self.master], [], [], QUIET_S)[0])
            if is_ready:
                written += os.read(self.master, 1 << 16)
        self.stages.append((*self.size, bytes(written)))

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.master, keys)


async def take_pictures(stages: dict[str, tuple[int, int, bytes]], folder: Path, out: Path) -> None:
    """Give the stages to one terminal in a page; keep what is seen after each."""
    (folder / "page.html").write_text(PAGE)
    browser = subprocess.Popen(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}",
         "--window-size=1340,880", f"--remote-debugging-port={DEBUG_PORT}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with ClientSession() as session:
            place = await find_tab(session)
            async with session.ws_connect(place, max_msg_size=100_000_000) as socket:
                await call(socket, 1, "Page.navigate", url=(folder / "page.html").as_uri())
                await asyncio.sleep(STEP_S)
                for number, (name, stage) in enumerate(stages.items(), start=1):
                    columns, rows, data = stage
                    text = base64.b64encode(data).decode()
                    answer = await call(
                        socket, 2 * number, "Runtime.evaluate", awaitPromise=True,
                        returnByValue=True, expression=f'show({columns}, {rows}, "{text}")',
                    )  # fmt: skip
                    seen = answer["result"].get("value")
                    picture = await call(socket, 2 * number + 1, "Page.captureScreenshot")
                    path = out / f"xtermjs_{name}.png"
                    path.write_bytes(base64.b64decode(picture["data"]))
                    sys.stdout.write(f"{path.name}: {seen}, {len(data)} bytes\n")
    finally:
        browser.terminate()
        browser.wait()


async def find_tab(session: ClientSession) -> str:
    """The address of the page's debugging socket, once the browser is there."""
    for _ in range(300):
        with contextlib.suppress(ClientConnectionError):
            tabs = await (await session.get(f"http://127.0.0.1:{DEBUG_PORT}/json")).json()
            return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        await asyncio.sleep(0.2)
    raise SystemExit("chromium did not start")


async def call(
    socket: ClientWebSocketResponse, number: int, method: str, **parameters: Any
) -> dict[str, Any]:
    """The answer to one call of the debugging protocol; events between are left aside."""
    await socket.send_json({"id": number, "method": method, "params": parameters})
    while True:
        message = await socket.receive_json()
        if message.get("id") == number:
            return dict(message.get("result", {}))


def main() -> None:
    """Record the stages, then show them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohort", type=Path)
    parser.add_argument("patient")
    parser.add_argument("out", type=Path)
    parser.add_argument("--modules", type=Path, required=True)
    parser.add_argument("--start-s", type=float, default=START_S)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scoped = arguments.modules / "@xterm"
        for source in ("xterm/lib/xterm.js", "xterm/css/xterm.css",
                       "addon-image/lib/addon-image.js"):  # fmt: skip
            shutil.copy(scoped / source, folder)
        recorder = Recorder(arguments.cohort.absolute(), arguments.patient, folder / "state")
        try:
            recorder.read(arguments.start_s)
            recorder.press(b"?")
            recorder.read(STEP_S)
            recorder.press(b"\x1b")
            recorder.read(STEP_S)
            recorder.resize(SMALL)
            recorder.process.send_signal(signal.SIGWINCH)  # it has no controlling terminal
            recorder.read(STEP_S)
        finally:
            recorder.process.kill()
        names: tuple[str, ...] = ("play", "dialog", "closed", "small")
        stages: dict[str, tuple[int, int, bytes]] = dict(zip(names, recorder.stages, strict=True))
        asyncio.run(take_pictures(stages, folder, arguments.out))


if __name__ == "__main__":
    main()
