#!/usr/bin/env python
"""UK Biobank's platform, of invented people, in deliveries of every order against one call.

    nice -n 10 python scripts/soak/platform_tree.py --people 500 --report report.md

ECGs and cines in folders of their own, a table in each header style, a withdrawal list. One cohort
is made by one call, others by three deliveries of which one dies by SIGKILL and is given again. All
must be equal per pseudonym and visit: arrays bit for bit, rows field for field, and the rows of the
store. Exit status 1 when they are not.
"""

import argparse
import os
import platform as machine
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ptacl_core.config.preprocess import PreprocessSettings  # noqa: E402
from ptacl_core.stages.preprocess import run as preprocess  # noqa: E402
from ptacl_core.stages.preprocess.summary import PreprocessSummary  # noqa: E402
from tests.pipeline.platform_tree import (  # noqa: E402
    STORE_TABLES,
    STYLES,
    Platform,
    build_platform,
    deliver_killed,
    find_differences,
    read_content,
)


@dataclass(frozen=True)
class Delivery:
    """What one call brings; with `killed_after`, it first dies at that visit."""

    name: str
    sources: list[Path]
    killed_after: int = 0


def plan_orders(tree: Platform, num_people: int) -> dict[str, list[Delivery]]:
    """Deliveries by name of their order."""
    listed = tree.withdrawal
    kill = max(num_people // 2, 2)
    lower = sorted(tree.ecg.iterdir())[::2]
    upper = sorted(tree.ecg.iterdir())[1::2]
    return {
        "ECG; cines, killed on the way; tables": [
            Delivery("ECG", [tree.ecg, listed]),
            Delivery("cines and half of the tables", [tree.cmr, listed, *tree.tables[::2]], kill),
            Delivery("the other tables", [listed, *tree.tables[1::2]]),
        ],
        "tables and half of the ECGs; cines and the rest, killed; all": [
            Delivery("tables and half of the ECGs", [*tree.tables, listed, *lower]),
            Delivery("cines and the other ECGs", [*upper, tree.cmr, listed], kill),
            Delivery("everything once more", [tree.root]),
        ],
    }


def deliver(cohort: Path, delivery: Delivery) -> PreprocessSummary:
    """One delivery, given again after it died."""
    if delivery.killed_after:
        deliver_killed(cohort, delivery.sources, after=delivery.killed_after, rows_per_shard=64)
    return preprocess.run(delivery.sources, cohort, num_workers=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    lines = [f"# UK Biobank's platform in deliveries, {options.people} invented people", ""]
    faults = 0
    with tempfile.TemporaryDirectory(prefix="ptacl-platform-") as name:
        folder = Path(name)
        os.environ["PTACL_KEYS"] = str(folder / "keys")
        started_s = time.monotonic()
        tree = build_platform(folder / "ukb", options.people)
        num_files = sum(path.is_file() for path in tree.root.rglob("*"))
        lines += [
            f"{num_files} files: {tree.num_ecg} ECGs, {tree.num_cmr} cines and "
            f"{tree.num_pairs} pairs of people who have not withdrawn; {len(STYLES)} tables, each "
            f"in another header style ({', '.join(STYLES)}); a withdrawal list of two people.",
            "",
        ]
        empty = folder / "empty"
        preprocess.open_or_create(empty, PreprocessSettings())
        at_once = Path(shutil.copytree(empty, folder / "at_once"))
        summary = preprocess.run(tree.root, at_once, num_workers=1)
        expected = {"ecg": tree.num_ecg, "cmr": tree.num_cmr, "pairs": tree.num_pairs}
        faults += summary.accepted != expected
        visits = read_content(at_once)
        lines += [f"One call: {summary.accepted}, {len(visits)} visits.", ""]
        for number, (order, deliveries) in enumerate(plan_orders(tree, options.people).items()):
            cohort = Path(shutil.copytree(empty, folder / f"order-{number}"))
            lines += [f"## {order}", ""]
            for delivery in deliveries:
                result = deliver(cohort, delivery)
                visit = delivery.killed_after
                died = f", after it died at visit {visit}" if visit else ""
                lines.append(
                    f"- {delivery.name}{died}: {result.accepted}, {result.finished} visits "
                    f"finished before, {result.completed} completed, {result.changed} changed"
                )
            differences = find_differences(cohort, at_once)
            faults += len(differences)
            lines += ["", f"Differences from one call: {len(differences)}", *differences, ""]
        lines += [
            f"Compared: every field and array of {len(visits)} visits, and of the store the tables "
            f"{', '.join(STORE_TABLES)}.",
            "",
            f"{time.monotonic() - started_s:.0f} s on {machine.processor() or machine.machine()}, "
            f"one process, Python {machine.python_version()}. "
            f"`python scripts/soak/platform_tree.py --people {options.people}`",
        ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.report is not None:
        options.report.write_text(text)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
