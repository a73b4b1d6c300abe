#!/usr/bin/env python3
# ruff: noqa: E402 - the paths come first
"""Does the playing app grow? `scripts/soak/app_memory.py COHORT PATIENT [--minutes 10]`.

The app plays on a pseudo-terminal, in pixels, and is given keys (layouts, zoom, calipers, help,
other screens) every two seconds. Its resident memory is read once a second; the median of the
last fifth must not lie more than 5 % above that of the second fifth. Exit status 1 otherwise.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.bench.app_parts.harness import Harness

KEYS = ("l", "v", "+", "-", "=", "m", "\x1b", "?", "\x1b", "6", "2", "t", "t", "1", "2")
GROWTH = 1.05


def read_rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("patient")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--graphics", default="kitty")
    options = parser.parse_args()
    harness = Harness(
        str(options.cohort), "--patient", options.patient, "--graphics", options.graphics,
        size=(146, 40),
    )  # fmt: skip
    harness.wait_for("beat", timeout_s=60.0)
    resident_mb: list[float] = []
    end_s = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end_s:
        time.sleep(1.0)
        resident_mb.append(read_rss_mb(harness.process.pid))
        harness.pieces.clear()
        if len(resident_mb) % 2 == 0:
            harness.press(KEYS[len(resident_mb) // 2 % len(KEYS)])
    harness.close()
    fifth = len(resident_mb) // 5
    early, late = (
        statistics.median(resident_mb[fifth : 2 * fifth]),
        statistics.median(resident_mb[-fifth:]),
    )
    print(f"{len(resident_mb)} s: {early:.0f} MB in the second fifth, {late:.0f} MB in the last")
    sys.exit(late > GROWTH * early)


if __name__ == "__main__":
    main()
