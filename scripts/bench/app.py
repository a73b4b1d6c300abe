# ruff: noqa: E402 - textual reads its colour system when it is imported
"""Measure the app: `python scripts/bench/app.py COHORT [--seconds 10] [--save FILE] [--json]`.

CPU time is the figure to trust; wall times hold on an otherwise idle machine only. COHORT is
any cohort with an ECG and a cine (`ptacl simulate /tmp/c --preset tiny`). The start-up figure
uses a store of 100 000 patients made for the purpose.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np
from rich.console import Console
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from ptacl_app.app import PtaclApp
from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.drawing.cine_picture import draw_cine_picture
from ptacl_app.drawing.ecg_page import Layout, PageView, draw_page
from ptacl_app.drawing.ecg_picture import draw_page as draw_page_picture
from ptacl_app.drawing.paper import PaperPage, measure_extremes
from ptacl_app.drawing.paper_inks import DARK
from ptacl_app.screens.cohort import CohortScreen
from ptacl_app.screens.patient import PatientScreen
from ptacl_app.shell.settings import AppSettings
from ptacl_app.terminal.graphics import Graphics, Protocol
from ptacl_app.terminal.image_layer import ImageLayer
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.tables.patients import PatientTable

LAST_HEAD = "50 mm/s  20 mm/mV  1 lead"
"""What the ECG's head says after 31 of each key, when none was lost."""
SCRIPT = "import sys; from ptacl_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
BITS_PER_S = 2_000_000


class Harness:
    """The app on a pseudo-terminal that takes bytes as fast as told."""

    def __init__(self, *arguments: str, size: tuple[int, int], bits_per_s: float | None = None):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.state = tempfile.TemporaryDirectory()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "XDG_STATE_HOME": self.state.name,
            "XDG_CONFIG_HOME": self.state.name,
        }
        for name in ("SSH_CONNECTION", "SSH_TTY"):
            environment.pop(name, None)
        self.started_s = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", SCRIPT, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.bits_per_s = bits_per_s
        self.num_bytes = 0
        self.pieces: list[tuple[float, bytes]] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                return
            if not piece:
                return
            self.num_bytes += len(piece)
            self.pieces.append((time.perf_counter(), piece))
            if self.bits_per_s:
                time.sleep(len(piece) * 8 / self.bits_per_s)

    def wait_for(self, text: str, *, since_s: float = 0.0, timeout_s: float = 300.0) -> float:
        """When `text` was written after `since_s`."""
        wanted, end = text.encode(), time.perf_counter() + timeout_s
        while time.perf_counter() < end:
            seen = b""
            for when, piece in list(self.pieces):
                if when >= since_s:
                    seen += piece
                    if wanted in seen:
                        return when
                    seen = seen[-len(wanted) - 4096 :]
            time.sleep(0.005)
        raise TimeoutError(f"{text!r} was not written")

    def press(self, keys: str) -> float:
        os.write(self.master, keys.encode())
        return time.perf_counter()

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.master)
        self.state.cleanup()


def repeat_cpu_ms(function, count: int) -> float:
    """Median CPU milliseconds of one call."""
    times = []
    for _ in range(count):
        before = time.process_time()
        function()
        times.append((time.process_time() - before) * 1000)
    return statistics.median(times)


def make_large_store(folder: Path, num_patients: int) -> Path:
    import pyarrow as pa

    from ptacl_core.cohort import Cohort

    root = folder / "large"
    Cohort.create(root, name="large", source="files", preprocessing_hash="0" * 16).close()
    rng = np.random.default_rng(0)
    ids = [f"s{index:07d}" for index in range(num_patients)]
    with Cohort.write(root, purpose="benchmark") as writer:
        writer.put_patients(
            pa.table({"patient": ids, "age_years": rng.uniform(45, 80, num_patients)})
        )
        for name in ("lvef_pct", "lvedv_ml", "lvm_g"):
            writer.put_phenotypes(
                pa.table(
                    {
                        "patient": ids,
                        "visit": np.zeros(num_patients, np.int32),
                        "name": [name] * num_patients,
                        "value": rng.normal(60, 8, num_patients),
                        "unit": ["%"] * num_patients,
                    }
                )
            )
    return root


