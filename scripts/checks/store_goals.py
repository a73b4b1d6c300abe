#!/usr/bin/env python3
"""The reliability goals of the cohort store, at one of three lengths.

short: what `ptacl selftest` tries on a user's machine, under a minute. tests (default): the tests
that hold each goal, and how many of them passed. long: the counts that the goals ask for (kills,
damaged files, escapes, bombs …), hours on two cores; each goal's line goes to `--report` as soon as
it is known, so that an interrupted run keeps what it has.

    python scripts/checks/store_goals.py                              # the tests of all goals
    python scripts/checks/store_goals.py R12 R39
    python scripts/checks/store_goals.py --length long R6 R7 --scale 0.1 --report FILE
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

UNIT = "tests/unit/cohort/test_store_"
FAULTS, LIMITS, ERASURE = f"{UNIT}faults.py", f"{UNIT}sql_limits.py", f"{UNIT}erasure.py"
NEIGHBOURS, CHECKPOINT = f"{UNIT}neighbours.py", "tests/unit/train/test_checkpoint.py"
CUSTODY = "tests/pipeline/test_custody_commands.py"

GOALS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "R1": ("kill -9 during writes, builds of an index and erasures", "killed", (
        FAULTS, NEIGHBOURS, ERASURE)),
    "R2": ("damaged and foreign stores", "damaged_store or foreign or stray_log", (FAULTS,)),
    "R3": ("full disks", "full_disk", (FAULTS, CHECKPOINT)),
    "R4": ("a second writer is refused by name", "second_writer", (FAULTS,)),
    "R5": ("readers while others publish", "reader", (FAULTS,)),
    "R6": ("SQL escapes refused, with the positive control", "", (f"{UNIT}sql_escapes.py",)),
    "R7": ("query bombs ended", "bomb or grow or cancelled", (LIMITS,)),
    "R8": ("fuzzed statements", "nonsense", (LIMITS,)),
    "R9": ("engine functions with hostile arguments", "functions", (LIMITS,)),
    "R10": ("ordinary questions answered", "ordinary or row_counts", (LIMITS,)),
    "R11": ("damaged indexes", "damaged_index or damaged_manifest or stale_index", (NEIGHBOURS,)),
    "R12": ("bad vectors refused", "bad_vectors or bad_query_vectors", (NEIGHBOURS,)),
    "R13": ("exact order", "exact_search or direction", (NEIGHBOURS,)),
    "R14": ("malicious weights run nothing", "malicious", (CHECKPOINT,)),
    "R15": ("damaged checkpoints noticed", "damage or flipped or random_bytes", (CHECKPOINT,)),
    "R32": ("an erased person leaves no byte", "leaves_no_byte", (ERASURE, CUSTODY)),
    "R33": ("nor comes back", "cannot_come_back or comes_back", (ERASURE, CUSTODY)),
    "R34": ("a planted person is found in every disguise", "disguise or compresses or identifier", (
        ERASURE, "tests/pipeline/test_preprocess_files.py")),
    "R35": ("tampering with the audit log", "", (f"{UNIT}notes.py",)),
    "R36": ("exports without formulas", "", (f"{UNIT}exports.py",)),
    "R37": ("files 0600, folders 0700", "owner", (
        FAULTS, "tests/pipeline/test_private_and_offline.py")),
    "R38": ("every command without sockets", "", ("tests/pipeline/test_private_and_offline.py",)),
    "R39": ("every figure leads to its files", "", ("tests/pipeline/custody/test_lineage.py",)),
    "R41": ("no person in two parts of a split", "one_part_of_a_split", (f"{UNIT}queries.py",)),
    "R43": ("stores of every release open", "", (f"{UNIT}schema.py",)),
}  # fmt: skip
"""Goal to what it says, the `-k` that picks its tests (empty: all), and their files."""


@dataclass(frozen=True, slots=True)
class Line:
    """One goal: how many of its attempts, or of its tests, held."""

    goal: str
    what: str
    num_held: int
    num_tried: int


def list_goals(length: str) -> list[str]:
    """The goals that are tried at a length."""
    if length == "short":
        from ptacl_core.cohort.health.self_test import GOALS as SHORT_GOALS

        return [goal for goals in SHORT_GOALS for goal in goals.split(", ")]
    if length == "long":
        from scripts.soak.store import ATTEMPTS

        return list(ATTEMPTS)
    return list(GOALS)


def run_short(goals: Sequence[str]) -> Iterator[Line]:
    """The self-test's goals, those of `goals` alone where there are any."""
    from ptacl_core.cohort.health.self_test import GOALS as SHORT_GOALS
    from ptacl_core.cohort.health.self_test import run_self_test

    chosen = [key for key in SHORT_GOALS if not goals or set(key.split(", ")) & set(goals)]
    for check in run_self_test(only=chosen):
        yield Line(check.goal, check.what, check.num_passed, check.num_tried)


