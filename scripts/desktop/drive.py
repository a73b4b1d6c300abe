#!/usr/bin/env python
"""The window from its menu entry to its end, with the wheel installed into an empty home.

    nice -n 10 python scripts/desktop/drive.py COHORT ECG_FILE --pictures docs/pictures \
        --report PATH

COHORT is one of `ptacl demo`, ECG_FILE a public recording. Everything is done by mouse and keyboard
on a screen of its own (Xvfb, openbox); DevTools only read what the page shows. Exit status 1 when
a step does not show what it should.
"""

import argparse
import asyncio
import os
import platform as machine
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.desktop.driving import Driven, open_window, wait_for_end  # noqa: E402
from scripts.desktop.installed import Installed, build_wheel, install_wheel  # noqa: E402
from scripts.desktop.screen import Screen, open_screen  # noqa: E402
from scripts.desktop.steps import (  # noqa: E402
    SAVE_TITLE,
    ask_for_report,
    close_by_its_button,
    drop_files,
    measure_qt,
    open_cohort_by_dialog,
    open_patient,
    wait_for_start_page,
    watch_playback,
)

FIRST = "S000000"
NOTHING = {"processes": [], "ports": []}


class Drive:
    """The steps, one after another; what each showed is kept."""

    def __init__(self, installed: Installed, screen: Screen, pictures: Path) -> None:
        self.installed, self.screen, self.pictures = installed, screen, pictures
        self.lines: list[str] = []

    async def step(self, name: str, act: Callable[[], Awaitable[str]], picture: str = "") -> None:
        """Do it, say how long it took and what it showed, take a picture."""
        began_s = time.monotonic()
        showed = await act()
        self.lines.append(f"| {name} | {showed} | {time.monotonic() - began_s:.1f} s |")
        print(self.lines[-1], flush=True)
        if picture:
            await asyncio.sleep(0.5)
            self.screen.picture(self.pictures / f"desktop_{picture}.png")

    async def run(self, cohort: Path, recording: Path) -> None:
        """From the entry to the end, then once more for what is remembered and for a kill."""
        async with open_window(self.installed, self.screen) as driven:
            await self.open_and_look(driven, cohort)
            await self.drop_and_save(driven, recording, cohort)
            await self.raise_and_close(driven)
        async with open_window(self.installed, self.screen, cohort) as driven:
            await self.come_back(driven)

    async def open_and_look(self, driven: Driven, cohort: Path) -> None:
        """Start page, cohort by the dialog, patient, playback, QT."""

        async def start() -> str:
            await wait_for_start_page(driven)
            size = f"{driven.place.width}×{driven.place.height} px"
            return f"a window of {size} after {driven.start_s:.1f} s, the start page"

        async def open_it() -> str:
            await open_cohort_by_dialog(driven, cohort)
            return "the table of its patients"

        async def patient() -> str:
            await open_patient(driven, FIRST)
            return "ECG on paper and cine as pictures"

        async def play() -> str:
            return f"frames {', '.join(map(str, await watch_playback(driven)))}"

        async def qt() -> str:
            measured = await measure_qt(driven, cohort, FIRST)
            assert measured.error_ms <= 4.0, measured
            return (
                f"{measured.shown_ms:.0f} ms, by the delineation {measured.expected_ms:.0f} ms: "
                f"{measured.error_ms:.0f} ms off (a pixel is {measured.px_ms:.1f} ms)"
            )

        await self.step("start from the menu entry (`gtk-launch`)", start, "start")
        await self.step("open the cohort by the dialog", open_it, "cohort")
        await self.step("open a patient", patient, "patient")
        await self.step("play", play)
        await self.step("measure a QT with the mouse", qt, "qt")

    async def drop_and_save(self, driven: Driven, recording: Path, cohort: Path) -> None:
        """A real recording out of another window, its report by the dialog."""
        target = self.installed.home / "my report.html"

        async def drop() -> str:
            await driven.screen.press("Escape")
            await driven.screen.press("equal")
            await drop_files(driven, recording)
            return f"`{recording.name}` with the model's answer"

        async def ask() -> str:
            await ask_for_report(driven)
            return "the native dialog"

        async def save() -> str:
            await driven.choose(SAVE_TITLE, target)
            async with asyncio.timeout(30):
                while not target.exists():
                    await asyncio.sleep(0.1)
            newest = max((cohort / "exports").glob("report*.html"), key=lambda f: f.stat().st_mtime)
            assert target.read_bytes() == newest.read_bytes()
            return f"{target.stat().st_size / 1000:.0f} kB, byte for byte the one in `exports/`"

        await self.step("drop a real ECG file on the window", drop, "dropped")
        await self.step("ask for its report", ask, "save")
        await self.step("save it", save)

    async def raise_and_close(self, driven: Driven) -> None:
        """A second start raises the first window; its button ends everything."""
        installed, screen = self.installed, self.screen

        async def second() -> str:
            first = installed.list_starters()
            screen.do("windowminimize", "--sync", driven.window)
            await screen.wait_until_gone("^PTACL - research")
            installed.launch(screen).wait(30)
            await screen.wait_for("^PTACL - research")
            async with asyncio.timeout(30):
                while installed.list_starters() != first:
                    await asyncio.sleep(0.1)
            return "the first window is back, of the same process"

        async def close() -> str:
            family, ports = len(installed.family()), installed.list_ports()
            screen.do("windowsize", "--sync", driven.window, 1200, 780)
            screen.do("windowmove", "--sync", driven.window, 90, 60)
            await asyncio.sleep(0.5)
            await close_by_its_button(driven)
            left = await wait_for_end(installed)
            assert left == NOTHING, left
            return f"of {family} processes and {len(ports)} ports (one is DevTools') none is left"

        await self.step("start it again", second)
        await self.step("close the window", close)

    async def come_back(self, driven: Driven) -> None:
        """As large as it was and where it was; killed, it leaves nothing either."""

        async def start() -> str:
            await driven.wait_for_text(r"RESEARCH USE ONLY")
            place = driven.place
            assert (place.width, place.height) == (1200, 780), place
            return f"{place.width}×{place.height} px at {place.left}, {place.top}; the cohort"

        async def kill() -> str:
            (first,) = self.installed.list_starters()
            first.kill()
            left = await wait_for_end(self.installed)
            assert left == NOTHING, left
            notes = list(self.installed.home.rglob("crash-*"))
            assert notes == [], notes
            return "no process, no port, no note of a fault"

        await self.step("start with the cohort's folder (“open with”)", start)
        await self.step("kill it (SIGKILL)", kill)


