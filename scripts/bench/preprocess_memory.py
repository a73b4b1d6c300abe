#!/usr/bin/env python3
"""Resident memory of a long `ptacl preprocess` run, and what it makes of bad files (R22, R23).

    python scripts/bench/preprocess_memory.py [--ecgs 2000] [--cines 40] [--workers 2] [--write]

Makes a folder of ECG files (sample ECGs under new names, one in twenty damaged) and cine series
(NIfTI and zips of JPEG 2000 images; one in eight damaged), preprocesses it, and looks at the
memory of the process and of its workers at each quarter of the visits. Every decoder process of
the first `--deaths` that are met is killed (SIGKILL) while it works. Exit status 1 when memory
grows from the first quarter to the last by more than a tenth, when the run does not end, or when a
file is neither in the manifest nor in rejected.parquet. `--write` puts the report in
assets/benchmarks/preprocess_memory_<date>.md.
"""

import argparse
import io
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import nibabel
import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, MRImageStorage, generate_uid

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "assets" / "samples"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
NUM_SLICES, NUM_FRAMES, SIDE_PX = 9, 25, 128
DAMAGED_ECGS, DAMAGED_CINES = 20, 8
"""One in so many is damaged."""
QUARTERS = (0.25, 0.5, 0.75, 1.0)
MAX_GROWTH = 0.10
RUN = """
import sys
from pathlib import Path
from ptacl_core.progress import SilentProgress
from ptacl_core.stages.preprocess import run as preprocess

class Told(SilentProgress):
    done = total = 0
    def start(self, task, total, unit):
        if task == "preprocess":
            Told.total = total
    def advance(self, task, amount=1, **figures):
        if task == "preprocess":
            Told.done += amount
            print(Told.done, Told.total, flush=True)

summary = preprocess.run(
    Path(sys.argv[1]), Path(sys.argv[2]), num_workers=int(sys.argv[3]), progress=Told()
)
print("accepted", summary.accepted, "left out", summary.rejected, summary.reasons, flush=True)
"""


def make_folder(folder: Path, *, num_ecgs: int, num_cines: int, seed: int) -> None:
    """ECGs and cines of people numbered at random, so that both kinds come throughout."""
    chance = random.Random(seed)
    people = chance.sample(range(1_000_000, 9_999_999), num_ecgs)
    headers = sorted(SAMPLES.glob("*.hea"))
    for number, person in enumerate(people):
        path = folder / f"{person}_20205_2_0.hea"
        source = headers[number % len(headers)]
        path.write_text(source.read_text().replace(source.stem, path.stem))
        signal_path = path.with_suffix(".mat")
        if number % DAMAGED_ECGS == 0:
            data = source.with_suffix(".mat").read_bytes()
            signal_path.write_bytes(data[: chance.randrange(len(data))])
        else:
            os.link(source.with_suffix(".mat"), signal_path)
    for number, person in enumerate(people[:num_cines]):
        is_damaged = number % DAMAGED_CINES == DAMAGED_CINES - 1
        frames = make_frames(person)
        if number % 2:
            data = zip_of_images(frames, is_damaged=is_damaged)
            (folder / f"{person}_20209_2_0.zip").write_bytes(data)
        else:
            path = folder / f"{person}_20209_2_0.nii.gz"
            image = nibabel.Nifti1Image(frames.transpose(3, 2, 0, 1), np.diag([1.8, 1.8, 10, 1]))
            image.header["pixdim"][4] = 0.03
            nibabel.save(image, path)
    for person in people[1 : num_cines : 2 * DAMAGED_CINES]:
        (folder / f"{person}_20209_3_0.nii.gz").write_bytes(
            b"\x1f\x8b" + bytes(chance.randbytes(900))
        )


