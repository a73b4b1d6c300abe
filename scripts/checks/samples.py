#!/usr/bin/env python3
"""Checks the readers on real sample files: one line a test with its figure, held or not.

    python scripts/checks/samples.py DIR [--only ecg|cine]

DIR holds `ecg/` and `cmr/`: ECGs in any format (one ECG may lie there in several, told by its
stem), a DICOM zip and NIfTI of the same cine, `contours/scd_contours.zip`. Readings are compared
with wfdb, pydicom, pyedflib and nibabel. Exit status 1 when a test did not hold.
"""

import argparse
import io
import os
import random
import sys
import tempfile
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import nibabel
import numpy as np
import pydicom
import pyedflib
import wfdb

from ptacl_core.io import discover, read_cine, read_ecg
from ptacl_core.io.ecg.leads import compute_limb_residuals_mv, find_lead
from ptacl_core.preprocess import measure_ecg, prepare_cine, prepare_ecg
from ptacl_core.records import LEAD_NAMES, CineRecord, EcgRecord

CONTAINER_LIMITS_UV = {"cardiosoft_xml": 2.5, "muse_xml": 2.44, "edf": 0.0}
ROLLS_PX = [(0, 0), (25, 0), (-25, 0), (0, 25), (0, -25)]
MAX_DISTANCE_MM = 20.0
MEASUREMENT_LIMITS = {"pr_ms": 25.0, "qrs_ms": 30.0, "qt_ms": 30.0, "axis_deg": 15.0}
"""Differences from the device's own figures that are common between programs."""

FRAMES_PER_SLICE = 20
FULL_IMAGE_PX = 256
"""Side of the images that the contours' pixels count in; NIfTIs hold the middle of them."""


@dataclass
class Report:
    """What was tested, printed as it goes."""

    num_held: int = 0
    failed: list[str] = field(default_factory=list)

    def check(self, what: str, value: object, *, held: bool) -> None:
        print(f"{'held' if held else 'NOT HELD':9s}{what}: {value}", flush=True)
        self.num_held += held
        if not held:
            self.failed.append(what)


def check_ecgs(report: Report, folder: Path) -> None:
    records = {
        file.path: read_ecg(file.path) for file in discover(folder) if file.modality == "ecg"
    }
    for path, record in records.items():
        name = f"{path.name} ({record.source_format})"
        limit_mv = 0.0101 if record.source_format == "philips_xml" else 0.0051
        worst_mv = max(compute_limb_residuals_mv(record.signal_mv[:6]).values())
        report.check(f"Einthoven, {name}", f"{1000 * worst_mv:.2f} µV", held=worst_mv <= limit_mv)
        compare_with_library(report, path, record)
        if record.source_format not in ("wfdb", "edf"):
            report.check(
                f"rhythm, not the median beat, {name}",
                f"{record.duration_s:.2f} s",
                held=record.duration_s >= 8,
            )
        if record.source_format == "philips_xml":
            last = record.signal_mv[:, -500:]
            is_pulse = bool((last == last[:1]).all(axis=0).any())
            codes = [finding.code for finding in record.findings]
            report.check(
                f"calibration tail, {name}", codes, held="tail_cut" in codes and not is_pulse
            )
        check_measurements(report, name, record)
    check_containers(report, records)
    check_flat_leads(report, records)
    twins = [record for record in records.values() if record.source_format in ("scp", "hl7_aecg")]
    if len(twins) == 2:
        difference = float(np.abs(twins[0].signal_mv - twins[1].signal_mv).max())
        report.check("SCP = aECG", f"{difference} mV apart", held=difference == 0)


def check_measurements(report: Report, name: str, record: EcgRecord) -> None:
    """Ours beside what the device wrote; a figure of ours may be absent, never far off."""
    stated = {key: record.device_measurements.get(key) for key in MEASUREMENT_LIMITS}
    if not any(stated.values()):
        return
    ours = measure_ecg(prepare_ecg(record), record)
    pairs = {key: (ours[key], value) for key, value in stated.items() if value and key in ours}
    report.check(
        f"measurements, {name}",
        ", ".join(f"{key} {mine:.0f} (device {its:.0f})" for key, (mine, its) in pairs.items()),
        held=all(abs(mine - its) <= MEASUREMENT_LIMITS[key] for key, (mine, its) in pairs.items()),
    )


def compare_with_library(report: Report, path: Path, record: EcgRecord) -> None:
    oracle = {"wfdb": by_wfdb, "dicom": by_pydicom, "edf": by_pyedflib}.get(record.source_format)
    if oracle is None:
        return
    library = oracle.__name__.removeprefix("by_")
    worst_mv = 0.0
    leads = oracle(path)
    for lead, samples_mv in leads.items():
        ours = record.signal_mv[LEAD_NAMES.index(lead)].astype(np.float64)
        worst_mv = max(worst_mv, float(np.abs(ours - samples_mv[: ours.size]).max()))
    report.check(
        f"= {library}, {path.name}",
        f"{len(leads)} leads, at most {worst_mv:.1e} mV apart",
        held=len(leads) == 12 and worst_mv < 1e-5,
    )