def describe_versions(installed: Installed) -> str:
    """What it ran with."""
    code = (
        "import PySide6, textual; from importlib.metadata import version; "
        "print('PySide6', PySide6.__version__, '· pywebview', version('pywebview'), "
        "'· Textual', textual.__version__)"
    )
    return subprocess.run(
        [str(installed.environment / "bin" / "python"), "-c", code], check=True,
        capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


def main() -> int:
    """Build, install, drive, report."""
    parser = argparse.ArgumentParser(description="The window from its menu entry to its end.")
    parser.add_argument("cohort", type=Path)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ptacl-drive-"))
    try:
        installed = install_wheel(build_wheel(folder), folder)
        with open_screen() as screen:
            installed.install_entry(screen)
            drive = Drive(installed, screen, given.pictures)
            asyncio.run(drive.run(given.cohort.absolute(), given.recording.absolute()))
        lines = [
            "# The window, driven from its menu entry to its end",
            "",
            "`python scripts/desktop/drive.py`: the wheel of this commit in an empty environment "
            "(dependencies shared) and an empty home, started from its menu entry under Xvfb with "
            "openbox, 1400×950 px. Mouse and keyboard are X's; DevTools only read the page. "
            f"{describe_versions(installed)} · Python {machine.python_version()} · "
            f"{time.strftime('%Y-%m-%d', time.gmtime())}.",
            "",
            "| step | what it showed | time |",
            "|---|---|---|",
            *drive.lines,
            "",
            "Times hold the waiting of the script, on two shared cores without a graphics card.",
        ]
        given.report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