def make_frames(seed: int) -> np.ndarray:
    """A bright beating disc in noise, int16 [slice, frame, row, column]."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    distance = np.hypot(rows - SIDE_PX / 2, columns - SIDE_PX / 2)
    frames = generator.normal(120, 12, (NUM_SLICES, NUM_FRAMES, SIDE_PX, SIDE_PX))
    for frame in range(NUM_FRAMES):
        radius = 16 + 4 * np.cos(2 * np.pi * frame / NUM_FRAMES)
        frames[:, frame] += 500 * (distance < radius) + 150 * (abs(distance - radius - 4) < 4)
    return frames.astype(np.int16)


def zip_of_images(frames: np.ndarray, *, is_damaged: bool) -> bytes:
    stream = io.BytesIO()
    study, series = generate_uid(), generate_uid()
    with zipfile.ZipFile(stream, "w") as archive:
        for at in range(NUM_SLICES):
            for frame in range(NUM_FRAMES):
                pixels = io.BytesIO()
                Image.fromarray(frames[at, frame].astype(np.uint16)).save(
                    pixels, "JPEG2000", irreversible=False, no_jp2=True
                )
                code = pixels.getvalue()
                if is_damaged:
                    code = code[:40] + bytes(len(code) - 40)
                dataset = describe(at, frame, study, series)
                dataset.PixelData = encapsulate([code])
                dataset["PixelData"].VR = "OB"
                packed = io.BytesIO()
                dataset.save_as(packed, enforce_file_format=True)
                archive.writestr(f"{at:02d}-{frame:02d}.dcm", packed.getvalue())
    return stream.getvalue()


def describe(at: int, frame: int, study: str, series: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(JPEG_2000)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = MRImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.Modality, dataset.InstanceNumber = "MR", 1 + frame + at * NUM_FRAMES
    dataset.ImagePositionPatient = [0, 0, 10.0 * at]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing, dataset.SliceThickness = [1.8, 1.8], 8
    dataset.TriggerTime = 30.0 * frame
    dataset.Rows = dataset.Columns = SIDE_PX
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    return dataset


class Watch(threading.Thread):
    """Largest resident memory of a process and of its descendants; kills decoders it meets."""

    def __init__(self, process_id: int, num_deaths: int) -> None:
        super().__init__(daemon=True)
        self.process_id, self.deaths_left, self.num_killed = process_id, num_deaths, 0
        self.main_mib = self.workers_mib = self.decoder_mib = 0.0
        self._seen: set[int] = set()
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(0.02):
            parents = list_parents()
            self.main_mib = read_resident_mib(self.process_id)
            workers = 0.0
            for child in descendants(self.process_id, parents):
                memory_mib, command = read_resident_mib(child), read_command(child)
                if "dicom_decoder.py" in command:
                    self.decoder_mib = max(self.decoder_mib, memory_mib)
                    self._kill(child)
                else:
                    workers += memory_mib
            self.workers_mib = workers

    def _kill(self, process_id: int) -> None:
        if process_id in self._seen:
            return
        self._seen.add(process_id)
        if self.deaths_left:
            self.deaths_left -= 1
            self.num_killed += 1
            os.kill(process_id, signal.SIGKILL)


def list_parents() -> dict[int, int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # gone meanwhile
            parents[int(entry.name)] = int(fields[1])
    return parents


def descendants(process_id: int, parents: dict[int, int]) -> list[int]:
    processes, waiting = [], [process_id]
    while waiting:
        at = waiting.pop()
        children = [child for child, parent in parents.items() if parent == at]
        processes += children
        waiting += children
    return processes


def read_resident_mib(process_id: int) -> float:
    try:
        pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def read_command(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def run(source: Path, cohort: Path, *, num_workers: int, num_deaths: int) -> dict:
    """The run's memory at each quarter (largest since the quarter before), its end, its words."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", RUN, source, cohort, str(num_workers)],
        stdout=subprocess.PIPE,
        text=True,
    )
    watch = Watch(process.pid, num_deaths)
    watch.start()
    rows, main_mib, workers_mib, last = [], [], [], ""
    assert process.stdout is not None
    for line in process.stdout:
        words = line.split()
        if words and words[0] == "accepted":
            last = line.strip()
            continue
        done, total = int(words[0]), int(words[1])
        main_mib.append(watch.main_mib)
        workers_mib.append(watch.workers_mib)
        if len(rows) < len(QUARTERS) and done >= QUARTERS[len(rows)] * total:
            rows.append((done, max(main_mib), max(workers_mib)))
            main_mib, workers_mib = [], []
    status = process.wait()
    watch.is_over.set()
    return {"rows": rows, "status": status, "last": last, "watch": watch}


