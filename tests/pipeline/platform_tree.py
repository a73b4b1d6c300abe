"""A tree as UK Biobank's research platform lays it out, of invented people, with small recordings.

ECGs and cines lie in folders of their own, spread over NN/, some people have two visits or one half
alone, the tables come in every header style, and a withdrawal list names two of the people. The
same number of people makes the same tree, byte for byte.
"""

import gzip
import io
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

from ptacl_core.records.phenotypes import PHENOTYPE_FIELD_IDS
from ptacl_core.shards import ShardReader
from tests.unit.io.phenotypes import header_styles

ROOT = Path(__file__).resolve().parents[2]
ECG_SAMPLE = ROOT / "tests" / "data" / "ecg" / "HR06000_cardiosoft.xml.gz"
FIRST_EID = 9_000_000
SLICES, FRAMES, ROWS, COLUMNS = 3, 8, 32, 28
MANIFESTS = ("manifest.csv", "manifest.cvs", "Manifest.csv")
"""As the platform's zips spell the list of what is in them."""
PLACE_COLUMNS = ("shard", "ecg_row", "cine_row")
STORE_TABLES = {
    "patients": "*",
    "visits": "*",
    "recordings": "*",
    "phenotypes": "*",
    "splits": "split_name, patient, split",
    "ecg_marks": "*",
    "ecg_figures": "*",
    "ecg_leads": "*",
    "ecg_statements": "*",
}
AGE = "Age when attended assessment centre"


STYLES: dict[str, tuple[str, str, Callable[[str, int, int], str]]] = {
    "old_csv": ("eid", "31-0.0", header_styles.STYLES["old csv"]),
    "platform": ("eid", "p31", header_styles.STYLES["platform field"]),
    "entity": ("participant.eid", "participant.p31", header_styles.STYLES["with entity"]),
    "r": ("f.eid", "f.31.0.0", header_styles.STYLES["R field"]),
    "title": ("Participant ID", "Sex", header_styles.STYLES["title"]),
    "title_and_field": ("Participant ID", "Sex", header_styles.STYLES["title and field"]),
    "dotted": ("Participant.ID", "Sex", header_styles.STYLES["dotted title and field"]),
    "dotted_old_csv": ("eid", "X31.0.0", header_styles.STYLES["dotted old csv"]),
}


@dataclass(frozen=True)
class Platform:
    """Where the parts of the tree lie, and what is in it."""

    root: Path
    ecg: Path
    cmr: Path
    tables: list[Path] = field(default_factory=list)
    withdrawal: Path = Path()
    num_ecg: int = 0
    num_cmr: int = 0
    num_pairs: int = 0


def build_platform(root: Path, num_people: int) -> Platform:
    """Write the tree of `num_people` below `root`; the counts leave out who has withdrawn."""
    ecg, cmr = root / "Bulk" / "ECG datasets", root / "Bulk" / "Heart MRI"
    text = gzip.decompress(ECG_SAMPLE.read_bytes()).decode("latin-1")
    pieces = re.split(r"(<WaveformData lead=\"\w+\">)([^<]*)", text)
    withdrawn = {3, num_people - 1}
    counts = {"ecg": 0, "cmr": 0, "pairs": 0}
    for person in range(num_people):
        eid = str(FIRST_EID + 17 * person)
        for visit in visits_of(person):
            has_ecg, has_cmr = person % 11 != 5, person % 13 != 7
            number = 2 * person + visit
            if has_ecg:
                path = ecg / eid[-2:] / f"{eid}_20205_{visit}_0.xml"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(write_ecg(pieces, eid, number).encode("latin-1"))
            if has_cmr:
                path = cmr / eid[-2:] / f"{eid}_20209_{visit}_0.zip"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_cine(path, eid, number)
            if person not in withdrawn:
                counts["ecg"] += has_ecg
                counts["cmr"] += has_cmr
                counts["pairs"] += has_ecg and has_cmr
    tables = [
        write_table(root / "tables" / f"{style}.csv", style, range(at, num_people, len(STYLES)))
        for at, style in enumerate(STYLES)
        if at < num_people
    ]
    withdrawal = root / "w90000_20260101.csv"
    withdrawal.write_text("".join(f"{FIRST_EID + 17 * person}\n" for person in sorted(withdrawn)))
    return Platform(
        root, ecg, cmr, tables, withdrawal, counts["ecg"], counts["cmr"], counts["pairs"]
    )


def visits_of(person: int) -> tuple[int, ...]:
    """Most people came once, every sixth twice, some only to the repeat."""
    return (2, 3) if person % 6 == 2 else (3,) if person % 19 == 4 else (2,)


def write_ecg(pieces: list[str], eid: str, number: int) -> str:
    """The sample with its leads scaled and turned in time, so that no two are alike."""
    parts = list(pieces)
    for index in range(2, len(parts), 3):
        values = np.array([int(word) for word in parts[index].replace(",", " ").split()])
        if len(values) == 5000:
            values = np.roll(values, 7 * number % 900)
            values = np.rint(values * (0.8 + (number % 40) / 100)).astype(int)
        parts[index] = ",".join(map(str, values))
    return "".join(parts).replace("<PID>HR06000<", f"<PID>{eid}<")


