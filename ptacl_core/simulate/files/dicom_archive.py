"""A simulated stack as UK Biobank's field 20209 holds it: zipped DICOM, one series a slice."""

import hashlib
import io
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt16

from ptacl_core.arrays import Array

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SLICE_THICKNESS_MM = 8.0
_ROW_DIRECTION = (0.72, 0.60, -0.3497)
_COLUMN_DIRECTION = (0.1466, 0.3603, 0.9213)
_BASE_MM = (-92.0, -138.0, 61.0)
_MANIFEST_HEADER = "filename,patientid,studyid,modality,date,series discription,patientposition"
_MANIFEST_DATE = "Jan 1, 2020"


@dataclass(frozen=True, slots=True)
class StackDescription:
    """What the headers say beside the pixels."""

    identifier: str
    sex: str
    age_years: int
    pixel_mm: float
    slice_spacing_mm: float
    frame_interval_ms: float


def format_dicom_archive(
    pixels: UInt16[Array, "slice frame height width"],
    description: StackDescription,
    *,
    inline_contours: UInt16[Array, "frame height width"] | None = None,
) -> bytes:
    """A zip of DICOM files and their `manifest.csv`.

    Args:
        pixels: 12-bit frames, slices from base to apex (series `CINE_segmented_SAX_b1` …).
        description: of patient, geometry and time.
        inline_contours: frames of the middle slice with contours burned in, stored as the
            series `CINE_segmented_SAX_InlineVF` that readers have to leave out.
    """
    series = [
        (f"CINE_segmented_SAX_b{number + 1}", number, frames)
        for number, frames in enumerate(pixels)
    ]
    if inline_contours is not None:
        series.append(("CINE_segmented_SAX_InlineVF", len(pixels) // 2, inline_contours))
    manifest = [_MANIFEST_HEADER]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for series_number, (name, slice_number, frames) in enumerate(series, start=1):
            files = _format_series(frames, description, name, series_number, slice_number)
            for file_name, content in files:
                archive.writestr(_member(file_name), content)
                manifest.append(
                    f"{file_name},{description.identifier},"
                    f"{_uid(description.identifier, 'study')},MR,{_MANIFEST_DATE},{name},HFS"
                )
        archive.writestr(_member("manifest.csv"), "\n".join(manifest) + "\n")
    return buffer.getvalue()


def _format_series(
    frames: UInt16[Array, "frame height width"],
    description: StackDescription,
    name: str,
    series_number: int,
    slice_number: int,
) -> list[tuple[str, bytes]]:
    """File names and contents of the frames of one slice.

    The header is encoded once; the frames' own fields have a fixed length in it and are put in
    as bytes, which is several times as fast as encoding every header.
    """
    header = _describe_series(frames, description, name, series_number, slice_number)
    blank = _frame_fields(*_BLANK_FIELDS)
    template = _encode(header, pixels=frames[0])[: -frames[0].nbytes]
    files = []
    for number, frame in enumerate(frames, start=1):
        trigger_ms = (number - 1) * description.frame_interval_ms
        instance_uid = _uid(description.identifier, "instance", series_number, number)
        content = template
        for old, new in zip(blank, _frame_fields(instance_uid, number, trigger_ms), strict=True):
            content = content.replace(old, new)
        files.append((f"{instance_uid}.dcm", content + frame.astype("<u2").tobytes()))
    return files


def _frame_fields(instance_uid: str, number: int, trigger_ms: float) -> list[bytes]:
    """The encoded elements in which the frames of a series differ: tag, type, length, value."""
    return [
        struct.pack("<HH2sH", group, element, kind, len(value)) + value
        for group, element, kind, value in (
            (0x0002, 0x0003, b"UI", instance_uid.encode()),
            (0x0008, 0x0018, b"UI", instance_uid.encode()),
            (0x0018, 0x1060, b"DS", f"{trigger_ms:<12.4f}".encode()),
            (0x0020, 0x0013, b"IS", f"{number:<4d}".encode()),
        )
    ]


def _encode(header: "Dataset", *, pixels: UInt16[Array, "height width"]) -> bytes:
    """A file of the series with blank frame fields, pixels last."""
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

    instance_uid, number, trigger_ms = _BLANK_FIELDS
    header.SOPInstanceUID = UID(instance_uid)
    header.InstanceNumber = str(number)
    header.TriggerTime = f"{trigger_ms:.4f}"
    header.PixelData = pixels.astype("<u2").tobytes()
    header.file_meta = FileMetaDataset()
    header.file_meta.MediaStorageSOPClassUID = MRImageStorage
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content = io.BytesIO()
    dcmwrite(content, header, enforce_file_format=True)
    return content.getvalue()


def _describe_series(
    frames: UInt16[Array, "frame height width"],
    description: StackDescription,
    name: str,
    series_number: int,
    slice_number: int,
) -> "Dataset":
    """The header that all frames of a slice share."""
    from pydicom.dataset import Dataset
    from pydicom.uid import MRImageStorage

    who = description.identifier
    row, column, normal = _directions()
    origin = np.array(_BASE_MM) + slice_number * description.slice_spacing_mm * normal
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 100"
    header.ImageType = ["ORIGINAL", "PRIMARY", "M", "RETRO", "NORM", "DIS2D"]
    header.SOPClassUID = MRImageStorage
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = "20200101"
    header.StudyTime = "100000"
    header.SeriesTime = header.AcquisitionTime = f"1000{series_number:02d}"
    header.Modality = "MR"
    header.Manufacturer = "PTACL simulator"
    header.SeriesDescription = name
    header.PatientName = "SIMULATED"
    header.PatientID = who
    header.PatientSex = description.sex
    header.PatientAge = f"{description.age_years:03d}Y"
    header.SliceThickness = f"{_SLICE_THICKNESS_MM:g}"
    header.SpacingBetweenSlices = f"{description.slice_spacing_mm:g}"
    header.MagneticFieldStrength = "1.5"
    header.FlipAngle = "80"
    header.NominalInterval = str(round(description.frame_interval_ms * len(frames)))
    header.CardiacNumberOfImages = str(len(frames))
    header.PatientPosition = "HFS"
    header.StudyInstanceUID = _uid(who, "study")
    header.SeriesInstanceUID = _uid(who, "series", series_number)
    header.FrameOfReferenceUID = _uid(who, "frame of reference")
    header.SeriesNumber = str(series_number)
    header.AcquisitionNumber = "1"
    header.ImageOrientationPatient = [f"{value:.8f}" for value in (*row, *column)]
    header.ImagePositionPatient = [f"{value:.6f}" for value in origin]
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows, header.Columns = frames.shape[1:]
    header.PixelSpacing = [f"{description.pixel_mm:g}"] * 2
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelRepresentation = 0
    return header


def _directions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orthonormal directions of the rows, of the columns and of the stack (base to apex)."""
    row = np.array(_ROW_DIRECTION)
    row = row / np.linalg.norm(row)
    column = np.array(_COLUMN_DIRECTION)
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return row, column, np.cross(row, column)


def _uid(*parts: object) -> str:
    """An identifier under the root for numbers made without a registry, always 42 characters."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return f"2.25.{10**36 + int.from_bytes(digest[:14], 'big')}"


_BLANK_FIELDS = (_uid("blank"), 9999, 9_999_999.9999)
"""As long as every frame's own fields: pydicom drops trailing blanks, so these have none."""


def _member(name: str) -> zipfile.ZipInfo:
    """A member with a fixed date, so that the same patient gives the same archive."""
    info = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info
