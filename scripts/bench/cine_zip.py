#!/usr/bin/env python3
"""Measures reading a cine zip of UK Biobank's size: 20 series of 50 images, 192 × 208 pixels.

Each header carries about 120 elements and two private ones of 10 KB, as Siemens writes them.
Process CPU time, median of the rounds, one thread.

    python scripts/bench/cine_zip.py [--rounds 5] [--write]

`--write` puts the report in assets/benchmarks/cine_zip_<date>.md.
"""

import argparse
import io
import os
import platform
import statistics
import tempfile
import time
import zipfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from ptacl_core.io import read_cine

ROOT = Path(__file__).resolve().parents[2]
NUM_SLICES = 10
NUM_FRAMES = 50
ROWS, COLUMNS = 208, 192
NUM_FILLERS = 80
PRIVATE_BYTES = 10_000


def build_image(series: int, frame: int, rng: np.random.Generator, uids: list[UID]) -> bytes:
    """One DICOM file: slice `series % 10`, the second ten series with burned-in contours."""
    at_slice = series % NUM_SLICES
    inline = "_InlineVF" if series >= NUM_SLICES else ""
    image = Dataset()
    image.SOPClassUID = MRImageStorage
    image.SOPInstanceUID = generate_uid(entropy_srcs=[f"{series}-{frame}"])
    image.SeriesInstanceUID, image.StudyInstanceUID = uids[series], uids[-1]
    image.Modality, image.PatientID, image.ImageType = "MR", "9000001", ["ORIGINAL", "PRIMARY", "M"]
    image.SeriesDescription = f"CINE_segmented_SAX{inline or f'_b{at_slice + 1}'}"
    image.SeriesNumber, image.InstanceNumber = series + 3, frame + 1
    image.TriggerTime, image.NominalInterval = str(round(18.2 * frame, 1)), 910
    image.ImagePositionPatient = [0, 0, 10 * at_slice]
    image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    image.PixelSpacing, image.SliceThickness = [1.83, 1.83], 8
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Rows, image.Columns, image.PixelRepresentation = ROWS, COLUMNS, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    block = image.private_block(0x0019, "BENCH FILLERS", create=True)
    for number in range(NUM_FILLERS):
        block.add_new(number, "LO", f"value {number}")
    for number in (0xF0, 0xF1):
        block.add_new(number, "OB", rng.bytes(PRIVATE_BYTES))
    row, column = np.mgrid[:ROWS, :COLUMNS]
    radius = 22 + 6 * np.cos(2 * np.pi * frame / NUM_FRAMES)
    heart = np.hypot(row - 104, column - 96) < radius
    pixels = (60 + 180 * heart + rng.integers(0, 12, (ROWS, COLUMNS))).astype("<u2")
    image.PixelData = pixels.tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    stream = io.BytesIO()
    image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def build_zip(path: Path) -> int:
    """The zip at `path`; returns the number of images."""
    rng = np.random.default_rng(0)
    uids = [generate_uid(entropy_srcs=[str(number)]) for number in range(2 * NUM_SLICES + 1)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for series in range(2 * NUM_SLICES):
            for frame in range(NUM_FRAMES):
                image = build_image(series, frame, rng, uids)
                archive.writestr(f"{series:02d}-{frame:03d}.dcm", image)
    return 2 * NUM_SLICES * NUM_FRAMES


def main() -> None:
    """Build the zip, read it some times, print and maybe write the report."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "9000001_20209_2_0.zip"
        num_images = build_zip(path)
        record = read_cine(path)
        seconds, walls = [], []
        for _ in range(options.rounds):
            cpu, wall = time.process_time(), time.perf_counter()
            read_cine(path)
            seconds.append(time.process_time() - cpu)
            walls.append(time.perf_counter() - wall)
        size_mb = path.stat().st_size / 1e6
    report = (
        f"# Reading a cine zip of UK Biobank's size\n\n{datetime.now(UTC):%Y-%m-%d}, "
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"pydicom {version('pydicom')}; {num_images} images, {size_mb:.0f} MB, frames "
        f"{record.frames.shape}.\n\n| | CPU s | wall s |\n|---|---|---|\n| `read_cine`, median of "
        f"{options.rounds} | {statistics.median(seconds):.2f} | {statistics.median(walls):.2f} |\n"
    )
    print(report)
    if options.write:
        name = f"cine_zip_{datetime.now(UTC):%Y-%m-%d}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(report)


if __name__ == "__main__":
    main()
