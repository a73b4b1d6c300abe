#!/usr/bin/env python
"""Stream a whole named cohort into shards, watch its memory, check it; writes a dated report.

python scripts/bench/simulate_cohort.py FOLDER [--preset bench] [--workers 2] [--no-report]

Runs `ptacl simulate` as a child and sums the memory of all its processes (PSS: a page shared by
two counts once) every second; then reads the shards back: every patient once, the splits of the
preset, sizes on disk. Stopped and started again, it goes on. The folder is left as it is.
"""

import argparse
import datetime
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

from ptacl_core.config.simulation import COHORT_PRESETS, load_cohort_settings
from ptacl_core.shards import SPLIT_NAMES, ShardReader

LARGEST_MEMORY_GIB = 4.0


def list_processes(root: int) -> list[int]:
    """The process `root` and all its descendants (Linux)."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended meanwhile
            continue
        children.setdefault(int(fields[1]), []).append(int(folder.name))
    processes, waiting = [], [root]
    while waiting:
        processes.append(waiting.pop())
        waiting += children.get(processes[-1], [])
    return processes


def sum_memory_kib(root: int) -> int:
    """Proportional set size of `root` and its descendants."""
    total = 0
    for process in list_processes(root):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:  # it ended meanwhile
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def simulate(command: list[str]) -> tuple[float, float, float]:
    """Run `command`: wall seconds, CPU seconds, peak memory in GiB. Exits when it fails."""
    started_s, peak_kib = time.monotonic(), 0
    child = subprocess.Popen(command)
    while child.poll() is None:
        peak_kib = max(peak_kib, sum_memory_kib(child.pid))
        time.sleep(1.0)
    if child.returncode:
        sys.exit(child.returncode)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - started_s, usage.ru_utime + usage.ru_stime, peak_kib / 2**20


def check_shards(folder: Path, preset: str) -> list[str]:
    """Report lines of what the shards hold. Raises AssertionError when something is missing."""
    settings = load_cohort_settings(preset)
    expected = settings.split.resolve(settings.num_patients)
    with ShardReader.open(folder) as reader:
        assert reader.patients == [f"S{number:06d}" for number in range(settings.num_patients)]
        counts = tuple(reader.splits.count(name) for name in SPLIT_NAMES)
        assert counts == expected, (counts, expected)
        num_pairs = len(reader.rows())
        last = reader.rows()[-1:]
        assert reader.read_cine(last).any()
        assert reader.read_ecg(last).any()
    files = [path for path in (folder / "shards").rglob("*") if path.is_file()]
    gigabytes = sum(path.stat().st_size for path in files) / 1e9
    return [
        f"- read back with `ShardReader`: {settings.num_patients} patients, each once; train, "
        f"validation, test = {', '.join(f'{count:,}' for count in counts)}; {num_pairs:,} of them "
        "with both recordings (the others' ECG has a lead fault and was rejected, as meant)",
        f"- shards: {gigabytes:.1f} GB in {len(files)} files",
    ]


def main() -> None:
    """Measure, print, and keep the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", choices=COHORT_PRESETS, default="bench")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--no-report", action="store_true")
    arguments = parser.parse_args()
    options = ["--preset", arguments.preset, "--workers", str(arguments.workers)]
    program = str(Path(sys.executable).with_name("ptacl"))
    command = [program, "simulate", str(arguments.folder), *options]
    wall_s, cpu_s, peak_gib = simulate(command)
    calls = json.loads((arguments.folder / "generation.json").read_text())["calls"]
    made = calls[-1]
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    lines = [
        f"# Simulator: the whole cohort `{arguments.preset}` into shards, {today}",
        "",
        f"- `ptacl simulate FOLDER {' '.join(options)}` on {platform.machine()}, Python "
        f"{platform.python_version()}",
        f"- this call made {made['num_patients']:,} patients in {made['seconds']:,.0f} s: "
        f"{made['num_patients'] / made['seconds']:.1f} pairs/s by the wall clock, preprocessing "
        "and writing included; the whole command, store and dataset card included, took "
        f"{wall_s:,.0f} s and {cpu_s:,.0f} s of CPU time",
        f"- peak memory of all its processes together: {peak_gib:.2f} GiB (bound "
        f"{LARGEST_MEMORY_GIB:g} GiB)",
        *check_shards(arguments.folder, arguments.preset),
    ]
    print("\n".join(lines))
    if not arguments.no_report:
        target = Path(__file__).resolve().parents[2] / "assets" / "benchmarks"
        target.mkdir(parents=True, exist_ok=True)
        path = target / f"simulate_{arguments.preset}_{today}.md"
        path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