def run_tests(goals: Sequence[str]) -> Iterator[Line]:
    """How many tests of each goal passed, of how many."""
    for goal in goals or GOALS:
        what, chosen, files = GOALS[goal]
        with tempfile.TemporaryDirectory(prefix="ptacl-goals-") as folder:
            report = Path(folder) / "tests.xml"
            command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *files]
            if chosen:
                command += ["-k", chosen]
            command += ["-m", "not slow"]
            subprocess.run(command, cwd=ROOT, check=False, stdout=sys.stderr)
            suite = ElementTree.parse(report).getroot()[0].attrib
        num_tests = int(suite["tests"])
        num_lost = sum(int(suite[kind]) for kind in ("failures", "errors", "skipped"))
        yield Line(goal, what, num_tests - num_lost, num_tests)


def run_long(goals: Sequence[str], *, scale: float) -> Iterator[Line]:
    """Every attempt at each goal, `scale` times as often as the goals ask."""
    from ptacl_core.errors import CohortError
    from scripts.soak.store import ATTEMPTS

    for goal in goals or ATTEMPTS:
        what, attempt, full_count = ATTEMPTS[goal]
        count = max(1, round(full_count * scale))
        with tempfile.TemporaryDirectory(prefix="ptacl-soak-") as folder:
            os.environ["PTACL_KEYS"] = str(Path(folder) / "keys")
            try:
                num_held, num_tried = attempt(Path(folder), count)
            except (AssertionError, OSError, CohortError, subprocess.SubprocessError):
                traceback.print_exc()
                num_held, num_tried = 0, count
        yield Line(goal, what, num_held, num_tried)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("goals", nargs="*", help="such as R12; all when none is given")
    parser.add_argument("--length", choices=("short", "tests", "long"), default="tests")
    parser.add_argument("--scale", type=float, default=1.0, help="long: part of the full counts")
    parser.add_argument("--report", type=Path, help="Markdown file to append the lines to")
    options = parser.parse_args()
    unknown = sorted(set(options.goals) - set(list_goals(options.length)))
    if unknown:
        names = ", ".join(list_goals(options.length))
        parser.error(f"expected goals among {names}, got {', '.join(unknown)}")
    lines = {
        "short": lambda: run_short(options.goals),
        "tests": lambda: run_tests(options.goals),
        "long": lambda: run_long(options.goals, scale=options.scale),
    }[options.length]()
    write(describe_machine(options.length), options.report)
    is_held, started_s, before_s = True, time.monotonic(), sum(os.times()[:4])
    for line in lines:
        now_s, cpu_s = time.monotonic(), sum(os.times()[:4])
        figures = f"{cpu_s - before_s:.0f} | {now_s - started_s:.0f}"
        counts = f"{line.num_held} | {line.num_tried}"
        write(f"| {line.goal} | {line.what} | {counts} | {figures} |\n", options.report)
        is_held &= line.num_held == line.num_tried > 0
        started_s, before_s = now_s, cpu_s
    sys.exit(0 if is_held else 1)


def describe_machine(length: str) -> str:
    """The head of the table: what was tried, with what."""
    import duckdb

    return (
        f"\n## duckdb {duckdb.__version__}, {datetime.now(UTC):%Y-%m-%d}\n\n{platform.machine()}, "
        f"{os.cpu_count()} CPUs, Python {platform.python_version()}, length {length}\n\n"
        "| goal | what | held | tried | CPU s | wall s |\n|---|---|---|---|---|---|\n"
    )


def write(text: str, report: Path | None) -> None:
    """Print, and append to the report where one is kept."""
    print(text, end="", flush=True)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        with report.open("a", encoding="utf-8") as stream:
            stream.write(text)


if __name__ == "__main__":
    main()
