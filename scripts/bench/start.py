#!/usr/bin/env python3
"""How soon a packed model answers, and how soon `ptacl-app --example` opens.

    python scripts/bench/start.py [--rounds 3] [--write]

CPU seconds (user and system, with children) and wall seconds of whole processes from a cold start,
medians; the app on a pseudo-terminal until the first simulated patient stands in its table. One
thread. Goals: one ECG 2.5 s of CPU, a hundred 10 s of CPU, the example 10 s. `--write` puts the
report in assets/benchmarks/start_<date>.md.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.bench.app_parts.harness import Harness  # noqa: E402  after the path

SAMPLE = ROOT / "assets" / "samples" / "HR06000.hea"
NUM_ECGS = 100
FIRST_PATIENT = "S000000"
GOALS = {"predict one ECG": ("cpu", 2.5), f"predict {NUM_ECGS} ECGs": ("cpu", 10.0),
         "ptacl-app --example": ("wall", 10.0)}  # fmt: skip


def measure_predict(files: list[Path]) -> tuple[float, float]:
    """CPU and wall seconds of `ptacl predict FILES --model example --json`."""
    before, started = children_cpu_s(), time.perf_counter()
    finished = subprocess.run(
        [sys.executable, "-P", "-m", "ptacl_core", "predict", *map(str, files),
         "--model", "example", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=True,
    )  # fmt: skip
    wall = time.perf_counter() - started
    if finished.stdout.count(b"lvef_pct") < len(files):
        raise SystemExit("not every ECG was answered")
    return children_cpu_s() - before, wall


def measure_example() -> tuple[float, float]:
    """CPU and wall seconds until a patient of the example is on the screen."""
    before = children_cpu_s()
    harness = Harness("--example", size=(146, 40))
    try:
        wall = harness.wait_for(FIRST_PATIENT, timeout_s=120.0) - harness.started_s
        cpu = harness.cpu_s()
    finally:
        harness.close()
    return max(cpu, children_cpu_s() - before), wall


def children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = copy_ecgs(Path(folder))
        work = {
            "predict one ECG": lambda: measure_predict(files[:1]),
            f"predict {NUM_ECGS} ECGs": lambda: measure_predict(files),
            "ptacl-app --example": measure_example,
        }
        rounds = {name: [measure() for _ in range(arguments.rounds)]
                  for name, measure in work.items()}  # fmt: skip
    now = datetime.now(UTC)
    lines = [
        f"# Cold starts, {now:%Y-%m-%d}", "",
        f"`python scripts/bench/start.py --rounds {arguments.rounds}`: {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, Python "
        f"{platform.python_version()}, torch {version('torch')}, one thread. Medians.", "",
        "| what | CPU s | wall s | goal | held |", "|---|---:|---:|---|---|",
    ]  # fmt: skip
    missed = 0
    for name, measured in rounds.items():
        cpu, wall = (statistics.median(values) for values in zip(*measured, strict=True))
        kind, limit = GOALS[name]
        is_held = {"cpu": cpu, "wall": wall}[kind] <= limit
        missed += not is_held
        held = "yes" if is_held else "NO"
        lines.append(f"| {name} | {cpu:.2f} | {wall:.2f} | {limit:g} s {kind} | {held} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.write:
        (ROOT / "assets" / "benchmarks" / f"start_{now:%Y-%m-%d}.md").write_text(text)
    return 1 if missed else 0


def copy_ecgs(folder: Path) -> list[Path]:
    """A hundred recordings under names of their own."""
    samples = sorted((ROOT / "assets" / "samples").glob("*.hea"))
    files = []
    for number in range(NUM_ECGS):
        source = samples[number % len(samples)]
        header = folder / f"e{number:03d}.hea"
        header.write_text(source.read_text().replace(source.stem, header.stem))
        shutil.copy(source.with_suffix(".mat"), header.with_suffix(".mat"))
        files.append(header)
    return files


if __name__ == "__main__":
    sys.exit(main())
