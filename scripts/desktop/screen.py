"""A screen without a monitor: Xvfb, a window manager, a mouse, a keyboard, pictures of it."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("Xvfb", "openbox", "xdotool", "import", "xwininfo")
SETTLE_S = 0.15
NO_WORDS = subprocess.DEVNULL


@dataclass(frozen=True)
class Place:
    """Where a window's inside lies on the screen, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def at(self, across: float, down: float) -> tuple[int, int]:
        """A point by its shares of width and height."""
        return self.left + int(across * self.width), self.top + int(down * self.height)


class Screen:
    """One display; what is done on it goes through X as a person's hand would."""

    def __init__(self, display: str) -> None:
        self.display = display
        self.variables = {**os.environ, "DISPLAY": display}
        self.variables.pop("WAYLAND_DISPLAY", None)

    def do(self, *words: object) -> str:
        """One command of xdotool; what it printed."""
        finished = subprocess.run(
            ["xdotool", *map(str, words)], env=self.variables, capture_output=True, text=True,
            check=False, timeout=30,
        )  # fmt: skip
        return finished.stdout.strip()

    async def click(self, x: int, y: int) -> None:
        """Move there and click."""
        self.do("mousemove", x, y, "click", 1)
        await asyncio.sleep(SETTLE_S)

    async def drag(self, start: tuple[int, int], end: tuple[int, int], *, steps: int = 12) -> None:
        """Press, move in steps, let go."""
        self.do("mousemove", *start, "mousedown", 1)
        await self._move(start, end, steps=steps, pause_s=0.03)
        await asyncio.sleep(SETTLE_S)
        self.do("mouseup", 1)
        await asyncio.sleep(SETTLE_S)

    async def drag_between_windows(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """The same, slower: two programs answer each other at every step; then a little about."""
        self.do("mousemove", *start, "mousedown", 1)
        await self._move(start, end, steps=25, pause_s=0.08)
        beside = (end[0] + 12, end[1])
        await self._move(end, beside, steps=12, pause_s=0.08)
        await asyncio.sleep(0.5)
        self.do("mouseup", 1)
        await asyncio.sleep(SETTLE_S)

    async def _move(
        self, start: tuple[int, int], end: tuple[int, int], *, steps: int, pause_s: float
    ) -> None:
        for step in range(1, steps + 1):
            x, y = (a + step / steps * (b - a) for a, b in zip(start, end, strict=True))
            self.do("mousemove", round(x), round(y))
            await asyncio.sleep(pause_s)

    async def type(self, text: str) -> None:
        """Type a text."""
        self.do("type", "--delay", 30, text)
        await asyncio.sleep(SETTLE_S)

    async def press(self, *keys: str) -> None:
        """Press keys by their X names."""
        self.do("key", *keys)
        await asyncio.sleep(SETTLE_S)

    def find(self, title: str) -> list[str]:
        """Windows that are shown, by their title (an expression)."""
        return self.do("search", "--onlyvisible", "--name", title).split()

    async def wait_for(self, title: str, *, timeout_s: float = 60) -> str:
        """The window of this title, as soon as it is shown. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not (windows := self.find(title)):
                await asyncio.sleep(0.05)
        return windows[-1]

    async def wait_until_gone(self, title: str, *, timeout_s: float = 60) -> None:
        """Until no window has this title. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while self.find(title):
                await asyncio.sleep(0.05)

    def place_of(self, window: str) -> Place:
        """Where a window lies."""
        answer = subprocess.run(
            ["xwininfo", "-id", window], env=self.variables, capture_output=True, text=True,
            check=True,
        ).stdout  # fmt: skip
        values = dict(line.strip().split(":", 1) for line in answer.splitlines() if ":" in line)
        names = ("Absolute upper-left X", "Absolute upper-left Y", "Width", "Height")
        return Place(*(int(values[name]) for name in names))

    def picture(self, path: Path, *, width_px: int = 760, colours: int = 32) -> None:
        """The screen as a small PNG."""
        subprocess.run(
            ["import", "-window", "root", "-resize", f"{width_px}x", "+dither", "-colors",
             str(colours), "-strip", str(path)],
            env=self.variables, check=True,
        )  # fmt: skip


@contextmanager
def open_screen(*, width_px: int = 1400, height_px: int = 950) -> Iterator[Screen]:
    """A display of its own, with a window manager, ended with the block."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"not installed: {', '.join(missing)}"
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{width_px}x{height_px}x24",
         "-nolisten", "tcp"],
        pass_fds=[writing], stdout=NO_WORDS, stderr=NO_WORDS,
    )  # fmt: skip
    os.close(writing)
    with os.fdopen(reading) as stream:
        number = stream.readline().strip()
    assert number, "Xvfb did not start"
    screen = Screen(f":{number}")
    manager = subprocess.Popen(
        ["openbox", "--sm-disable"], env=screen.variables, stdout=NO_WORDS, stderr=NO_WORDS
    )
    time.sleep(0.5)
    try:
        yield screen
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait()