def measure_drawing(cohort: Path, patient: str) -> dict[str, float]:
    """CPU of one redraw and one frame, in Textual and without it."""
    reader = CohortReader.open(cohort)
    view = reader.load_patient(patient, num_neighbours=0)
    reader.close()
    assert view.ecg is not None
    signal_mv = view.ecg.signal_mv
    page = PageView(123, 48, layout=Layout.TWELVE_BY_ONE)
    figures = {"ecg_12x5000_page_ms_cpu": repeat_cpu_ms(lambda: draw_page(page, signal_mv), 40)}

    async def run() -> None:
        app = PtaclApp(
            cohort,
            first_patient=patient,
            settings=AppSettings(remember=False, fps=1.0, use_autoplay=False),
            time_source=lambda: 0.0,
            state_dir=Path(tempfile.mkdtemp()),
        )
        async with app.run_test(size=(163, 52)) as pilot:
            for _ in range(4):
                await app.workers.wait_for_complete()
                await pilot.pause()
            screen = app.screen
            assert isinstance(screen, PatientScreen)
            ecg, cine = screen.query_one(EcgPlot), screen.query_one(CinePlot)
            ecg.change(layout=Layout.TWELVE_BY_ONE)
            await pilot.pause()

            def redraw_ecg() -> None:
                ecg.forget()
                for y in range(ecg.size.height):
                    ecg.render_line(y)

            figures["ecg_12x5000_redraw_ms_cpu"] = repeat_cpu_ms(redraw_ecg, 40)
            figures["ecg_cells"] = float(ecg.size.width * ecg.size.height)
            frames = iter(list(range(50)) * 2)

            def draw_new_frame() -> None:
                cine._strips.clear()
                cine.set_reactive(CinePlot.frame, next(frames))
                for y in range(cine.size.height):
                    cine.render_line(y)

            figures["cine_frame_first_loop_ms_cpu"] = repeat_cpu_ms(draw_new_frame, 40)

            def draw_known_frame() -> None:
                for y in range(cine.size.height):
                    cine.render_line(y)

            figures["cine_frame_later_loops_ms_cpu"] = repeat_cpu_ms(draw_known_frame, 40)

    asyncio.run(run())
    return figures


def measure_pixels(cohort: Path, patient: str) -> dict[str, float]:
    """CPU of a page and of a cine frame in pixels, at the panes of 146×40 in cells of 9×18."""
    reader = CohortReader.open(cohort)
    view = reader.load_patient(patient, num_neighbours=0)
    reader.close()
    assert view.ecg is not None
    assert view.cine is not None
    trace = view.ecg.model_trace
    bands = ((0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11), (1,))
    page = PaperPage(927, 432, bands, trace.duration_s, measure_extremes(trace.signal_mv))
    layer = ImageLayer(Graphics(Protocol.KITTY, "benchmark"), cell_px=(9, 18))
    slot = layer.claim(lambda: None)
    frames = view.cine.frames
    console = Console(color_system="truecolor", force_terminal=True)

    def show(frame: int) -> None:
        layer.show(
            slot,
            frame,
            lambda: draw_cine_picture(frames[frame], side_px=378, level=128.0, width=256.0),
            columns=42,
            rows=21,
            num_kept=len(frames),
        )

    started = time.process_time()
    for frame in range(len(frames)):
        show(frame)
    upload_ms = (time.process_time() - started) * 1000 / len(frames)
    numbers = iter(list(range(len(frames))) * 4)

    def switch() -> None:
        show(next(numbers))
        strips: list[Iterable[Strip]] = [
            [layer.build_strip(slot, row, first_column=0, count=42, ground=Style())]
            for row in range(21)
        ]
        layer.render(LayoutUpdate(strips, Region(0, 0, 42, 21)), console)

    switch()
    return {
        "ecg_pixel_page_ms_cpu": repeat_cpu_ms(lambda: draw_page_picture(page, trace, DARK), 20),
        "ecg_pixel_page_kB": len(draw_page_picture(page, trace, DARK).encode_png()) / 1000,
        "cine_pixel_upload_ms_cpu": upload_ms,
        "cine_pixel_switch_ms_cpu": repeat_cpu_ms(switch, 100),
    }


def measure_table(store: Path) -> dict[str, float]:
    """CPU of a page of the table on a large store."""
    figures: dict[str, float] = {}

    async def run() -> None:
        app = PtaclApp(
            store, settings=AppSettings(remember=False), state_dir=Path(tempfile.mkdtemp())
        )
        async with app.run_test(size=(146, 40)) as pilot:
            for _ in range(4):
                await app.workers.wait_for_complete()
                await pilot.pause()
            screen = app.screen
            assert isinstance(screen, CohortScreen)
            table = screen.query_one("#table", PatientTable)
            times = []
            for number in range(1, 6):
                before = time.process_time()
                screen.load_page(number * 200)
                await app.workers.wait_for_complete()
                while table.page.offset != number * 200:
                    await pilot.pause(0.01)
                await pilot.pause()
                times.append((time.process_time() - before) * 1000)
            figures["table_page_ms_cpu"] = statistics.median(times)

    asyncio.run(run())
    return figures