def count_files(source: Path, cohort: Path) -> tuple[int, int, Counter[str], int]:
    """Recordings in the source, those in the manifest, reasons of the rest, unaccounted ones."""
    recordings = [path for path in source.iterdir() if path.suffix in {".hea", ".zip", ".gz"}]
    manifest = pq.read_table(cohort / "shards" / "manifest.parquet").to_pylist()
    rejected = pq.read_table(cohort / "shards" / "rejected.parquet").to_pylist()
    accepted = sum((row["ecg_row"] is not None) + (row["cine_row"] is not None) for row in manifest)
    files = {(row["patient"], row["visit"], row["modality"]) for row in rejected}
    reasons = Counter(f"{row['modality']}: {row['reason']}" for row in rejected)
    return len(recordings), accepted, reasons, len(recordings) - accepted - len(files)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--ecgs", type=int, default=2000)
    parser.add_argument("--cines", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--deaths", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ptacl-memory-") as scratch:
        os.environ["PTACL_KEYS"] = str(Path(scratch, "keys"))
        source, cohort = Path(scratch, "source"), Path(scratch, "cohort")
        source.mkdir()
        make_folder(source, num_ecgs=arguments.ecgs, num_cines=arguments.cines, seed=arguments.seed)
        started_s = time.monotonic()
        result = run(source, cohort, num_workers=arguments.workers, num_deaths=arguments.deaths)
        wall_s = time.monotonic() - started_s
        counts = count_files(source, cohort) if result["status"] == 0 else None
        shutil.rmtree(source)
    report, is_held = make_report(arguments, result, counts, wall_s)
    print(report)
    if arguments.write:
        name = f"preprocess_memory_{datetime.now(UTC):%Y-%m-%d}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(report)
    sys.exit(not is_held)


def make_report(arguments, result, counts, wall_s) -> tuple[str, bool]:
    rows, watch = result["rows"], result["watch"]
    growth = (rows[-1][1] + rows[-1][2]) / (rows[0][1] + rows[0][2]) - 1 if rows else 1.0
    num_files, accepted, reasons, unaccounted = counts or (0, 0, Counter(), -1)
    is_held = result["status"] == 0 and growth <= MAX_GROWTH and unaccounted == 0
    names = ("numpy", "pydicom", "pillow", "nibabel")
    lines = [
        "# Memory of a long `ptacl preprocess` run",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} CPUs, Python "
        f"{platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names)
        + f". `scripts/bench/preprocess_memory.py --ecgs {arguments.ecgs} --cines "
        f"{arguments.cines} --workers {arguments.workers} --deaths {arguments.deaths}`. Simulated "
        "and sample files: evidence about the code, never about hearts.",
        "",
        "| visits done | process, MiB | its workers together, MiB |",
        "|---|---|---|",
        *(
            f"| {done} | {main_mib:.0f} | {workers_mib:.0f} |"
            for done, main_mib, workers_mib in rows
        ),
        "",
        "Each row is the largest resident size since the row before.",
        "",
        "| what | measured | target | |",
        "|---|---|---|---|",
        f"| growth from 25 % to 100 % | {growth:+.1%} | ≤ {MAX_GROWTH:.0%} | "
        f"{'held' if growth <= MAX_GROWTH else 'MISSED'} |",
        f"| decoder processes killed while they worked | {watch.num_killed}, the run went on to "
        f"its end (exit status {result['status']}) | | |",
        f"| largest decoder process | {watch.decoder_mib:.0f} MiB | ≤ 3072 MiB | |",
        f"| recordings / accepted / rows in rejected.parquet | {num_files} / {accepted} / "
        f"{sum(reasons.values())} | | |",
        f"| recordings without an answer | {unaccounted} | 0 | "
        f"{'held' if unaccounted == 0 else 'MISSED'} |",
        f"| wall time (a shared machine) | {wall_s:.0f} s | | |",
        "",
        "Left out: "
        + "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        + ".",
        "",
    ]
    return "\n".join(lines), is_held


if __name__ == "__main__":
    main()
