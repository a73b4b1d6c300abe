#!/usr/bin/env python
"""Thousands of random folder trees through the plan of `ptacl preprocess`, people known.

scripts/soak/layouts.py [--trees 5000] [--first 0]: counts pairs of two people, people on two sides
of a split, recordings lost in silence; exit status 1 when any is not zero.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.unit.ingest.tree_checks import Tally, check_tree  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    tally = Tally()
    started_s = time.monotonic()
    for seed in range(arguments.first, arguments.first + arguments.trees):
        folder = Path(tempfile.mkdtemp(prefix="ptacl-layouts-"))
        try:
            check_tree(folder / "source", seed, tally)
        finally:
            shutil.rmtree(folder)
    seconds = time.monotonic() - started_s
    print(f"{tally.trees} trees, {tally.recordings} recordings in {seconds:.0f} s")
    print(
        f"pairs found: {tally.pairs} of {tally.true_pairs}; left out and counted: {tally.left_out}"
    )
    for fault, count in sorted(tally.faults.items()):
        print(f"{fault}: {count}")
    if tally.faulty_seeds:
        print(f"seeds: {tally.faulty_seeds[:20]}")
    return 1 if sum(tally.faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