def measure_start(store: Path) -> dict[str, float]:
    """From the start of the process to the first rows of the table, on a pseudo-terminal."""
    walls, cpus = [], []
    for _ in range(5):
        harness = Harness(str(store), size=(120, 36))
        walls.append(harness.wait_for("s0000001") - harness.started_s)
        cpus.append(harness.cpu_s())
        harness.close()
    return {"start_s_wall": statistics.median(walls), "start_s_cpu": statistics.median(cpus)}


def measure_play(
    cohort: Path, patient: str, *, size: tuple[int, int], seconds: float
) -> dict[str, float]:
    """CPU share and bytes of the playing patient screen; key to paint."""
    name = f"{size[0]}x{size[1]}"
    harness = Harness(str(cohort), "--patient", patient, size=size)
    harness.wait_for("beat")
    time.sleep(2.0)
    cpu, count, started = harness.cpu_s(), harness.num_bytes, time.perf_counter()
    time.sleep(seconds)
    elapsed = time.perf_counter() - started
    figures = {
        f"play_{name}_core_share": (harness.cpu_s() - cpu) / elapsed,
        f"play_{name}_kB_per_s": (harness.num_bytes - count) / elapsed / 1000,
        f"play_{name}_key_to_paint_ms": measure_key(harness),
    }
    harness.close()
    return figures


def measure_key(harness: Harness, *, count: int = 7) -> float:
    """Median milliseconds from a gain key to the head that names the new gain."""
    times = []
    gains = ("20 mm/mV", "5 mm/mV", "10 mm/mV")
    for number in range(count):
        pressed = harness.press("g")
        shown = harness.wait_for(gains[number % 3], since_s=pressed)
        times.append((shown - pressed) * 1000)
        time.sleep(0.35)
    return statistics.median(times)


def measure_frames(cohort: Path, patient: str, size: tuple[int, int]) -> dict[str, float]:
    """CPU of one tick of the playing patient screen, painted; and of a key, painted.

    Without a terminal, so that a busy machine does not drop frames: all but the writes.
    """
    name = f"{size[0]}x{size[1]}"
    now_s = [0.0]
    figures: dict[str, float] = {}

    async def run() -> None:
        app = PtaclApp(
            cohort,
            first_patient=patient,
            settings=AppSettings(remember=False, fps=1.0),
            time_source=lambda: now_s[0],
            state_dir=Path(tempfile.mkdtemp()),
        )
        async with app.run_test(size=size) as pilot:
            for _ in range(4):
                await app.workers.wait_for_complete()
                await pilot.pause()
            screen = app.screen
            assert isinstance(screen, PatientScreen)
            frames, keys = [], []
            for number in range(120):
                before = time.process_time()
                now_s[0] += 0.04
                screen.tick()
                await pilot.pause()
                frames.append((time.process_time() - before) * 1000)
                if number % 10 == 9:
                    before = time.process_time()
                    await pilot.press("g")
                    keys.append((time.process_time() - before) * 1000)
            cost = statistics.median(frames)
            figures[f"play_{name}_frame_ms_cpu"] = cost
            figures[f"play_{name}_core_share_at_25_fps"] = cost * 25 / 1000
            figures[f"play_{name}_key_ms_cpu"] = statistics.median(keys)

    asyncio.run(run())
    return figures


