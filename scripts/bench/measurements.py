#!/usr/bin/env python3
"""Measures an ECG's delineation beside neurokit2's `dwt` and `prominence`, in CPU time.

Process CPU time, medians over interleaved rounds, one thread; ECGs are the samples of the
repository. The differences of the figures stand beside the times.

    python scripts/bench/measurements.py [--rounds 5] [--write]

`--write` puts the report in assets/benchmarks/measurements_<date>.md.
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from ptacl_core.io import read_ecg
from ptacl_core.preprocess import analyse_ecg, prepare_ecg
from ptacl_core.preprocess.measurements.second_opinion import ask_neurokit

ROOT = Path(__file__).resolve().parents[2]
NEUROKIT_ROUNDS = 2
FIGURES = ("pr_ms", "qrs_ms", "qt_ms")


def cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return 1000.0 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    paths = sorted(
        path
        for path in (ROOT / "assets" / "samples").iterdir()
        if path.suffix in (".hea", ".xml", ".dcm")
    )
    report = make_report(paths, arguments.rounds)
    print(report)
    if arguments.write:
        name = f"measurements_{datetime.now(UTC):%Y-%m-%d}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(report)


def make_report(paths: list[Path], rounds: int) -> str:
    records = {path: read_ecg(path) for path in paths}
    prepared = {path: prepare_ecg(record) for path, record in records.items()}
    candidates: dict[str, Callable[[Path], object]] = {
        "read (WFDB)": read_ecg,
        "`prepare_ecg`": lambda path: prepare_ecg(records[path]),
        "`analyse_ecg` (ours)": lambda path: analyse_ecg(prepared[path]),
        "neurokit2 `dwt`": lambda path: ask_neurokit(prepared[path]),
        "neurokit2 `prominence`": lambda path: ask_neurokit(prepared[path], method="prominence"),
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for work in candidates.values():  # first calls load and plan
        work(paths[0])
    for number in range(rounds):
        for path in paths:
            for name, work in candidates.items():
                is_slow = name.startswith("neurokit2")
                if is_slow and number >= NEUROKIT_ROUNDS:
                    continue
                if name.startswith("read") and path.suffix != ".hea":
                    continue
                times[name].append(cpu_ms(lambda work=work, path=path: work(path)))
    medians = {name: statistics.median(values) for name, values in times.items()}
    ours = medians["`analyse_ecg` (ours)"]
    before = medians["read (WFDB)"] + medians["`prepare_ecg`"] + medians["neurokit2 `dwt`"]
    after = medians["read (WFDB)"] + medians["`prepare_ecg`"] + ours
    lines = [
        "# Measurements of an ECG, 12 leads × 10 s",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} CPUs (load "
        f"{os.getloadavg()[0]:.1f}), Python {platform.python_version()}, numpy "
        f"{version('numpy')}, neurokit2 {version('neurokit2')}. `scripts/bench/measurements.py "
        f"--rounds {rounds}`: medians of CPU time over interleaved rounds of {len(paths)} ECGs, "
        "one thread. Quote ratios: other work ran on the machine.",
        "",
        "| candidate | CPU ms an ECG | against ours |",
        "|---|---|---|",
        *(f"| {name} | {value:.2f} | {value / ours:.1f} × |" for name, value in medians.items()),
        "",
        "| what | measured | target | |",
        "|---|---|---|---|",
        f"| marks, figures, amplitudes and statements | {ours:.1f} ms | ≤ 10 | "
        f"{'held' if ours <= 10 else 'not held'} |",
        "| read, prepare and measure a WFDB ECG against the same with neurokit2's `dwt` | "
        f"{before / after:.1f} × faster | ≥ 12 | "
        f"{'held' if before / after >= 12 else 'not held'} |",
        "",
        f"Of the {after:.1f} ms that are left of a WFDB ECG, reading takes "
        f"{100 * medians['read (WFDB)'] / after:.0f} %, `prepare_ecg` "
        f"{100 * medians['`prepare_ecg`'] / after:.0f} %, measuring {100 * ours / after:.0f} %.",
        "",
        "## Differences of the figures, neurokit2 less ours, ms",
        "",
        "| ECG | method | PR | QRS | QT |",
        "|---|---|---|---|---|",
    ]
    for path in paths:
        own = analyse_ecg(prepared[path]).figures
        for method in ("dwt", "prominence"):
            other = ask_neurokit(prepared[path], method=method)
            cells = [
                f"{other[name] - own[name]:+.0f}"
                if name in own and name in other
                else ("theirs absent" if name in own else "ours absent")
                for name in FIGURES
            ]
            lines.append(f"| {path.stem} | `{method}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