def by_wfdb(path: Path) -> dict[str, np.ndarray]:
    read = wfdb.rdrecord(str(path.with_suffix("")), physical=True)
    assert isinstance(read, wfdb.Record)
    assert read.p_signal is not None
    assert read.sig_name is not None
    return _named(zip(read.sig_name, read.p_signal.T, strict=True))


def by_pydicom(path: Path) -> dict[str, np.ndarray]:
    dataset = pydicom.dcmread(path)
    groups = dataset.WaveformSequence
    index = max(range(len(groups)), key=lambda at: groups[at].NumberOfWaveformSamples)
    channels = groups[index].ChannelDefinitionSequence
    samples = dataset.waveform_array(index).T / 1000.0  # microvolts
    return _named(
        (channel.ChannelSourceSequence[0].CodeMeaning, row)
        for channel, row in zip(channels, samples, strict=True)
    )


def by_pyedflib(path: Path) -> dict[str, np.ndarray]:
    with pyedflib.EdfReader(str(path)) as reader:
        factors = [
            {"uV": 1e-3, "mV": 1.0}[reader.getPhysicalDimension(at)]
            for at in range(reader.signals_in_file)
        ]
        signals = [reader.readSignal(at) * factor for at, factor in enumerate(factors)]
        return _named(zip(reader.getSignalLabels(), signals, strict=True))


def _named(pairs) -> dict[str, np.ndarray]:
    leads = ((find_lead(name), samples) for name, samples in pairs)
    return {lead: samples for lead, samples in leads if lead in LEAD_NAMES}


def check_containers(report: Report, records: dict[Path, EcgRecord]) -> None:
    """The same ECG in other containers, found by the stem of its name."""
    originals = {
        path.stem: record for path, record in records.items() if record.source_format == "wfdb"
    }
    for path, record in records.items():
        limit_uv = CONTAINER_LIMITS_UV.get(record.source_format)
        truth = originals.get(path.stem.split("_")[0])
        if limit_uv is None or truth is None:
            continue
        derived = {lead for finding in record.findings for lead in finding.leads}
        stored = [index for index, lead in enumerate(LEAD_NAMES) if lead not in derived]
        worst_uv = 1000 * float(np.abs(record.signal_mv - truth.signal_mv)[stored].max())
        report.check(
            f"{path.stem.split('_')[0]} through {record.source_format}",
            f"{worst_uv:.3f} µV over {len(stored)} stored leads, limit {limit_uv}",
            held=worst_uv <= limit_uv + 1e-3,
        )


def check_flat_leads(report: Report, records: dict[Path, EcgRecord]) -> None:
    for path, record in records.items():
        flat = tuple(
            lead for lead, row in zip(LEAD_NAMES, record.signal_mv, strict=True) if np.ptp(row) == 0
        )
        named = [finding.leads for finding in record.findings if finding.code == "lead_off"]
        if flat or named:
            report.check(f"flat leads named, {path.name}", named, held=named == [flat])


def check_cines(report: Report, folder: Path) -> None:
    zips = {path.name[:10]: path for path in sorted((folder / "dicom_sax").glob("*.zip"))}
    volumes = {path.name[:10]: path for path in sorted((folder / "nifti").glob("*.nii.gz"))}
    records = {f"{name} DICOM": read_cine(path) for name, path in zips.items()}
    records |= {f"{name} NIfTI": read_cine(path) for name, path in volumes.items()}
    for name, path in volumes.items():
        voxels = nibabel.Nifti1Image.from_filename(path).get_fdata().transpose(2, 3, 1, 0)
        record = records[f"{name} NIfTI"]
        is_same = bool(np.array_equal(record.frames, voxels))
        report.check(f"= nibabel, {path.name}", record.frames.shape, held=is_same)
        if name in zips:
            check_equal(report, name, records[f"{name} DICOM"], record)
    for name, path in zips.items():
        check_pydicom(report, name, path, records[f"{name} DICOM"])
        check_order(report, name, path, records[f"{name} DICOM"])
    contours = read_contours(folder / "contours" / "scd_contours.zip")
    for name, record in records.items():
        check_heart(report, name, record, contours[name.split()[0]])


