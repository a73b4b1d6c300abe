"""Builders of DICOM series in the layouts that scanners and archives write."""

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, ExplicitVRLittleEndian

DATA = Path(__file__).parents[3] / "data" / "cmr"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
SHORT_AXIS = (0.6, 0.8, 0.0, 0.0, 0.0, -1.0)
LONG_AXIS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass
class Series:
    """A short-axis cine written as UK Biobank does (one series a slice), or in one series."""

    num_slices: int = 3
    num_frames: int = 4
    rows: int = 12
    columns: int = 10
    interval_ms: float = 40.0
    slice_mm: float = 10.0
    spacing_mm: tuple[float, float] = (1.8, 1.5)
    orientation: tuple[float, ...] = SHORT_AXIS
    series_per_slice: bool = True
    description: str = "CINE_segmented_SAX_b{number}"
    first_series: int = 10
    images: list[Dataset] = field(default_factory=list)

    def pixels(self, at_slice: int, at_frame: int) -> np.ndarray:
        """Values that name their slice and frame, different in every pixel."""
        plane = np.arange(self.rows * self.columns).reshape(self.rows, self.columns)
        return (plane + 1000 * at_slice + 10 * at_frame).astype(np.uint16)

    def expected(self) -> np.ndarray:
        return np.array(
            [[self.pixels(z, t) for t in range(self.num_frames)] for z in range(self.num_slices)],
            dtype=np.float32,
        )

    def build(self, *, prefix: str = "1.2.826.0.1") -> list[Dataset]:
        """One data set per image, slices along +normal, in slice-major order."""
        self.images = []
        row, column = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        normal = np.cross(row, column)
        for z in range(self.num_slices):
            for t in range(self.num_frames):
                number = z * self.num_frames + t + 1
                series = self.first_series + (z if self.series_per_slice else 0)
                image = Dataset()
                image.SOPClassUID = MR_IMAGE
                image.SOPInstanceUID = f"{prefix}.{series}.{number}"
                image.Modality = "MR"
                image.ImageType = ["ORIGINAL", "PRIMARY", "M", "RETRO"]
                image.PatientID = "anonymous"
                image.StudyInstanceUID = f"{prefix}.99"
                image.SeriesInstanceUID = f"{prefix}.{series}"
                image.SeriesNumber = series
                image.SeriesDescription = self.description.format(number=z + 1)
                image.InstanceNumber = t + 1 if self.series_per_slice else number
                image.AcquisitionTime = f"1012{z:02d}.{t:06d}"
                image.TriggerTime = str(round(t * self.interval_ms + 3.5, 4))
                image.NominalInterval = str(round(self.num_frames * self.interval_ms))
                image.CardiacNumberOfImages = self.num_frames
                image.SliceThickness = "8"
                image.ImagePositionPatient = [
                    float(value) for value in np.round(normal * z * self.slice_mm + 7.0, 6)
                ]
                image.ImageOrientationPatient = list(self.orientation)
                image.SliceLocation = str(z * 6.72)
                image.PixelSpacing = list(self.spacing_mm)
                set_pixels(image, self.pixels(z, t))
                self.images.append(image)
        return self.images


def set_pixels(image: Dataset, pixels: np.ndarray) -> None:
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = pixels.shape[-2:]
    image.BitsAllocated = image.BitsStored = 8 * pixels.itemsize
    image.HighBit = image.BitsStored - 1
    image.PixelRepresentation = int(pixels.dtype.kind == "i")
    image.PixelData = pixels.tobytes()


def to_bytes(image: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = image.SOPClassUID
    meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    file = FileDataset("", image, file_meta=meta, preamble=b"\0" * 128)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, file, enforce_file_format=True)
    return stream.getvalue()


def write_folder(
    folder: Path, images: Iterable[Dataset], *, name: Callable[[int], str] = "{:05d}.dcm".format
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        (folder / name(index)).write_bytes(to_bytes(image))
    return folder


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def build_enhanced(series: Series, *, order: Iterable[int] | None = None) -> Dataset:
    """The series as one enhanced multi-frame image, its frames in `order`."""
    images = series.build()
    chosen = [images[index] for index in (order or range(len(images)))]
    enhanced = Dataset()
    for name in ("Modality", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber"):
        setattr(enhanced, name, getattr(images[0], name))
    enhanced.SOPClassUID = ENHANCED_MR
    enhanced.SOPInstanceUID = "1.2.826.0.1.5"
    enhanced.ImageType = ["ORIGINAL", "PRIMARY", "CARDIAC", "NONE"]
    enhanced.SeriesDescription = "cine SAX"
    enhanced.InstanceNumber = 1
    set_pixels(enhanced, np.stack([image_pixels(image) for image in chosen]))
    enhanced.NumberOfFrames = len(chosen)
    shared = Dataset()
    measures = Dataset()
    measures.PixelSpacing = list(series.spacing_mm)
    measures.SliceThickness = "8"
    orientation = Dataset()
    orientation.ImageOrientationPatient = list(series.orientation)
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([orientation])
    enhanced.SharedFunctionalGroupsSequence = DicomSequence([shared])
    groups = []
    for image in chosen:
        position, timing, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = image.ImagePositionPatient
        timing.NominalCardiacTriggerDelayTime = float(image.TriggerTime)
        timing.RRIntervalTimeNominal = float(image.NominalInterval)
        group.PlanePositionSequence = DicomSequence([position])
        group.CardiacSynchronizationSequence = DicomSequence([timing])
        groups.append(group)
    enhanced.PerFrameFunctionalGroupsSequence = DicomSequence(groups)
    return enhanced


def image_pixels(image: Dataset) -> np.ndarray:
    return np.frombuffer(image.PixelData, np.uint16).reshape(image.Rows, image.Columns)


@pytest.fixture(scope="session")
def dicom() -> SimpleNamespace:
    """What the test modules take from here (they cannot import each other)."""
    return SimpleNamespace(
        series=Series,
        to_bytes=to_bytes,
        set_pixels=set_pixels,
        write_folder=write_folder,
        write_zip=write_zip,
        build_enhanced=build_enhanced,
        long_axis=LONG_AXIS,
    )


@pytest.fixture(scope="session")
def cmr_data() -> Path:
    return DATA


@pytest.fixture(scope="session")
def has_codes() -> Callable:
    """The set of finding codes of a record, table or prepared cine."""
    return lambda record: {finding.code for finding in record.findings}
