#!/usr/bin/env python3
"""Every goal of the cohort store by name: the tests that hold it, and how many of them passed.

The long counts of the goals that are counted (kills, damaged files, escapes, bombs …) are
`soak_store.py`'s; here their tests run in short form, and with `--slow` in the longer one.

    python scripts/checks/store_goals.py              # all goals
    python scripts/checks/store_goals.py R12 R39
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
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
    "R39": ("every figure leads to its files", "", ("tests/pipeline/test_lineage.py",)),
    "R41": ("no person in two parts of a split", "one_part_of_a_split", (f"{UNIT}queries.py",)),
    "R43": ("stores of every release open", "", (f"{UNIT}schema.py",)),
}  # fmt: skip
"""Goal to what it says, the `-k` that picks its tests (empty: all), and their files."""


def run_goal(goal: str, *, with_slow: bool) -> tuple[int, int]:
    """How many tests of a goal passed, of how many."""
    _, chosen, files = GOALS[goal]
    with tempfile.TemporaryDirectory(prefix="ptacl-goals-") as folder:
        report = Path(folder) / "tests.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *files]
        if chosen:
            command += ["-k", chosen]
        if not with_slow:
            command += ["-m", "not slow"]
        subprocess.run(command, cwd=ROOT, check=False, stdout=sys.stderr)
        suite = ElementTree.parse(report).getroot()[0].attrib
    num_tests = int(suite["tests"])
    return num_tests - sum(
        int(suite[each]) for each in ("failures", "errors", "skipped")
    ), num_tests


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("goals", nargs="*", help="such as R12; all when none is given")
    parser.add_argument("--slow", action="store_true", help="the tests marked slow as well")
    options = parser.parse_args()
    unknown = sorted(set(options.goals) - set(GOALS))
    if unknown:
        parser.error(f"expected goals among {', '.join(GOALS)}, got {', '.join(unknown)}")
    print("| goal | what | tests passed | tests |\n|---|---|---|---|")
    is_held = True
    for goal in options.goals or GOALS:
        passed, tried = run_goal(goal, with_slow=options.slow)
        is_held &= passed == tried > 0
        print(f"| {goal} | {GOALS[goal][0]} | {passed} | {tried} |", flush=True)
    sys.exit(0 if is_held else 1)


if __name__ == "__main__":
    main()
