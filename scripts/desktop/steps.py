"""What a person does in the window, step by step; each step waits for what it should have shown."""

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.drawing.paper import GUTTER_MM, PAGE_MM
from scripts.desktop.driving import Driven
from scripts.desktop.file_source import TITLE as SOURCE_TITLE

SPEED_MM_PER_S = 25.0
ZOOM_KEYS, ZOOM = 6, 8.0
"""Keys that enlarge, and what they come to: a pixel is then less than 2 ms."""
FIRST_PAGE_S = 10.0
MARGIN_S = 0.1


@dataclass(frozen=True)
class MeasuredQt:
    """One interval: as the delineation has it, and as the calipers say."""

    expected_ms: float
    shown_ms: float
    px_ms: float

    @property
    def error_ms(self) -> float:
        """How far off."""
        return abs(self.shown_ms - self.expected_ms)


async def wait_for_start_page(driven: Driven) -> None:
    """Its buttons are there."""
    await driven.tab.wait_until("document.querySelector('[data-kind=cohort]')?.hidden === false")


async def open_cohort_by_dialog(driven: Driven, cohort: Path) -> None:
    """The start page's button, the native dialog, the cohort's table."""
    await wait_for_start_page(driven)
    await driven.click_on("[data-kind=cohort]")
    await driven.choose("^Open folder", cohort)
    await driven.wait_for_text(r"RESEARCH USE ONLY")
    await driven.wait_for_text(r"1–\d+ of \d+|\d+ people|\d+ patients")


async def open_patient(driven: Driven, patient: str) -> None:
    """Enter on the first row; ECG and cine are there as pictures."""
    await driven.wait_for_text(patient)
    await driven.screen.press("Return")
    await driven.wait_for_text(r"mm/mV")
    await driven.find_pane("ECG on paper")
    await driven.find_pane("Short-axis cine")


async def watch_playback(driven: Driven) -> tuple[int, ...]:
    """Frames that were seen one after another while it plays."""
    seen: list[int] = []
    async with asyncio.timeout(60):
        while len(set(seen)) < 5:
            seen.append(int((await driven.wait_for_text(r"frame\s+(\d+)/\d+"))[1]))
            await asyncio.sleep(0.15)
    return tuple(dict.fromkeys(seen))


async def measure_qt(driven: Driven, cohort: Path, patient: str) -> MeasuredQt:
    """Enlarge, put one caliper on a T wave's end by a click, drag the other to the QRS onset.

    The beat is that nearest to the middle of the page; its marks are those of the delineation.
    """
    await driven.screen.press("space")  # pause
    await driven.screen.press("equal", *["plus"] * ZOOM_KEYS)
    page_s = PAGE_MM / ZOOM / SPEED_MM_PER_S
    start_s = (FIRST_PAGE_S - page_s) / 2
    onset_s, end_s = find_beat(cohort, patient, start_s, start_s + page_s)
    await driven.wait_for_text(rf"{start_s:.1f}–{start_s + page_s:.1f} s")
    left, top, width, _ = await driven.find_pane("ECG on paper")
    px_per_mm = width / (PAGE_MM / ZOOM + GUTTER_MM)

    async def place_of(time_s: float) -> tuple[int, int]:
        x = (GUTTER_MM + (time_s - start_s) * SPEED_MM_PER_S) * px_per_mm
        return await driven.to_screen(left + x, top + 40)

    await driven.screen.press("m")
    first = float((await driven.wait_for_text(r"Δt (\d+) ms"))[1])
    assert first > 0
    first_s = start_s + 0.375 * page_s  # where the app puts the first caliper
    await driven.screen.click(*await place_of(end_s))  # the second one is active
    await driven.screen.drag(await place_of(first_s), await place_of(onset_s))
    await asyncio.sleep(0.5)
    shown_ms = float((await driven.wait_for_text(r"Δt (\d+) ms"))[1])
    return MeasuredQt((end_s - onset_s) * 1000, shown_ms, 1000 / (px_per_mm * SPEED_MM_PER_S))


def find_beat(cohort: Path, patient: str, start_s: float, end_s: float) -> tuple[float, float]:
    """QRS onset and T end of a beat that lies whole between two moments, in seconds."""
    reader = CohortReader.open(cohort)
    try:
        view = reader.load_patient(patient)
    finally:
        reader.close()
    assert view.ecg is not None
    assert view.ecg.marks is not None
    beats = [
        (beat.qrs_onset / 500, beat.t_end / 500)
        for beat in view.ecg.marks.beats
        if beat.qrs_onset is not None and beat.t_end is not None
    ]
    whole = [beat for beat in beats if start_s + MARGIN_S < beat[0] and beat[1] < end_s - MARGIN_S]
    assert whole, f"no beat with marks lies whole between {start_s} and {end_s} s: {beats}"
    return whole[0]


async def drop_files(driven: Driven, *paths: Path, has_model: bool = True) -> None:
    """Drag files out of another window and drop them on ours; the first is read and shown.

    Where the cohort has a model, with its answer.
    """
    source = Path(__file__).with_name("file_source.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(source), *map(str, paths), env=driven.screen.variables,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        window = await driven.screen.wait_for(f"^{SOURCE_TITLE}$")
        start = driven.screen.place_of(window).at(0.5, 0.5)
        await driven.screen.drag_between_windows(start, driven.place.at(0.45, 0.7))
        await driven.wait_for_text(rf"{re.escape(paths[0].stem)}\S* · a file, not in the cohort")
    finally:
        process.terminate()
        await process.wait()
    if not has_model:
        return
    await driven.wait_for_text(r"HR \d+ bpm(?! · the model is answering)", timeout_s=240)
    await driven.wait_for_text(r"LVEF %\s+~\d")


SAVE_TITLE = "^Save file"


async def ask_for_report(driven: Driven) -> None:
    """The export dialog's report: the native dialog asks where to."""
    await driven.screen.press("e")
    await driven.wait_for_text(r"report\.html")
    await driven.screen.press("Return")
    await driven.screen.wait_for(SAVE_TITLE)
    await driven.screen.press("ctrl+a")


async def save_report(driven: Driven, target: Path) -> None:
    """The report, saved where the native dialog is told to."""
    await ask_for_report(driven)
    await driven.choose(SAVE_TITLE, target)
    async with asyncio.timeout(30):
        while not target.exists():
            await asyncio.sleep(0.1)


async def close_by_its_button(driven: Driven) -> None:
    """As the window manager's button does."""
    driven.screen.do("windowactivate", "--sync", driven.window)
    await driven.screen.press("alt+F4")
