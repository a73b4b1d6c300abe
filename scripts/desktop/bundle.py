#!/usr/bin/env python
"""The one-folder bundle: built, searched for traces of this machine, driven, weighed, timed.

    nice -n 10 python scripts/desktop/bundle.py --dist FOLDER --report PATH

FOLDER is where `pyinstaller --distpath FOLDER assets/desktop/ptacl.spec` left `ptacl/`. Beside it
stand Debian's EDFbrowser and AMIDE: installed size, and the time from start to the first window
that is shown, all on one Xvfb. Exit status 1 when the bundle holds a trace, does not open a cohort,
or leaves a process.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.desktop.driving import open_window, wait_for_end  # noqa: E402
from scripts.desktop.installed import Installed  # noqa: E402
from scripts.desktop.screen import Screen, open_screen  # noqa: E402
from scripts.desktop.steps import (  # noqa: E402
    close_by_its_button,
    open_patient,
    wait_for_start_page,
)

FIRST = "S000000"
NUM_STARTS = 5
PEERS = {"EDFbrowser": "edfbrowser", "AMIDE": "amide"}
MIB = 2**20


@dataclass(frozen=True)
class Bundle(Installed):
    """The bundle in place of an environment."""

    @property
    def program(self) -> Path:
        """What a double click starts."""
        return self.environment / "ptacl-app"


def find_traces(folder: Path, traces: list[str]) -> list[str]:
    """Files that hold one of these texts, as bytes."""
    left = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            left += [
                f"{path.relative_to(folder)}: {trace}"
                for trace in traces
                if trace.encode() in content
            ]
    return left


def measure_folder(folder: Path) -> float:
    """MiB of the files in it; a link weighs nothing."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / MIB


def measure_package(package: str) -> tuple[float, float]:
    """MiB of a Debian package, and with all that it depends on (Essential packages too)."""
    answer = subprocess.run(
        ["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts",
         "--no-breaks", "--no-replaces", "--no-enhances", package],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = {line.strip() for line in answer.splitlines() if line[:1].isalnum()}
    sizes = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Package} ${Installed-Size}\\n"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    kib = {
        name: int(size)
        for state, name, size in (line.split() for line in sizes.splitlines())
        if state == "ii" and size.isdigit()
    }
    return kib[package] / 1024, sum(kib.get(name, 0) for name in names) / 1024


async def time_start(screen: Screen, words: list[str], variables: dict[str, str]) -> float:
    """Seconds from start to the first window that is shown; the program is ended then."""
    before = set(screen.find("."))
    began_s = time.monotonic()
    process = subprocess.Popen(
        words, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd=variables["HOME"],
    )  # fmt: skip
    try:
        async with asyncio.timeout(120):
            while not set(screen.find(".")) - before:
                await asyncio.sleep(0.02)
        return time.monotonic() - began_s
    finally:
        process.terminate()
        process.wait()
        async with asyncio.timeout(60):
            while set(screen.find(".")) - before:
                await asyncio.sleep(0.05)


async def drive(bundle: Bundle, screen: Screen, cohort: Path) -> list[str]:
    """What was seen of the bundle: from its menu entry, cohort, file, end."""
    seen = []
    async with open_window(bundle, screen) as driven:
        await wait_for_start_page(driven)
        seen.append("the start page")
        await driven.click_on("#example")
        await driven.wait_for_text("RESEARCH USE ONLY", timeout_s=400)
        seen.append("sixty simulated patients, embedded by the packed model (torch)")
        await close_by_its_button(driven)
        assert await wait_for_end(bundle) == {"processes": [], "ports": []}
        seen.append("nothing left after its end")
    async with open_window(bundle, screen, cohort) as driven:
        await driven.wait_for_text("RESEARCH USE ONLY")
        await driven.wait_for_text(r"1–\d+ of")
        await open_patient(driven, FIRST)
        seen.append("a cohort's folder, a patient with ECG and cine")
        await close_by_its_button(driven)
        assert await wait_for_end(bundle) == {"processes": [], "ports": []}
    return seen


async def measure(bundle: Bundle, cohort: Path) -> tuple[list[str], dict[str, list[float]]]:
    """Drive it, then time it and its peers in turn."""
    with open_screen() as screen:
        bundle.install_entry(screen)
        seen = await drive(bundle, screen, cohort)
        variables = bundle.variables(screen)
        commands = {"PTACL": [str(bundle.program), "desktop"]}
        commands |= {name: [program] for name, program in PEERS.items()}
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(NUM_STARTS):
            for name, words in commands.items():
                times[name].append(await time_start(screen, words, variables))
                await asyncio.sleep(1.0)
    return seen, times


def main() -> int:
    """Search, drive, weigh, time, report."""
    parser = argparse.ArgumentParser(description="The bundle beside EDFbrowser and AMIDE.")
    parser.add_argument("cohort", type=Path, help="one of `ptacl demo`")
    parser.add_argument("--dist", type=Path, required=True)
    parser.add_argument("--trace", action="append", default=[], help="text that must not be in it")
    parser.add_argument("--report", type=Path, required=True)
    given = parser.parse_args()
    traces = [str(ROOT), sys.base_prefix, *given.trace]
    folder = Path(tempfile.mkdtemp(prefix="ptacl-bundle-"))
    try:
        (folder / "home").mkdir()
        bundle = Bundle(given.dist.absolute() / "ptacl", folder / "home")
        left = find_traces(bundle.environment, traces)
        for line in left:
            print(line)
        seen, times = asyncio.run(measure(bundle, given.cohort.absolute()))
        sizes = {"PTACL": (measure_folder(bundle.environment),) * 2}
        sizes |= {name: measure_package(package) for name, package in PEERS.items()}
        rows = [
            f"| {name} | {own:.0f} MiB | {whole:.0f} MiB | {statistics.median(times[name]):.2f} s "
            f"({min(times[name]):.2f}–{max(times[name]):.2f}) |"
            for name, (own, whole) in sizes.items()
        ]
        load = os.getloadavg()[0]
        given.report.write_text("\n".join(describe(rows, seen, left, len(traces), load)) + "\n")
    finally:
        shutil.rmtree(folder)
    return 1 if left else 0


def describe(
    rows: list[str], seen: list[str], traces: list[str], num_traces: int, load: float
) -> list[str]:
    """The report."""
    return [
        "# The one-folder bundle beside EDFbrowser and AMIDE",
        "",
        "`pyinstaller assets/desktop/ptacl.spec`, torch's CPU build, PySide6; "
        f"`python scripts/desktop/bundle.py`, {time.strftime('%Y-%m-%d', time.gmtime())}. Debian's "
        "packages of EDFbrowser and AMIDE on the same Xvfb, in turn, "
        f"{NUM_STARTS} starts each, files in the cache, two shared cores (load {load:.0f}).",
        "",
        "| program | its own files | with all that it needs | start to first window, median |",
        "|---|---|---|---|",
        *rows,
        "",
        "PTACL's bundle brings everything but libc and X; the packages' third column sums every "
        "installed Debian package that they depend on, libc and X among them. What fills "
        "the bundle is torch and Qt's browser.",
        "",
        "Driven from its menu entry in an empty home: " + "; ".join(seen) + ".",
        "",
        f"Searched for {num_traces} traces of the building machine (folders, its name): "
        + ("none found." if not traces else f"{len(traces)} found."),
    ]


if __name__ == "__main__":
    sys.exit(main())
