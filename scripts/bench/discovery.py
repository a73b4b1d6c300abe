#!/usr/bin/env python3
"""Measures the walk over a tree of 50,000 small files: files per second of process CPU time.

Half are heads of CardioSoft XML, half MR images of two a cine, one person a folder of the last two
digits, as UK Biobank's platform spreads them. Median of the rounds after a first one, one thread.

    python scripts/bench/discovery.py [--files 50000] [--rounds 3] [--code DIR] [--write]

`--code` measures another checkout of this repository, such as an older commit's worktree; `--write`
puts the report in assets/benchmarks/discovery_<date>.md.
"""

import argparse
import os
import platform
import statistics
import struct
import sys
import tempfile
import time
from collections import Counter
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(options.code))
    from ptacl_core.io import discover

    with tempfile.TemporaryDirectory(prefix="ptacl-discovery-") as name:
        num_files = build_tree(Path(name) / "tree", options.files)
        seconds: list[float] = []
        kinds: Counter[str] = Counter()
        for _ in range(options.rounds + 1):
            started_s = time.process_time()
            kinds = Counter(found.modality for found in discover(Path(name) / "tree"))
            seconds.append(time.process_time() - started_s)
    usual_s = statistics.median(seconds[1:])
    lines = [
        f"# Discovery of {num_files} small files",
        "",
        f"{num_files / usual_s:.0f} files per second of CPU time ({usual_s:.2f} s, median of "
        f"{options.rounds} rounds: {', '.join(f'{each:.2f}' for each in seconds[1:])} s); found "
        f"{', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}.",
        "",
        f"{platform.processor() or platform.machine()}, one thread, Python "
        f"{platform.python_version()}, `scripts/bench/discovery.py --files {options.files} "
        f"--rounds {options.rounds}`",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        today = datetime.now(UTC).date().isoformat()
        (ROOT / "assets" / "benchmarks" / f"discovery_{today}.md").write_text(text)


if __name__ == "__main__":
    main()
