"""CPU of drawing, of the table and of ticks, without a terminal."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

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
from ptacl_app.terminal.update_runs import PicturesOnly
from ptacl_app.widgets.cine_view import CinePlot
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.tables.patients import PatientTable


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

    def write_cells() -> None:
        strips: list[Iterable[Strip]] = [
            [layer.build_strip(slot, row, first_column=0, count=42, ground=Style())]
            for row in range(21)
        ]
        layer.render(LayoutUpdate(strips, Region(0, 0, 42, 21)), console)

    def switch() -> None:
        show(next(numbers))
        layer.render(PicturesOnly(), console)

    write_cells()
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
