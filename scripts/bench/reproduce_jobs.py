"""`ptacl reproduce` at one commit beside another: wall, CPU and whether the figures are the same.

    git worktree add /tmp/before COMMIT
    python scripts/bench/reproduce_jobs.py --before /tmp/before [--patients 400 | --cohort DIR]
        [--size demo] [--rows random,mae,global,ptacl] [--one-thread] [--save]

The tree before runs as it did by default, one job with as many threads as there are cores, and
once more with one thread, since a training rounds otherwise with two: with those figures this
tree's are compared. This tree runs two jobs of one thread each. All begin with a copy of the same
cohort, simulated by the tree before: newer trees read the older one's. The machine's other load is
told beside the figures: CPU seconds feel it less. With `--one-thread` the tree before runs with
one thread only: where other work keeps the cores busy, its two threads wait for each other and the
wall time of its default says nothing.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ptacl_core.json_values import JsonObject

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "assets" / "benchmarks"
COMMAND = "from ptacl_core.cli.main import main; main()"
FIGURES = ("rows", "comparisons", "retrieval", "nested", "trend", "headlines", "coverage")
"""Sections of the report that hold figures."""


@dataclass(frozen=True)
class Cost:
    """What a reproduction took; `load` is the machine's mean load of the last minute at its end."""

    wall_s: float
    cpu_s: float
    load: float


def call(tree: Path, arguments: list[str], *, threads: int | None) -> tuple[JsonObject, Cost]:
    """Run the command line of a tree; its document and what it took."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    environment.pop("OMP_NUM_THREADS", None)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments, "--json"],
        env=environment, cwd=tree, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    wall_s, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = sum(getattr(after, name) - getattr(before, name) for name in ("ru_utime", "ru_stime"))
    return json.loads(done.stdout), Cost(wall_s, cpu_s, os.getloadavg()[0])


def find_largest_difference(first: Any, second: Any, place: str = "") -> tuple[float, str]:
    """The largest relative difference of any two numbers, and where; infinite if others differ."""
    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        pairs = [(first[key], second[key], f"{place}.{key}") for key in first]
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        pairs = [
            (*both, f"{place}[{at}]") for at, both in enumerate(zip(first, second, strict=True))
        ]
    elif isinstance(first, float) and isinstance(second, float):
        return abs(first - second) / max(abs(first), abs(second), 1e-12), place
    else:
        return (0.0 if first == second else float("inf")), place
    return max((find_largest_difference(*pair) for pair in pairs), default=(0.0, place))


def measure(options: argparse.Namespace, folder: Path) -> dict[str, object]:
    """All reproductions, one after the other."""
    made = options.cohort
    if made is None:
        made = folder / "cohort"
        simulated = ["--preset", options.preset, "--patients", str(options.patients)]
        call(options.before, ["simulate", str(made), *simulated], threads=1)
    chosen = ["--rows", options.rows, "--size", options.size, "--seeds", "1"]
    calls = {}
    kinds: list[tuple[str, Path, int | None, int | None]] = [
        ("before", options.before, None, None),
        ("before, one thread", options.before, None, 1),
        ("after", ROOT, 2, 1),
    ]
    for name, tree, jobs, threads in kinds[1:] if options.one_thread else kinds:
        cohort = Path(shutil.copytree(made, folder / name))
        subprocess.run(  # a store of the tree's own version; verify may have remarks
            [sys.executable, "-c", COMMAND, "verify", str(cohort), "--repair"],
            env={**os.environ, "PYTHONPATH": str(tree)}, cwd=tree, check=False,
        )  # fmt: skip
        extra = [] if jobs is None else ["--jobs", str(jobs)]
        calls[name] = call(tree, ["reproduce", str(cohort), *chosen, *extra], threads=threads)
        document, cost = calls[name]
        print(f"{name}: {cost}, by step {document['provenance']['durations']['by_step_s']}")
    first, alone = calls["before, one thread"]
    before, (second, after) = calls.get("before", (first, alone))[1], calls["after"]
    differences = {
        name: find_largest_difference(first.get(name), second.get(name)) for name in FIGURES
    }
    return {
        "command": f"ptacl reproduce --rows {options.rows} --size {options.size} --seeds 1",
        "patients": second["cohort"]["train"] + second["cohort"]["test"],
        "before": {
            "commit": commit_of(options.before),
            "jobs": 1,
            "threads": 1 if options.one_thread else os.cpu_count(),
            **asdict(before),
        },
        "before, one thread": asdict(alone),
        "after": {"commit": commit_of(ROOT), "jobs": 2, **asdict(after)},
        "wall_ratio": after.wall_s / before.wall_s,
        "cpu_ratio": after.cpu_s / before.cpu_s,
        "cpu_ratio_one_thread": after.cpu_s / alone.cpu_s,
        "by_step_s": {
            name: document["provenance"]["durations"]["by_step_s"]
            for name, (document, _) in calls.items()
        },
        "largest_relative_difference": differences,
        "machine": {"cores": os.cpu_count(), "cpu": platform.processor() or platform.machine()},
    }


def commit_of(tree: Path) -> str:
    """The commit of a tree, or its folder where it is no checkout."""
    done = subprocess.run(
        ["git", "-C", tree, "rev-parse", "--short", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip() or tree.name


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--before", type=Path, required=True, help="tree to compare with")
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--preset", default="demo", help="preset of the simulated cohort")
    parser.add_argument("--cohort", type=Path, help="a cohort without runs, in place of simulating")
    parser.add_argument("--size", default="demo")
    parser.add_argument("--rows", default="random,mae,global,ptacl")
    parser.add_argument("--one-thread", action="store_true", help="the tree before, in one thread")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(options, Path(folder))
    text = json.dumps(report, indent=1, default=str)
    print(text)
    if options.save:
        day = datetime.datetime.now(tz=datetime.UTC).date()
        (RESULTS / f"reproduce-{options.size}-{day}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
