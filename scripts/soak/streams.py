#!/usr/bin/env python3
"""Ten million rows to Parquet, and to a pipe that closes after one line: memory and time.

The largest resident set of `ptacl query` and of each process that it starts is read from the
kernel (`VmHWM`) while it runs. The goal is 300 MiB for each, and an end soon after the pipe's.

    python scripts/soak/streams.py --save
"""

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from ptacl_core import __version__
from ptacl_core.cohort import Cohort

ROOT = Path(__file__).resolve().parents[2]
GOAL_MIB = 300
CODE = "import sys; sys.path.append(sys.argv.pop(1)); from ptacl_core.cli.main import main; main()"
QUERY = "SELECT range AS row, 'patient-' || range AS name, range / 3.0 AS x FROM range({rows})"


def peak_mib(process: int) -> int:
    """The largest resident set so far of a process or one of its children."""
    peak = 0
    with suppress(OSError, ValueError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        for pid in (process, *map(int, children)):
            with suppress(OSError, IndexError):
                status = Path(f"/proc/{pid}/status").read_text()
                peak = max(peak, int(status.split("VmHWM:")[1].split()[0]) // 1024)
    return peak


class StreamedQuery(NamedTuple):
    """One query: peak memory, seconds to the first line and to the end, its exit status."""

    to: str
    peak_mib: int
    first_s: float | None
    end_s: float
    status: int


def measure(cohort: Path, file_format: str, num_rows: int, *, is_piped: bool) -> StreamedQuery:
    """Run one query of so many rows."""
    command = [
        sys.executable, "-P", "-c", CODE, str(ROOT), "query", str(cohort),
        QUERY.format(rows=num_rows), "--format", file_format, "--limit", str(num_rows),
        "--timeout-s", "3600",
    ]  # fmt: skip
    started_s, first_s = time.monotonic(), None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        peak = 0
        if is_piped:
            process.stdout.readline()
            first_s = time.monotonic() - started_s
            peak = peak_mib(process.pid)
            process.stdout.close()
        while process.poll() is None:
            peak = max(peak, peak_mib(process.pid))
            time.sleep(0.05)
    return StreamedQuery(
        to=f"{file_format}, `head -1`" if is_piped else file_format,
        peak_mib=peak,
        first_s=first_s,
        end_s=time.monotonic() - started_s,
        status=process.returncode,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--save", action="store_true", help="write a report to assets/reports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="streams-") as folder:
        for variable in ("PTACL_KEYS", "XDG_STATE_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = str(Path(folder) / variable.lower())
        cohort = Path(folder) / "cohort"
        Cohort.create(cohort, name="s", source="simulated", preprocessing_hash="x").close()
        rows = [measure(cohort, "parquet", options.rows, is_piped=False)]
        written = [
            pq.ParquetFile(path).metadata.num_rows for path in cohort.glob("exports/*.parquet")
        ]
        rows += [
            measure(cohort, form, options.rows, is_piped=True) for form in ("csv", "jsonl", "table")
        ]
    lines = [
        f"# Streams, {datetime.date.today()}",
        "",
        f"`python scripts/soak/streams.py --rows {options.rows}`, PTACL {__version__}, "
        f"{os.cpu_count()} CPUs under a load of {os.getloadavg()[0]:.0f}. "
        f"Rows in the Parquet file: {sum(written)}.",
        "",
        "| to | peak of the larger process, MiB | first line, s | end, s | exit status |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        first = "" if row.first_s is None else f"{row.first_s:.1f}"
        lines.append(f"| {row.to} | {row.peak_mib} | {first} | {row.end_s:.1f} | {row.status} |")
    print("\n".join(lines))
    if options.save:
        path = ROOT / "assets" / "reports" / f"streams_{datetime.date.today()}.md"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    is_held = sum(written) == options.rows and all(row.peak_mib < GOAL_MIB for row in rows)
    return 0 if is_held else 1


if __name__ == "__main__":
    sys.exit(main())
