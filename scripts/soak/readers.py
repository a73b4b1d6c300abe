#!/usr/bin/env python3
"""Damages real files at random and counts what the readers make of them (reliability.md R17, R21).

    python scripts/soak/readers.py DIR [--ecg 10000] [--cine 2000] [--dicom 50000] [--seconds 600]

ECG and cine files below DIR are changed in one to eight places and read; each must give a record
or an error of ours. Compressed DICOM images are changed and given to the decoders that we ship, in
the process that reading uses; a process that ends without an answer is a death. Each part stops at
its number or at its share of `--seconds`. Exit status 1 for anything but records and errors in
words.
"""

import argparse
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, RLELossless, generate_uid

import ptacl_core.io.cine.dicom.decoder
from ptacl_core.errors import PtaclError
from ptacl_core.io import discover, read_cine, read_ecg
from ptacl_core.io.cine.dicom.pixel_layout import DECODERS, has_extra_decoders

SPLICES = (b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"999999", b"-1", b"nan", b"")
FILES_PER_CHILD = 500
SIDE_PX = 48
CHILD_MEMORY_BYTES, CHILD_CPU_S = 2 * 1024**3, 600


def damage(data: bytes, chance: random.Random, *, start: int = 0) -> bytes:
    """`data` after one to eight edits behind `start`; half of them near it, where headers are."""
    edited = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        reach = chance.choice((64, 512, 4096, len(edited)))
        at = start + int(chance.random() * min(reach, max(len(edited) - start, 1)))
        at = min(at, len(edited) - 1)
        kind = chance.randrange(7)
        if kind == 0:
            edited[at] = chance.randrange(256)
        elif kind == 1:
            edited[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            edited[at : at + 4] = chance.choice(SPLICES)
        elif kind == 3:
            del edited[at : at + chance.randint(1, 256)]
        elif kind == 4:
            edited[at:at] = bytes([chance.randrange(256)]) * chance.randint(1, 9)
        elif kind == 5:
            del edited[max(at, 1) :]
        else:
            source = chance.randrange(len(edited))
            edited[at : at + 16] = edited[source : source + 16]
        if len(edited) <= start:
            break
    return bytes(edited)


def soak_recordings(
    paths: list[Path],
    read: Callable[[Path], object],
    *,
    num_files: int,
    deadline_s: float,
    what: str,
    chance: random.Random,
) -> bool:
    """Damaged copies one after another, companions (signal files) beside them untouched or hurt."""
    counts: Counter[str] = Counter()
    slowest_s, faults = 0.0, []
    while counts.total() < num_files and time.monotonic() < deadline_s:
        path = chance.choice(paths)
        with tempfile.TemporaryDirectory(prefix="ptacl-soak-") as scratch:
            parts = sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix == ".hea" else [path]
            for part in parts:
                shutil.copy(part, scratch)
            victim = Path(scratch, chance.choice(parts).name)
            victim.chmod(0o600)
            victim.write_bytes(damage(victim.read_bytes(), chance))
            started_s = time.process_time()
            try:
                read(Path(scratch, path.name))
                counts["records"] += 1
            except PtaclError as error:
                counts["errors in words"] += 1
                if not str(error).isprintable() or len(str(error)) > 1000:
                    faults.append(f"message of {path.suffix}: {str(error)[:80]!r}")
            except Exception as error:  # noqa: BLE001 - what this script looks for
                counts["OTHER EXCEPTIONS"] += 1
                faults.append(f"{path.name}: {type(error).__name__}: {error}")
            slowest_s = max(slowest_s, time.process_time() - started_s)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(
        f"{what}: {counts.total()} damaged files of {len(paths)} sources: {dict(counts)}; slowest "
        f"{slowest_s:.2f} s of CPU, peak memory {peak_gib:.2f} GiB",
        flush=True,
    )
    for fault in faults[:20]:
        print(f"  {fault}", flush=True)
    return not faults


def soak_decoders(*, num_files: int, deadline_s: float, chance: random.Random) -> bool:
    """Damaged compressed pixels through the shipped decoders, in the process that reading uses."""
    sources = build_images()
    totals: dict[str, Counter[str]] = {name: Counter() for name in sources}
    num_done = 0
    while num_done < num_files and time.monotonic() < deadline_s:
        with tempfile.TemporaryDirectory(prefix="ptacl-soak-") as scratch:
            jobs, names = [], []
            for number in range(min(FILES_PER_CHILD, num_files - num_done)):
                name = chance.choice(list(sources))
                syntax, data, start = sources[name]
                path = Path(scratch, f"{number:06d}.dcm")
                path.write_bytes(damage(data, chance, start=start))
                target = str(path.with_suffix(".raw"))
                shape = [1, SIDE_PX, SIDE_PX]
                jobs.append(
                    {
                        "path": str(path),
                        "decoder": DECODERS.get(syntax, "pylibjpeg"),
                        "shape": shape,
                        "target": target,
                    }
                )
                names.append(name)
            while jobs:
                answers = run_decoder(jobs)
                for name, answer in zip(names, answers, strict=False):
                    totals[name]["refused" if answer else "decoded"] += 1
                num_done += len(answers)
                if len(answers) < len(jobs):
                    totals[names[len(answers)]]["DEATHS"] += 1
                    num_done += 1
                jobs, names = jobs[len(answers) + 1 :], names[len(answers) + 1 :]
    for name, counts in totals.items():
        print(f"decoder, {name}: {counts.total()} damaged images: {dict(counts)}", flush=True)
    num_deaths = sum(counts["DEATHS"] for counts in totals.values())
    print(f"decoders: {num_done} damaged images, {num_deaths} deaths", flush=True)
    return not num_deaths


def run_decoder(jobs: list[dict]) -> list[dict]:
    document = {"memory_bytes": CHILD_MEMORY_BYTES, "cpu_s": CHILD_CPU_S, "files": jobs}
    finished = subprocess.run(
        [sys.executable, "-P", str(ptacl_core.io.cine.dicom.decoder.__file__)],
        input=json.dumps(document).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return [json.loads(line) for line in finished.stdout.splitlines() if line.endswith(b"}")]


def build_images() -> dict[str, tuple[str, bytes, int]]:
    """One image in each compressed form: transfer syntax, file, where its pixels begin."""
    rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX]
    pixels = (2000 * np.exp(-((rows - 20) ** 2 + (columns - 25) ** 2) / 90)).astype(np.uint16)
    packed = {
        "JPEG baseline": ("1.2.840.10008.1.2.4.50", 8, save(pixels // 8, "JPEG", quality=90)),
        "JPEG 2000 lossless": (
            "1.2.840.10008.1.2.4.90",
            16,
            save(pixels, "JPEG2000", irreversible=False, no_jp2=True),
        ),
        "JPEG 2000 lossy": (
            "1.2.840.10008.1.2.4.91",
            16,
            save(pixels, "JPEG2000", irreversible=True, no_jp2=True, quality_layers=[8]),
        ),
    }
    images = {}
    for name, (syntax, bits, data) in packed.items():
        dataset = describe(bits)
        dataset.PixelData = encapsulate([data])
        dataset["PixelData"].VR = "OB"
        images[name] = (syntax, *write(dataset, syntax, data[:16]))
    if has_extra_decoders() and find_spec("jpeg_ls"):
        import jpeg_ls  # pyright: ignore[reportMissingImports] - the extra `compressed`

        syntax = "1.2.840.10008.1.2.4.80"
        data = bytes(jpeg_ls.encode(pixels))
        dataset = describe(16)
        dataset.PixelData = encapsulate([data])
        dataset["PixelData"].VR = "OB"
        images["JPEG-LS"] = (syntax, *write(dataset, syntax, data[:16]))
    dataset = describe(16)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.PixelData = pixels.tobytes()
    dataset.compress(RLELossless, encoding_plugin="pydicom")
    images["RLE"] = (RLELossless, *write(dataset, RLELossless, b"\xfe\xff\x00\xe0"))
    return images


def save(pixels: np.ndarray, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    grey = pixels.astype(np.uint8) if form == "JPEG" else pixels
    Image.fromarray(grey).save(stream, form, **options)
    return stream.getvalue()


def describe(bits: int) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = MRImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Rows = dataset.Columns = SIDE_PX
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    return dataset


def write(dataset: Dataset, syntax: str, mark: bytes) -> tuple[bytes, int]:
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    data = stream.getvalue()
    return data, data.index(mark)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ecg", type=int, default=10_000)
    parser.add_argument("--cine", type=int, default=2_000)
    parser.add_argument("--dicom", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    chance = random.Random(arguments.seed)
    files = list(discover(arguments.folder))
    share_s = arguments.seconds / 3
    is_clean = soak_decoders(
        num_files=arguments.dicom, deadline_s=time.monotonic() + share_s, chance=chance
    )
    for what, read, num_files in (
        ("ecg", read_ecg, arguments.ecg),
        ("cmr", read_cine, arguments.cine),
    ):
        paths = [file.path for file in files if file.modality == what and file.path.is_file()]
        if paths and num_files:
            is_clean &= soak_recordings(
                paths,
                read,
                num_files=num_files,
                deadline_s=time.monotonic() + share_s,
                what=what,
                chance=chance,
            )
    sys.exit(not is_clean)


if __name__ == "__main__":
    main()