def write_cine(path: Path, eid: str, number: int) -> None:
    """A zip of small images and their list: a bright cavity that shrinks, a series a slice."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    draw = np.random.default_rng(number)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for at_slice in range(SLICES):
            for at_frame in range(FRAMES):
                radius = 7 - 3 * np.sin(np.pi * at_frame / FRAMES) + draw.random()
                distance = np.hypot(row - ROWS / 2, column - COLUMNS / 2)
                pixels = np.where(distance < radius, 800, 200 + 150 * (distance < radius + 3))
                image = Dataset()
                image.SOPClassUID = meta.MediaStorageSOPClassUID
                image.SOPInstanceUID = UID(f"1.2.9.{number}.{at_slice}.{at_frame}")
                image.Modality = "MR"
                image.PatientID = eid
                image.StudyInstanceUID = f"1.2.9.{number}"
                image.SeriesInstanceUID = f"1.2.9.{number}.{at_slice}"
                image.SeriesNumber = at_slice + 1
                image.SeriesDescription = f"CINE_segmented_SAX_b{at_slice + 1}"
                image.InstanceNumber = at_frame + 1
                image.TriggerTime = str(110 * at_frame)
                image.NominalInterval = str(110 * FRAMES)
                image.SliceThickness = "8"
                image.ImagePositionPatient = [0.0, 0.0, 10.0 * at_slice]
                image.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
                image.PixelSpacing = [5.0, 5.0]
                image.SamplesPerPixel = 1
                image.PhotometricInterpretation = "MONOCHROME2"
                image.Rows, image.Columns = pixels.shape
                image.BitsAllocated = image.BitsStored = 16
                image.HighBit, image.PixelRepresentation = 15, 0
                noisy = pixels + draw.integers(0, 30, pixels.shape)
                image.PixelData = noisy.astype("<u2").tobytes()
                stream = io.BytesIO()
                meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
                file = FileDataset("", image, file_meta=meta, preamble=b"\0" * 128)
                pydicom.dcmwrite(stream, file, enforce_file_format=True)
                member = zipfile.ZipInfo(f"{at_slice}_{at_frame}.dcm", (2020, 1, 1, 0, 0, 0))
                archive.writestr(member, stream.getvalue())
        listed = "".join(
            f"{at_slice}_{at_frame}.dcm,{eid},CINE_segmented_SAX_b{at_slice + 1}\n"
            for at_slice in range(SLICES)
            for at_frame in range(FRAMES)
        )
        name = MANIFESTS[number % len(MANIFESTS)]
        member = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
        archive.writestr(member, f"filename,patientid,seriesdescription\n{listed}")


def write_table(path: Path, style: str, people: range) -> Path:
    """Phenotypes, sex and age of `people`, with the columns of one export."""
    subject, sex, name = STYLES[style]
    columns = [
        *((title, PHENOTYPE_FIELD_IDS[name]) for name, title in header_styles.TITLES.items()),
        (AGE, 21003),
    ]
    header = [subject, sex]
    header += [name(title, number, visit) for title, number in columns for visit in (2, 3)]
    lines = [",".join(f'"{cell}"' for cell in header)]
    for person in people:
        cells = [str(FIRST_EID + 17 * person), "Female" if person % 2 else "Male"]
        for index in range(len(columns)):
            for visit in (2, 3):
                is_there = visit in visits_of(person)
                cells.append(_value(index, person, visit) if is_there else "")
        lines.append(",".join(cells))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def _value(index: int, person: int, visit: int) -> str:
    edv, esv = 130 + person % 50 + visit, 50 + person % 20
    ventricle = [edv, esv, edv - esv, round(100 * (edv - esv) / edv, 2)]
    values = [*ventricle, 5.1, 90 + person % 30, *ventricle, 50 + person % 30 + visit]
    return str(values[index])


def read_content(cohort: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Every visit's arrays and fields, wherever in the shards they lie."""
    with ShardReader.open(cohort) as reader:
        return {
            (row["patient"], row["visit"]): {
                **{name: value for name, value in row.items() if name not in PLACE_COLUMNS},
                "ecg": reader.read_ecg(np.array([index])).tobytes() if _has(row, "ecg") else b"",
                "cine": reader.read_cine(np.array([index])).tobytes() if _has(row, "cine") else b"",
            }
            for index, row in enumerate(reader.table.to_pylist())
        }


def _has(row: dict[str, Any], half: str) -> bool:
    return row[f"{half}_row"] is not None


def read_store(cohort: Path) -> dict[str, list[str]]:
    """The rows of the store's tables in a fixed order, without where and when they were written."""
    with duckdb.connect(str(cohort / "cohort.duckdb"), read_only=True) as store:
        return {
            table: sorted(map(repr, store.execute(f"SELECT {columns} FROM {table}").fetchall()))
            for table, columns in STORE_TABLES.items()
        }


def find_differences(left: Path, right: Path) -> list[str]:
    """What two cohorts do not have in common; [] when they are one and the same."""
    ours, theirs = read_content(left), read_content(right)
    faults = [f"visits: {len(ours.keys() ^ theirs.keys())}"] if ours.keys() != theirs.keys() else []
    for key in ours.keys() & theirs.keys():
        names = [name for name, value in ours[key].items() if value != theirs[key][name]]
        faults += [f"visit {key[1]}: {', '.join(names)}"] if names else []
    stores = read_store(left), read_store(right)
    faults += [f"store {name}" for name in STORE_TABLES if stores[0][name] != stores[1][name]]
    return faults


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from ptacl_core.progress import SILENT
from ptacl_core.stages.preprocess import run as preprocess
class Killing(type(SILENT)):
    left = int(sys.argv[2])
    def advance(self, stage, *args, **kwargs):
        if stage == "preprocess":
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
preprocess.ROWS_PER_SHARD = int(sys.argv[3])
cohort, *sources = map(Path, sys.argv[4:])
preprocess.run(sources, cohort, num_workers=1, progress=Killing())
"""


def deliver_killed(cohort: Path, sources: list[Path], *, after: int, rows_per_shard: int) -> None:
    """A call in a process of its own that dies by SIGKILL at its `after`-th visit."""
    words = [ROOT, after, rows_per_shard, cohort, *sources]
    command = [sys.executable, "-P", "-c", _KILLED, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