def check_equal(report: Report, name: str, dicom: CineRecord, nifti: CineRecord) -> None:
    """The NIfTI holds the central pixels of the middle slices."""
    height, width = nifti.frames.shape[2:]
    top, left = (dicom.frames.shape[2] - height) // 2, (dicom.frames.shape[3] - width) // 2
    cut = dicom.frames[:, :, top : top + height, left : left + width]
    first = (len(nifti.frames) - len(cut)) // 2
    is_same = bool(np.array_equal(cut, nifti.frames[first : first + len(cut)]))
    report.check(f"DICOM zip = NIfTI, {name}", f"{cut.shape} frames", held=is_same)


def check_pydicom(report: Report, name: str, path: Path, record: CineRecord) -> None:
    with zipfile.ZipFile(path) as archive:
        images = [pydicom.dcmread(io.BytesIO(archive.read(n))) for n in archive.namelist()]
    theirs = sorted(image.pixel_array.astype(np.float32).tobytes() for image in images)
    ours = sorted(frame.tobytes() for stack in record.frames for frame in stack)
    report.check(f"= pydicom, {name}", f"{len(images)} images", held=ours == theirs)


def check_order(report: Report, name: str, path: Path, expected: CineRecord) -> None:
    """SliceLocation shuffled or removed, file names shuffled: nothing changes."""
    with zipfile.ZipFile(path) as archive:
        contents = [archive.read(member) for member in archive.namelist()]
    mixed = random.Random(1)
    for variant in ("files shuffled", "SliceLocation shuffled", "SliceLocation removed"):
        with tempfile.TemporaryDirectory() as scratch:
            mixed.shuffle(contents)
            locations = [pydicom.dcmread(io.BytesIO(d)).SliceLocation for d in contents]
            mixed.shuffle(locations)
            for number, (data, location) in enumerate(zip(contents, locations, strict=True)):
                if variant != "files shuffled":
                    image = pydicom.dcmread(io.BytesIO(data))
                    image.SliceLocation = location
                    if variant == "SliceLocation removed":
                        del image.SliceLocation
                    image.save_as(Path(scratch, f"{number:04d}"))
                else:
                    Path(scratch, f"{number:04d}").write_bytes(data)
            record = read_cine(scratch)
        is_same = np.array_equal(record.frames, expected.frames)
        is_same = is_same and record.spacing_mm == expected.spacing_mm
        report.check(f"{variant}, {name}", "same cine", held=is_same)


def read_contours(path: Path) -> dict[str, dict[int, list[np.ndarray]]]:
    """Per patient and InstanceNumber the contours as (row, column) in the full image."""
    contours: dict[str, dict[int, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            patient, _, file = member.split("/")
            points = np.loadtxt(io.StringIO(archive.read(member).decode()), ndmin=2)[:, ::-1]
            contours[patient][int(file.split("-")[2])].append(points)
    return contours


def check_heart(
    report: Report, name: str, record: CineRecord, contours: dict[int, list[np.ndarray]]
) -> None:
    """Distance to the LV's centre, and whether the crop holds all contours of the slice."""
    points = np.concatenate(list(_middle_slices(contours)))
    offset_px = (FULL_IMAGE_PX - np.array(record.frames.shape[2:])) / 2
    points = points - offset_px
    spacing_mm = np.array(record.spacing_mm[1:])
    for roll in ROLLS_PX:
        moved = replace(record, frames=np.roll(record.frames, roll, axis=(2, 3)))
        prepared = prepare_cine(moved)
        centre = points.mean(axis=0) + roll
        distance_mm = float(np.hypot(*((prepared.centre_px - centre) * spacing_mm)))
        reach_mm = float(np.abs((points + roll - prepared.centre_px) * spacing_mm).max())
        half_mm = 84 * 1.83 / 2
        report.check(
            f"heart, {name}, rolled by {roll} px",
            f"{distance_mm:.1f} mm from the contours' centre, LV reaches {reach_mm:.0f} of "
            f"{half_mm:.0f} mm",
            held=distance_mm <= MAX_DISTANCE_MM and reach_mm < half_mm,
        )


def _middle_slices(contours: dict[int, list[np.ndarray]]) -> Iterator[np.ndarray]:
    """Contours of the middle three of the contoured slices (files are slice after slice)."""
    by_slice: dict[int, list[np.ndarray]] = defaultdict(list)
    for instance, outlines in contours.items():
        by_slice[(instance - 1) // FRAMES_PER_SLICE] += outlines
    middle = len(by_slice) // 2
    for at in sorted(by_slice)[middle - 1 : middle + 2]:
        yield from by_slice[at]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=("ecg", "cine"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    report = Report()
    if arguments.only != "cine":
        check_ecgs(report, arguments.folder / "ecg")
    if arguments.only != "ecg":
        check_cines(report, arguments.folder / "cmr")
    print(f"{report.num_held} held, {len(report.failed)} not")
    sys.exit(bool(report.failed))


if __name__ == "__main__":
    main()
