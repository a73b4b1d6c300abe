"""What a person at a terminal sees: start, share of a core, key to paint, lost keys."""

import contextlib
import re
import statistics
import time
from pathlib import Path

from scripts.bench.app_parts.harness import BITS_PER_S, Harness

LAST_HEAD = "50 mm/s  20 mm/mV  6×2"
"""What the ECG's head says after 31 of each key (five layouts, two speeds, three gains)."""


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
        figures |= measure_first_screen(cohort, patient, protocol)
    return figures


def measure_first_screen(cohort: Path, patient: str, protocol: str) -> dict[str, float]:
    """The first screen with its pictures over 2 Mbit/s: kilobytes, and key to paint of a page."""
    harness = Harness(
        str(cohort), "--patient", patient, "--graphics", protocol, "--no-animation",
        size=(146, 40), bits_per_s=BITS_PER_S,
    )  # fmt: skip
    harness.wait_for("mm/s", timeout_s=60.0)
    time.sleep(6.0)
    figures = {
        f"first_screen_{protocol}_kB": harness.num_bytes / 1000,
        f"slow_line_{protocol}_page_ms": measure_speed_key(harness),
    }
    harness.close()
    return figures


def measure_speed_key(harness: Harness, *, count: int = 21) -> float:
    """Median milliseconds from a speed key to the head, written after the page's new picture.

    The keys are not in step with the frames that play, or all would wait for the same part of one.
    """
    times = []
    for number in range(count):
        pressed = harness.press("v")
        shown = harness.wait_for(("50 mm/s", "25 mm/s")[number % 2], since_s=pressed, timeout_s=20)
        times.append((shown - pressed) * 1000)
        time.sleep(0.6 + 0.013 * (number * 5 % count))
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
