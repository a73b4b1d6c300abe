#!/usr/bin/env python3
# ruff: noqa: E402 - the paths come first
"""Loads 60 broken files into the running app, one after another (reliability.md R22).

    python scripts/soak/app.py COHORT [--files 60] [--seed 0] [--save REPORT.md]

Twenty are made to hurt (bombs, loops, pipes, pickles, lengths that lie), the rest are real samples
changed in one to eight places. Each goes through the dialog that a user sees. Held: the app runs
on, the file is shown or refused in one clear sentence, no traceback, no child left behind. Exit
status 1 otherwise.
"""

import argparse
import asyncio
import gzip
import io
import os
import random
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import numpy as np
from soak.readers import damage

from ptacl_app.app import PtaclApp
from ptacl_app.screens.load_ecg import LoadEcgScreen
from ptacl_app.shell.settings import AppSettings

SAMPLES = ROOT / "assets" / "samples"
WAIT_S = 120.0


def _zip(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _lying_npy(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)


def _pickled_npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return stream.getvalue()


ENTITIES = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
LAUGHS = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a0 "ha">{ENTITIES}]><r>&a9;</r>'
DICOM = bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00\xff\xff\xff\xff"
EDF = b"0".ljust(8) + b"X".ljust(160) + b"01.01.0101.01.01" + b"99999999" + b"".ljust(44)
SPECIALS: dict[str, Callable[[], bytes]] = {
    "empty.hea": bytes,
    "zeros.dcm": lambda: bytes(4096),
    "lengths.dcm": lambda: DICOM + b"\xff" * 64,
    "cut.dcm": lambda: (SAMPLES / "pydicom_waveform_ecg.dcm").read_bytes()[:900],
    "picture.jpg": lambda: b"\xff\xd8\xff\xe0" + os.urandom(2000) + b"\xff\xd9",
    "bomb.zip": lambda: _zip({"a.csv": bytes(200_000_000)}),
    "slip.zip": lambda: _zip({"../../out.csv": b"1,2\n", "/etc/x.csv": b"1\n"}),
    "nested.zip": lambda: _zip({"b.zip": _zip({"c.zip": _zip({"d.csv": b"1\n"})})}),
    "bomb.csv.gz": lambda: gzip.compress(bytes(200_000_000)),
    "laughs.xml": LAUGHS.encode,
    "outside.xml": lambda: (
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'
    ),
    "deep.xml": lambda: b"<a>" * 200_000,
    "line.csv": lambda: b"1," * 5_000_000,
    "letters.csv": lambda: "ä\x1b]0;x\x07,é\n".encode() * 1000,
    "pickle.npy": _pickled_npy,
    "huge.npy": lambda: _lying_npy("(1000000000000, 12)"),
    "negative.npy": lambda: _lying_npy("(-1, 12)"),
    "many.edf": lambda: EDF + b"9999".ljust(4) + bytes(5000),
    "lengths.scp": lambda: b"\x00\x00" + struct.pack("<I", 2**31 - 1) + os.urandom(3000),
    "names.hea": lambda: b"../../../etc/passwd 12 500 5000\n" + b"x.mat 16 200/mV 16\n" * 12,
}


def write_broken(folder: Path, number: int, chance: random.Random) -> Path:
    """The broken file of that number: the specials first, then damaged samples."""
    names = list(SPECIALS)
    if number < len(names):
        path = folder / names[number]
        path.write_bytes(SPECIALS[names[number]]())
        return path
    if number == len(names):
        os.mkfifo(folder / "pipe.csv")
        return folder / "pipe.csv"
    sources = sorted(sample for sample in SAMPLES.iterdir() if sample.suffix != ".md")
    source = chance.choice(sources)
    here = folder / f"{number:03d}"
    here.mkdir()
    for sibling in sources:
        if sibling.stem == source.stem:
            (here / sibling.name).write_bytes(sibling.read_bytes())
    (here / source.name).write_bytes(damage(source.read_bytes(), chance))
    return here / source.with_suffix(".hea" if source.suffix == ".mat" else source.suffix).name


async def load(app: PtaclApp, pilot, path: Path) -> tuple[str, bool]:
    """What the app says of the file, and whether that is how it should be."""
    from textual.widgets import Static

    shown = app.patient
    screen = LoadEcgScreen(path)
    await app.push_screen(screen)
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        await pilot.pause(0.02)
        if app.patient is not shown:
            return "shown", app.is_running
        if not screen.is_busy and screen.query_one("#note", Static).has_class("-failure"):
            text = str(screen.query_one("#note", Static).content)
            screen.dismiss()
            await pilot.pause()
            is_clear = 10 < len(text) <= 600 and "\n" not in text and "Traceback" not in text
            return text, app.is_running and is_clear
    return f"no answer in {WAIT_S:.0f} s", False


async def soak(cohort: Path, num_files: int, seed: int) -> list[tuple[str, str, bool, float]]:
    """(file, what was said, held, seconds) for each."""
    chance = random.Random(seed)
    results = []
    with tempfile.TemporaryDirectory() as name:
        app = PtaclApp(
            cohort, settings=AppSettings(remember=False, fps=1.0), state_dir=Path(name) / "state"
        )
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause(1.0)
            for number in range(num_files):
                path = write_broken(Path(name), number, chance)
                started = time.monotonic()
                said, is_held = await load(app, pilot, path)
                results.append((path.name, said, is_held, time.monotonic() - started))
                print(f"{'ok' if is_held else 'FAILED':7}{path.name:26} {said[:120]}", flush=True)
            faults = list((Path(name) / "state").glob("crash-*.txt"))
        if faults or app._exception is not None:
            results.append(("faults of the app", f"{len(faults)} notes", False, 0.0))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="write the report, Markdown, to this file")
    options = parser.parse_args()
    results = asyncio.run(soak(options.cohort, options.files, options.seed))
    num_held = sum(is_held for _, _, is_held, _ in results)
    num_shown = sum(said == "shown" for _, said, _, _ in results)
    slowest = max(results, key=lambda result: result[3])
    verdict = (
        f"{num_held}/{len(results)} survived with a clear answer ({num_shown} shown, the others "
        f"refused in words); slowest {slowest[3]:.1f} s ({slowest[0]})"
    )
    print(verdict)
    if options.save is not None:
        rows = [f"| {name} | {said.replace('|', '/')[:160]} |" for name, said, _, _ in results]
        head = [
            "# Broken files in the running app (R22)",
            "",
            f"{time.strftime('%Y-%m-%d')}, `python scripts/soak/app.py COHORT --seed "
            f"{options.seed}`. {verdict}.",
            "",
            "| file | the app says |",
            "|---|---|",
        ]
        options.save.write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    sys.exit(num_held != len(results))


if __name__ == "__main__":
    main()
