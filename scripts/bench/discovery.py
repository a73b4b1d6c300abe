#!/usr/bin/env python3
"""Measures the walk over a tree of 50,000 small files: files per second of process CPU time.

Half are heads of CardioSoft XML, half MR images of two a cine, one person a folder of the last two
digits, as UK Biobank's platform spreads them. Median of the rounds after a first one, one thread.

    python scripts/bench/discovery.py [--files 50000] [--rounds 3] [--before DIR] [--write]

`--before` measures another checkout of this repository beside this one, such as an older commit's
worktree, round about, each walk in a process of its own; `--write` puts the report in
assets/benchmarks/discovery_<date>.md.
"""

import argparse
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
MR_IMAGE = b"1.2.840.10008.5.1.4.1.1.4"
PADDING_BYTES = 4096


def element(group: int, number: int, kind: bytes, value: bytes) -> bytes:
    """One element in explicit little endian."""
    padded = value + (b"\0" if kind == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, kind, len(padded)) + padded


def build_image(person: int) -> bytes:
    """The head of an MR image, with bytes in place of its pixels."""
    meta = element(2, 2, b"UI", MR_IMAGE) + element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1")
    body = element(8, 0x16, b"UI", MR_IMAGE) + element(8, 0x22, b"DA", b"20160504")
    body += element(0x10, 0x20, b"LO", str(person).encode())
    body += element(0x20, 0xD, b"UI", f"1.2.826.{person}".encode())
    length = element(2, 0, b"UL", struct.pack("<L", len(meta)))
    return bytes(128) + b"DICM" + length + meta + body + bytes(PADDING_BYTES)


def build_ecg(person: int) -> bytes:
    """The head of a CardioSoft file."""
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><CardiologyXML><ObservationDateTime><Hour>9'
        "</Hour><Minute>30</Minute><Day>4</Day><Month>5</Month><Year>2016</Year>"
        f"</ObservationDateTime><PatientInfo><PID>{person}</PID></PatientInfo></CardiologyXML>"
    ).encode() + b" " * PADDING_BYTES


def build_tree(root: Path, num_files: int) -> int:
    """Write the tree; returns how many files it holds: of each person two ECGs, two images."""
    num_people = num_files // 4
    for person in range(9_000_000, 9_000_000 + num_people):
        ecg = root / "ecg" / f"{person % 100:02d}"
        cine = root / "cmr" / f"{person % 100:02d}" / f"{person}_20209_2_0"
        for folder in (ecg, cine):
            folder.mkdir(parents=True, exist_ok=True)
        for visit in (2, 3):
            (ecg / f"{person}_20205_{visit}_0.xml").write_bytes(build_ecg(person))
            (cine / f"{visit}.dcm").write_bytes(build_image(person))
    return 4 * num_people


WALK = """
import collections, json, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ptacl_core.io import discover
cpu, wall = time.process_time(), time.perf_counter()
kinds = collections.Counter(found.modality for found in discover(Path(sys.argv[2])))
spent = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps([*spent, kinds]))
"""


def walk(code: Path, tree: Path) -> tuple[float, float, dict[str, int]]:
    """CPU seconds, wall seconds and what was found, by the code of a checkout."""
    done = subprocess.run(
        [sys.executable, "-B", "-c", WALK, str(code), str(tree)],
        stdout=subprocess.PIPE, check=True, cwd=code,
    )  # fmt: skip
    cpu_s, wall_s, kinds = json.loads(done.stdout)
    return cpu_s, wall_s, kinds


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    codes = {"now": ROOT} | ({"before": options.before} if options.before else {})
    rows: dict[str, list[tuple[float, float, dict[str, int]]]] = {name: [] for name in codes}
    with tempfile.TemporaryDirectory(prefix="ptacl-discovery-") as folder:
        num_files = build_tree(Path(folder) / "tree", options.files)
        for _ in range(options.rounds):
            for name, code in codes.items():
                rows[name].append(walk(code, Path(folder) / "tree"))
    lines = [
        f"# Discovery of {num_files} small files",
        "",
        "| | files per second of CPU time | CPU s | wall s | found |",
        "|---|---|---|---|---|",
    ]
    for name, walks in rows.items():
        cpu_s = statistics.median(cpu for cpu, _, _ in walks)
        wall_s = statistics.median(wall for _, wall, _ in walks)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(walks[-1][2].items()))
        lines.append(f"| {name} | {num_files / cpu_s:.0f} | {cpu_s:.2f} | {wall_s:.2f} | {kinds} |")
    lines += [
        "",
        f"Median of {options.rounds} walks each, round about, each in a process of its own; "
        f"{platform.processor() or platform.machine()}, one thread, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.0f} on {os.cpu_count()} cores: "
        "compare CPU seconds.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        today = datetime.now(UTC).date().isoformat()
        (ROOT / "assets" / "benchmarks" / f"discovery_{today}.md").write_text(text)


if __name__ == "__main__":
    main()
