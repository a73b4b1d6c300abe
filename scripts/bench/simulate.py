#!/usr/bin/env python
"""How fast the simulator makes pairs, and what it costs in memory; writes a dated report.

python scripts/bench/simulate.py [--patients 256] [--workers 2] [--device cpu|cuda] [--no-report]

Parts are timed in one process on one thread, as medians over batches of its CPU time, beside
neurokit2's multi-lead generator as the yardstick; whole pairs are timed by the wall clock in as
many processes as there are workers, each on one thread, because two torch threads collapse on
busy cores.
"""

import argparse
import datetime
import os
import platform
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.simulate import draw_truth, render_cines, render_ecgs, simulate_patients

BATCH = 32


def time_parts(
    settings: SimulationSettings, num_patients: int, device: str
) -> dict[str, list[float]]:
    """Milliseconds a patient of each part, one figure a batch."""
    figures: dict[str, list[float]] = {"truth": [], "ECG": [], "cine": []}
    for start in range(0, num_patients, BATCH):
        indices = range(start, min(start + BATCH, num_patients))
        marks = [clock(device)]
        truth = draw_truth(settings, indices)
        marks.append(clock(device))
        render_ecgs(settings, truth, device=device)
        synchronise(device)
        marks.append(clock(device))
        render_cines(settings, truth, device=device)
        synchronise(device)
        marks.append(clock(device))
        for name, begin, end in zip(figures, marks[:-1], marks[1:], strict=True):
            figures[name].append(1000 * (end - begin) / len(indices))
    return figures


def clock(device: str) -> float:
    """CPU seconds of this process, which neighbours do not change; on an accelerator, seconds."""
    return time.process_time() if device == "cpu" else time.perf_counter()


def time_neurokit(rounds: int) -> float:
    """CPU seconds that neurokit2 takes for one 12-lead record of 10 s, median."""
    import neurokit2

    seconds = []
    for number in range(rounds):
        begin = time.process_time()
        neurokit2.ecg_simulate(
            duration=10, sampling_rate=500, method="multileads", random_state=number
        )
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds)


def make_pairs(task: tuple[SimulationSettings, int, int, str]) -> tuple[int, float]:
    """Make a range of patients; how many, and the peak resident size in MiB."""
    settings, start, stop, device = task
    torch.set_num_threads(1)
    for first in range(start, stop, BATCH):
        simulate_patients(settings, range(first, min(first + BATCH, stop)), device=device)
    synchronise(device)
    return stop - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def synchronise(device: str) -> None:
    """Wait for the accelerator, if there is one."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def name_processor() -> str:
    """The processor's name where the system tells it."""
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def measure(preset: str, arguments: argparse.Namespace) -> list[str]:
    """Report lines of one cohort."""
    settings = load_cohort_settings(preset, num_patients=arguments.patients)
    time_parts(settings, BATCH, arguments.device)
    parts = time_parts(settings, arguments.patients, arguments.device)
    workers = arguments.workers if arguments.device == "cpu" else 1
    share = arguments.patients // workers
    tasks = [
        (settings, number * share, (number + 1) * share, arguments.device)
        for number in range(workers)
    ]
    if workers == 1:
        make_pairs((settings, 0, BATCH, arguments.device))
        begin = time.perf_counter()
        results = [make_pairs(tasks[0])]
        elapsed_s = time.perf_counter() - begin
    else:
        with ProcessPoolExecutor(workers) as pool:
            list(pool.map(make_pairs, [(settings, 0, BATCH, arguments.device)] * workers))
            begin = time.perf_counter()
            results = list(pool.map(make_pairs, tasks))
            elapsed_s = time.perf_counter() - begin
    pairs_per_s = sum(count for count, _ in results) / elapsed_s
    peak_mib = max(peak for _, peak in results)
    medians = {name: statistics.median(values) for name, values in parts.items()}
    return [
        f"| {preset} | {medians['truth']:.2f} | {medians['ECG']:.2f} | {medians['cine']:.2f} "
        f"| {1000 / sum(medians.values()):.1f} | {pairs_per_s:.1f} ({workers}) "
        f"| {peak_mib:.0f} |"
    ]


def main() -> None:
    """Measure, print, and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-report", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [line for preset in ("easy", "bench") for line in measure(preset, arguments)]
    yardstick_s = time_neurokit(3)
    settings = load_cohort_settings("easy", num_patients=arguments.patients)
    ecg_ms = statistics.median(time_parts(settings, BATCH * 2, arguments.device)["ECG"])
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    where = name_processor() if arguments.device == "cpu" else torch.cuda.get_device_name()
    lines = [
        f"# Simulator, {today}",
        "",
        f"{where}, {os.cpu_count()} logical cores, load {os.getloadavg()[0]:.1f} at the end "
        "(other work on the same cores); "
        f"Python {platform.python_version()}, torch {torch.__version__}, device "
        f"{arguments.device}; {arguments.patients} patients in batches of {BATCH}.",
        "",
        "| cohort | truth, CPU ms | ECG, CPU ms | cine, CPU ms | pairs/s of one free core "
        "| pairs/s, wall clock (processes) "
        "| peak RSS a process, MiB |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        f"ECG against neurokit2's multi-lead generator: {1000 * yardstick_s / ecg_ms:.0f} times "
        f"as many records per second ({yardstick_s * 1000:.0f} ms against {ecg_ms:.2f} ms).",
        "",
        f"Command: `python scripts/bench/simulate.py --patients {arguments.patients} --workers "
        f"{arguments.workers} --device {arguments.device}`. Medians over batches; noise about "
        "15 % on a shared machine, so read ratios.",
    ]
    print("\n".join(lines))
    if not arguments.no_report:
        folder = Path(__file__).resolve().parents[2] / "assets" / "benchmarks"
        folder.mkdir(parents=True, exist_ok=True)
        kind = "cpu" if arguments.device == "cpu" else "gpu"
        (folder / f"simulate_{kind}_{today}.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