def measure_pixel_play(cohort: Path, patient: str, *, seconds: float) -> dict[str, float]:
    """The playing patient screen at 146×40 by each protocol; a page over 2 Mbit/s."""
    figures: dict[str, float] = {}
    for protocol in ("kitty", "sixel", "iterm"):
        harness = Harness(str(cohort), "--patient", patient, "--graphics", protocol, size=(146, 40))
        harness.wait_for("beat", timeout_s=60.0)
        time.sleep(4.0)
        cpu, count, started = harness.cpu_s(), harness.num_bytes, time.perf_counter()
        time.sleep(seconds)
        elapsed = time.perf_counter() - started
        figures[f"play_{protocol}_core_share"] = (harness.cpu_s() - cpu) / elapsed
        figures[f"play_{protocol}_kB_per_s"] = (harness.num_bytes - count) / elapsed / 1000
        figures[f"play_{protocol}_key_to_paint_ms"] = measure_speed_key(harness)
        harness.close()
    harness = Harness(
        str(cohort), "--patient", patient, "--graphics", "kitty", "--no-animation",
        size=(146, 40), bits_per_s=BITS_PER_S,
    )  # fmt: skip
    harness.wait_for("mm/s", timeout_s=60.0)
    time.sleep(4.0)
    figures["slow_line_pixel_page_ms"] = measure_speed_key(harness)
    harness.close()
    return figures


def measure_speed_key(harness: Harness, *, count: int = 5) -> float:
    """Median milliseconds from a speed key to the head, written after the page's new picture."""
    times = []
    for number in range(count):
        pressed = harness.press("v")
        shown = harness.wait_for(("50 mm/s", "25 mm/s")[number % 2], since_s=pressed, timeout_s=20)
        times.append((shown - pressed) * 1000)
        time.sleep(0.8)
    return statistics.median(times)


def measure_dropped_keys(cohort: Path, patient: str) -> dict[str, float]:
    """93 keys at once while the cine plays: a lost one leaves gain, speed or layout elsewhere."""
    harness = Harness(str(cohort), "--patient", patient, size=(146, 40))
    harness.wait_for("beat")
    time.sleep(2.0)
    pressed = harness.press("gvl" * 31)
    with contextlib.suppress(TimeoutError):
        harness.wait_for(LAST_HEAD, since_s=pressed, timeout_s=30.0)
    time.sleep(3.0)
    written = b"".join(piece for when, piece in list(harness.pieces) if when >= pressed)
    heads = re.findall(rb"(\d+ mm/s  \d+ mm/mV  [^ ]+(?: lead)?)", written)
    harness.close()
    return {"keys_pressed": 93.0, "dropped_keys": float(heads[-1].decode() != LAST_HEAD)}


def measure_slow_line(cohort: Path, patient: str) -> dict[str, float]:
    """Key to paint while the cine plays over a line of 2 Mbit/s."""
    harness = Harness(str(cohort), "--patient", patient, size=(146, 40), bits_per_s=BITS_PER_S)
    harness.wait_for("frame")
    time.sleep(4.0)
    figures = {"slow_line_key_to_paint_ms": measure_key(harness)}
    harness.close()
    return figures


@dataclass(frozen=True)
class Subject:
    """What is measured, and for how long."""

    cohort: Path
    patient: str
    store: Path
    seconds: float


PARTS: dict[str, Callable[[Subject], dict[str, float]]] = {
    "drawing": lambda it: measure_drawing(it.cohort, it.patient),
    "pixels": lambda it: measure_pixels(it.cohort, it.patient),
    "frames": lambda it: {
        **measure_frames(it.cohort, it.patient, (146, 40)),
        **measure_frames(it.cohort, it.patient, (80, 24)),
    },
    "start": lambda it: measure_start(it.store),
    "table": lambda it: measure_table(it.store),
    "play": lambda it: {
        **measure_play(it.cohort, it.patient, size=(146, 40), seconds=it.seconds),
        **measure_play(it.cohort, it.patient, size=(80, 24), seconds=it.seconds),
    },
    "pixel-play": lambda it: measure_pixel_play(it.cohort, it.patient, seconds=it.seconds),
    "keys": lambda it: measure_dropped_keys(it.cohort, it.patient),
    "slow": lambda it: measure_slow_line(it.cohort, it.patient),
}


