# ruff: noqa: E402 - textual reads its colour system when it is imported
"""Measure the app: `python scripts/bench/app.py COHORT [--seconds 10] [--save FILE] [--json]`.

CPU time is the figure to trust; wall times hold on an otherwise idle machine only. COHORT is
any cohort with an ECG and a cine (`ptacl simulate /tmp/c --preset tiny`). The start-up figure
uses a store of 100 000 patients made for the purpose.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ptacl_app.data.cohort_reader import CohortReader
from scripts.bench.app_parts.in_process import (
    make_large_store,
    measure_drawing,
    measure_frames,
    measure_pixels,
    measure_table,
)
from scripts.bench.app_parts.on_terminal import (
    measure_dropped_keys,
    measure_pixel_play,
    measure_play,
    measure_slow_line,
    measure_start,
)
from scripts.bench.app_parts.report import print_verdicts, write_report


@dataclass(frozen=True)
class Subject:
    """What is measured, and for how long."""

    cohort: Path
    patient: str
    store: Path
    seconds: float


PARTS: dict[str, Callable[[Subject], dict[str, float]]] = {
    "drawing": lambda it: measure_drawing(it.cohort, it.patient),
    "pixels": lambda it: measure_pixels(it.cohort, it.patient),
    "frames": lambda it: {
        **measure_frames(it.cohort, it.patient, (146, 40)),
        **measure_frames(it.cohort, it.patient, (80, 24)),
    },
    "start": lambda it: measure_start(it.store),
    "table": lambda it: measure_table(it.store),
    "play": lambda it: {
        **measure_play(it.cohort, it.patient, size=(146, 40), seconds=it.seconds),
        **measure_play(it.cohort, it.patient, size=(80, 24), seconds=it.seconds),
    },
    "pixel-play": lambda it: measure_pixel_play(it.cohort, it.patient, seconds=it.seconds),
    "keys": lambda it: measure_dropped_keys(it.cohort, it.patient),
    "slow": lambda it: measure_slow_line(it.cohort, it.patient),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--patient")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--parts", default=",".join(PARTS), help="which, comma-separated")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--save", type=Path, help="write the report, Markdown, to this file too")
    options = parser.parse_args()
    reader = CohortReader.open(options.cohort)
    rows = reader.load_page(where="has_ecg and has_cmr", limit=1).rows
    reader.close()
    if not rows:
        sys.exit("the cohort has no patient with both recordings")
    patient = options.patient or rows[0].patient
    figures: dict[str, float] = {}
    loads: list[float] = []
    wanted = options.parts.split(",")
    with tempfile.TemporaryDirectory() as folder:
        needs_store = {"start", "table"} & set(wanted)
        store = make_large_store(Path(folder), 100_000) if needs_store else Path(folder)
        for name in wanted:
            loads.append(os.getloadavg()[0])
            measured = PARTS[name](Subject(options.cohort, patient, store, options.seconds))
            figures |= measured
            if not options.json:
                for label, value in measured.items():
                    print(f"{label:40} {value:10.3f}", flush=True)
    if options.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    else:
        print_verdicts(figures)
    if options.save is not None:
        options.save.write_text(write_report(figures, loads), encoding="utf-8")


if __name__ == "__main__":
    main()
