#!/usr/bin/env python3
"""Measures `ptacl preprocess` of WFDB ECGs end to end, beside another version of PTACL.

CPU seconds (user and system) of the whole process and its children, for one ECG and for many of
the same folder: their difference over the number of ECGs is what an ECG costs, the rest what a
call costs. Versions are interleaved. ECGs are simulated, written as WFDB format 16.

    python scripts/bench/preprocess_call.py [--count 60] [--against CHECKOUT] [--write]

`--write` puts the report in assets/benchmarks/preprocess_call_<date>.md.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import torch

from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import analyse_ecg, prepare_ecg
from ptacl_core.records import LEAD_NAMES
from ptacl_core.simulate import draw_truth, render_ecgs

ROOT = Path(__file__).resolve().parents[2]
GAIN = 1000
TARGET = 12.0
CALL = "import sys; from ptacl_core.cli.main import main; sys.exit(main())"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--against", type=Path, help="checkout of another version")
    parser.add_argument("--name", default="before", help="what the other version is called")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    versions = {"now": ROOT}
    if arguments.against is not None:
        versions[arguments.name] = arguments.against.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_records(folder / "many", arguments.count)
        write_records(folder / "one", 1)
        report = make_report(versions, folder, arguments.count, arguments.rounds)
    print(report)
    if arguments.write:
        name = f"preprocess_call_{datetime.now(UTC):%Y-%m-%d}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(report)


def write_records(folder: Path, count: int) -> None:
    folder.mkdir()
    settings = load_cohort_settings("easy", num_patients=count, seed=5)
    signals = render_ecgs(settings, draw_truth(settings, range(count))).numpy()
    for number, signal in enumerate(signals):
        name = f"{9000001 + number}"
        raw = np.clip(np.rint(signal * GAIN), -32767, 32767).astype("<i2")
        (folder / f"{name}.dat").write_bytes(raw.T.tobytes())
        lines = [f"{name} 12 500 {raw.shape[1]}"]
        lines += [
            f"{name}.dat 16 {GAIN}/mV 16 0 {lead[0]} 0 0 {label}"
            for label, lead in zip(LEAD_NAMES, raw, strict=True)
        ]
        (folder / f"{name}.hea").write_text("\n".join(lines) + "\n")


def call_s(version: Path, source: Path, cohort: Path) -> float:
    """CPU seconds of one call with one worker."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [
            sys.executable, "-c", CALL, "preprocess", str(source),
            "--cohort", str(cohort), "--workers", "1",
        ],
        env=os.environ | {"PYTHONPATH": str(version)},
        check=True,
        capture_output=True,
        cwd=version,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def make_report(versions: dict[str, Path], folder: Path, count: int, rounds: int) -> str:
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for name, version in versions.items():
            for size in ("one", "many"):
                cohort = folder / f"cohort-{name}-{size}-{number}"
                times.setdefault((name, size), []).append(call_s(version, folder / size, cohort))
    lowest = {key: min(values) for key, values in times.items()}
    an_ecg = {
        name: 1000.0 * (lowest[name, "many"] - lowest[name, "one"]) / (count - 1)
        for name in versions
    }
    lines = [
        "# `ptacl preprocess` of WFDB ECGs, end to end",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} CPUs (load "
        f"{os.getloadavg()[0]:.1f}), Python {platform.python_version()}. "
        f"`scripts/bench/preprocess_call.py --count {count} --rounds {rounds}`: CPU seconds of the "
        "whole process, the least of the rounds, one worker, one thread.",
        "",
        f"| version | call of 1 ECG, s | call of {count} ECGs, s | an ECG more, ms |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {lowest[name, 'one']:.2f} | {lowest[name, 'many']:.2f} | {an_ecg[name]:.1f} |"
        for name in versions
    ]
    others = [name for name in versions if name != "now"]
    for name in others:
        whole = lowest[name, "many"] / lowest["now", "many"]
        ratio = an_ecg[name] / an_ecg["now"]
        held = "held" if ratio >= TARGET else "not held"
        lines += [
            "",
            f"An ECG more is {ratio:.1f} × faster than {name} (target {TARGET:.0f}: {held}); the "
            f"whole call of {count} ECGs, start-up included, {whole:.1f} ×.",
        ]
    return "\n".join([*lines, "", *describe_parts(folder, an_ecg["now"])]) + "\n"


def describe_parts(folder: Path, an_ecg_ms: float) -> list[str]:
    """What dominates now; and what other formats cost to read."""
    paths = sorted((folder / "many").glob("*.hea"))
    read_ms = median_ms(read_ecg, paths)
    records = [read_ecg(path) for path in paths]
    prepare_ms = median_ms(prepare_ecg, records)
    analyse_ms = median_ms(analyse_ecg, [prepare_ecg(record) for record in records])
    rest_ms = an_ecg_ms - read_ms - prepare_ms - analyse_ms
    lines = ["| part of an ECG now | CPU ms | share |", "|---|---|---|"]
    for name, value in (
        ("reading the file", read_ms),
        ("`prepare_ecg`", prepare_ms),
        ("`analyse_ecg`", analyse_ms),
        ("the rest: looking through folders, hashes, shards, the store", rest_ms),
    ):
        lines.append(f"| {name} | {value:.1f} | {100 * value / an_ecg_ms:.0f} % |")
    lines += ["", "| reading another format | CPU ms |", "|---|---|"]
    for path in sorted((ROOT / "assets" / "samples").iterdir()):
        if path.suffix in (".xml", ".dcm"):
            lines.append(f"| {path.name} | {median_ms(read_ecg, [path] * 5):.0f} |")
    return lines


def median_ms(work: Callable[[Any], object], values: Iterable[object]) -> float:
    taken = []
    for value in values:
        start = time.process_time()
        work(value)
        taken.append(1000.0 * (time.process_time() - start))
    return statistics.median(taken)


if __name__ == "__main__":
    main()