GOALS: dict[str, tuple[str, float]] = {
    "ecg_12x5000_redraw_ms_cpu": ("12 leads × 5000 samples, redrawn as strips, ms CPU", 10),
    "cine_frame_first_loop_ms_cpu": ("a cine frame of 42×21 cells, first loop, ms CPU", 6),
    "cine_frame_later_loops_ms_cpu": ("the same frame, later loops, ms CPU", 6),
    "ecg_pixel_page_ms_cpu": ("an ECG page of 927×432 pixels, drawn, ms CPU", 20),
    "cine_pixel_switch_ms_cpu": ("a cine frame in pixels after its upload, ms CPU", 1),
    "play_146x40_core_share_at_25_fps": (
        "patient screen, 146×40, 25 fps, share of a core (CPU of painted ticks)", 0.40,
    ),
    "play_80x24_core_share_at_25_fps": ("the same at 80×24", 0.40),
    "play_146x40_core_share": (
        "patient screen playing in a pseudo-terminal, 146×40, share of a core", 0.40,
    ),
    "play_80x24_core_share": ("the same at 80×24", 0.40),
    "play_kitty_core_share": ("playing in pixels by kitty, 146×40, share of a core", 0.30),
    "play_sixel_core_share": ("the same by sixel", 0.30),
    "play_iterm_core_share": ("the same by iTerm2's images", 0.30),
    "play_kitty_key_to_paint_ms": ("a key to its paint while playing in pixels, ms wall", 50),
    "slow_line_pixel_page_ms": ("a page in pixels over 2 Mbit/s, key to paint, ms wall", 1000),
    "play_146x40_key_to_paint_ms": ("a key to its paint as the cine plays, 146×40, ms wall", 100),
    "play_80x24_key_to_paint_ms": ("the same at 80×24", 100),
    "slow_line_key_to_paint_ms": ("a key to its paint over 2 Mbit/s, 146×40, ms wall", 600),
    "dropped_keys": ("keys lost of 93 pressed at once while the cine plays", 0),
    "start_s_wall": ("start to the first rows, 100 000 patients, s wall", 1.5),
    "start_s_cpu": ("the same, s CPU", 1.5),
    "table_page_ms_cpu": ("a page of 200 rows of the table, 100 000 patients, ms CPU", 130),
}  # fmt: skip
"""What is promised: in words, and at most how much."""


def judge(figures: dict[str, float]) -> list[tuple[str, float, float, bool]]:
    """(what, figure, goal, held) for each promise that was measured."""
    return [
        (words, figures[name], goal, figures[name] <= goal)
        for name, (words, goal) in GOALS.items()
        if name in figures
    ]


def print_verdicts(figures: dict[str, float]) -> None:
    """One line for each promise."""
    print()
    for words, value, goal, is_held in judge(figures):
        print(f"{'held' if is_held else 'MISSED':7} {value:9.3f}  of {goal:6g}  {words}")


def write_report(figures: dict[str, float], loads: list[float]) -> str:
    """The figures with date, machine and versions, as Markdown."""
    import platform
    from importlib.metadata import version

    libraries = ", ".join(f"{name} {version(name)}" for name in ("textual", "numpy", "duckdb"))
    missed = [words for words, _, _, is_held in judge(figures) if not is_held]
    lines = [
        "# The terminal app",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} shared CPUs, load "
        f"average {min(loads):.1f}–{max(loads):.1f} while it was measured,",
        f"Python {platform.python_version()}, {libraries}. A simulated cohort;",
        "`python scripts/bench/app.py COHORT`. Medians; CPU is that of the app's whole process.",
        "",
        "| what | figure | goal | held |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {words} | {value:.3g} | {goal:g} | {'yes' if is_held else '**no**'} |"
        for words, value, goal, is_held in judge(figures)
    ]
    others = {name: value for name, value in figures.items() if name not in GOALS}
    lines += ["", "Also measured: " + ", ".join(f"{k} {v:.4g}" for k, v in others.items()) + "."]
    lines += ["", "Missed: " + ("; ".join(missed) if missed else "nothing") + "."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--patient")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--parts", default=",".join(PARTS), help="which, comma-separated")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--save", type=Path, help="write the report, Markdown, to this file too")
    options = parser.parse_args()
    reader = CohortReader.open(options.cohort)
    found = reader.load_page(where="has_ecg and has_cmr", limit=1).rows
    reader.close()
    if not found:
        sys.exit("the cohort has no patient with both recordings")
    patient = options.patient or found[0].patient
    figures: dict[str, float] = {}
    loads: list[float] = []
    wanted = options.parts.split(",")
    with tempfile.TemporaryDirectory() as folder:
        needs_store = {"start", "table"} & set(wanted)
        store = make_large_store(Path(folder), 100_000) if needs_store else Path(folder)
        for name in wanted:
            loads.append(os.getloadavg()[0])
            found_here = PARTS[name](Subject(options.cohort, patient, store, options.seconds))
            figures |= found_here
            if not options.json:
                for label, value in found_here.items():
                    print(f"{label:40} {value:10.3f}", flush=True)
    if options.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    else:
        print_verdicts(figures)
    if options.save is not None:
        options.save.write_text(write_report(figures, loads), encoding="utf-8")


if __name__ == "__main__":
    main()
