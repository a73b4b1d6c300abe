"""DICOM headers of MR images: geometry and time, one entry per image; no pixel is touched."""

import functools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.cine.dicom.pixel_layout import (
    DEFLATED,
    MAX_FILE_BYTES,
    PixelLayout,
    check_pixel_layout,
)
from ptacl_core.io.ecg.person_facts import dicom_person
from ptacl_core.io.files.dicom_elements import (
    HeaderEndsError,
    NotPlainError,
    PlainHeader,
    find_transfer_syntax,
    read_plain_header,
)
from ptacl_core.io.files.dicom_sniffing import is_bare_dicom_head
from ptacl_core.io.files.dicom_values import (
    read_clock_s,
    read_number,
    read_numbers,
    read_text,
    read_whole,
)
from ptacl_core.io.files.file_source import FileSource, open_source, read_part, source_size
from ptacl_core.records import Person

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGES = ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4")
_HEAD_BYTES = 64 * 1024
_PIXEL_DATA = 0x7FE00010
_NUMBER_VRS = {b"US", b"SS", b"UL", b"SL", b"FL", b"FD"}
_VALID_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*")

_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "ImageType",
    "PatientID",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "SequenceName",
    "AcquisitionTime",
    "AcquisitionNumber",
    "ContentTime",
    "InstanceNumber",
    "TriggerTime",
    "NominalCardiacTriggerDelayTime",
    "TemporalPositionIdentifier",
    "NominalInterval",
    "HeartRate",
    "FrameTime",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "PixelData",
]


@dataclass(frozen=True, slots=True, eq=False)
class ImageHeader:
    """One image (one frame of a multi-frame file): what sorting needs. Times in ms.

    `sequence` is the vendor's name of the pulse sequence. `orientation` are the direction cosines
    of the row and of the column axis, `position_mm` the centre of the first pixel, both in patient
    coordinates; `spacing_mm` is (row, column).
    """

    layout: PixelLayout
    frame_index: int
    is_enhanced: bool
    instance_uid: str
    series_uid: str
    series_number: int
    description: str
    sequence: str
    image_type: tuple[str, ...]
    patient_id: str
    person: Person
    orientation: tuple[float, ...]
    position_mm: tuple[float, ...]
    spacing_mm: tuple[float, float]
    slice_thickness_mm: float | None
    slice_spacing_mm: float | None
    trigger_ms: float | None
    temporal_position: int | None
    instance_number: int | None
    acquisition_number: int | None
    acquisition_time: float | None
    content_time: float | None
    nominal_interval_ms: float | None
    frame_interval_ms: float | None
    slope: float
    intercept: float
    has_valid_uids: bool


class _CommonFacts(TypedDict):
    """What all images of a file share; see `ImageHeader`."""

    layout: PixelLayout
    is_enhanced: bool
    instance_uid: str
    series_uid: str
    series_number: int
    description: str
    image_type: tuple[str, ...]
    patient_id: str
    person: Person
    instance_number: int | None
    acquisition_number: int | None
    acquisition_time: float | None
    sequence: str
    content_time: float | None
    frame_interval_ms: float | None
    has_valid_uids: bool


class _Geometry(TypedDict):
    position_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm: tuple[float, float]


class _Rescale(TypedDict):
    slope: float
    intercept: float


def read_headers(source: FileSource) -> list[ImageHeader]:
    """Headers of every MR image in the DICOM file `source`; empty when it holds none (an ECG).

    Plain headers are walked over for the elements that count; others (enhanced, other character
    sets) go to the full parser. Raises UnreadableFileError for a damaged file and for pixels whose
    byte count disagrees with their header, UnsupportedFormatError for a variant that is not read.
    No pixel is touched.
    """
    if source_size(source) > MAX_FILE_BYTES:
        raise UnsupportedFormatError(
            f"a DICOM file has more than {MAX_FILE_BYTES / 1024**3:.0f} GB"
        )
    try:
        header = _read_plain(source)
        return _parse(header, source, header.syntax)
    except NotPlainError:
        return _read_fully(source)


def _read_plain(source: FileSource) -> PlainHeader:
    """The wanted elements, from the first bytes of the file when its pixels begin there."""
    wanted, vrs = _wanted_elements()
    try:
        return read_plain_header(read_part(source, 0, _HEAD_BYTES), wanted=wanted, implicit_vrs=vrs)
    except HeaderEndsError:
        if source_size(source) <= _HEAD_BYTES:
            raise
    whole = read_part(source, 0, source_size(source))
    return read_plain_header(whole, wanted=wanted, implicit_vrs=vrs)


def _read_fully(source: FileSource) -> list[ImageHeader]:
    from pydicom import config
    from pydicom.filereader import dcmread

    try:
        with config.disable_value_validation(), open_source(source) as stream:
            head = stream.read(_HEAD_BYTES)
            syntax = find_transfer_syntax(head)
            if syntax == DEFLATED:
                raise UnsupportedFormatError(
                    "deflated DICOM is not read, it may unpack to any size; convert it to "
                    "explicit little endian"
                )
            stream.seek(0)
            dataset = dcmread(
                stream,
                defer_size=1024,
                specific_tags=_wanted_tags(),
                force=is_bare_dicom_head(head),
            )
            return _parse(dataset, source, syntax)
    except (UnreadableFileError, UnsupportedFormatError):
        raise
    except MemoryError as error:
        raise UnreadableFileError("a DICOM header asks for more memory than there is") from error
    except Exception as error:  # pydicom raises anything on damaged bytes
        raise UnreadableFileError(f"a DICOM header is damaged ({type(error).__name__})") from error


@functools.cache
def _wanted_tags() -> list["BaseTag"]:
    from pydicom.tag import Tag

    return [Tag(name) for name in _TAGS]


@functools.cache
def _wanted_elements() -> tuple[dict[int, str], dict[int, bytes]]:
    """Tag → name of the wanted elements, and the value representation of those that are numbers."""
    from pydicom.datadict import dictionary_VR

    tags = dict(zip(map(int, _wanted_tags()), _TAGS, strict=True))
    del tags[_PIXEL_DATA]
    vrs = {tag: dictionary_VR(tag).encode() for tag in tags}
    return tags, {tag: vr for tag, vr in vrs.items() if vr in _NUMBER_VRS}


def _parse(dataset: "Dataset | PlainHeader", path: FileSource, syntax: str) -> list[ImageHeader]:
    sop_class = read_text(dataset, "SOPClassUID")
    if sop_class != MR_IMAGE and sop_class not in ENHANCED_MR_IMAGES:
        return []
    layout = check_pixel_layout(dataset, path, syntax)
    common: _CommonFacts = {
        "layout": layout,
        "is_enhanced": sop_class in ENHANCED_MR_IMAGES,
        "instance_uid": read_text(dataset, "SOPInstanceUID"),
        "series_uid": read_text(dataset, "SeriesInstanceUID"),
        "series_number": int(read_number(dataset, "SeriesNumber") or 0),
        "description": read_text(dataset, "SeriesDescription"),
        "image_type": tuple(read_text(dataset, "ImageType").upper().split("\\")),
        "patient_id": read_text(dataset, "PatientID"),
        "person": dicom_person(dataset),
        "instance_number": read_whole(dataset, "InstanceNumber"),
        "acquisition_number": read_whole(dataset, "AcquisitionNumber"),
        "acquisition_time": read_clock_s(dataset, "AcquisitionTime"),
        "sequence": read_text(dataset, "SequenceName"),
        "content_time": read_clock_s(dataset, "ContentTime"),
        "frame_interval_ms": read_number(dataset, "FrameTime"),
        "has_valid_uids": all(
            _VALID_UID.fullmatch(read_text(dataset, name))
            for name in ("SOPInstanceUID", "SeriesInstanceUID")
        ),
    }
    if sop_class in ENHANCED_MR_IMAGES:
        if isinstance(dataset, PlainHeader):
            raise NotPlainError
        return _enhanced_headers(dataset, common)
    header = _classic_header(dataset, common)
    if layout.num_frames == 1:
        return [header]
    return [
        replace(header, frame_index=index, temporal_position=index + 1, trigger_ms=None)
        for index in range(layout.num_frames)
    ]


def _classic_header(dataset: "Dataset | PlainHeader", common: _CommonFacts) -> ImageHeader:
    trigger_ms = read_number(dataset, "TriggerTime")
    if trigger_ms is None:
        trigger_ms = read_number(dataset, "NominalCardiacTriggerDelayTime")
    interval_ms = read_number(dataset, "NominalInterval")
    heart_rate_bpm = read_number(dataset, "HeartRate")
    if not interval_ms and heart_rate_bpm:
        interval_ms = 60_000 / heart_rate_bpm
    return ImageHeader(
        **common,
        frame_index=0,
        **_geometry(dataset, dataset, dataset),
        slice_thickness_mm=read_number(dataset, "SliceThickness"),
        slice_spacing_mm=read_number(dataset, "SpacingBetweenSlices"),
        trigger_ms=trigger_ms,
        temporal_position=read_whole(dataset, "TemporalPositionIdentifier"),
        nominal_interval_ms=interval_ms or None,
        **_rescale(dataset),
    )


def _enhanced_headers(dataset: "Dataset", common: _CommonFacts) -> list[ImageHeader]:
    layout = common["layout"]
    shared: list[Dataset] = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    per_frame: list[Dataset] = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    if len(per_frame) != layout.num_frames:
        raise UnreadableFileError(
            f"an enhanced DICOM file describes {len(per_frame)} of its {layout.num_frames} frames"
        )
    headers = []
    for index, groups in enumerate(per_frame):

        def group(name: str, groups: "Dataset" = groups) -> "Dataset | None":
            sequence = groups.get(name) or (shared[0].get(name) if shared else None)
            return sequence[0] if sequence else None

        measures = group("PixelMeasuresSequence")
        timing = group("CardiacSynchronizationSequence")
        content = group("FrameContentSequence")
        trigger_ms = read_number(timing, "NominalCardiacTriggerDelayTime")
        headers.append(
            ImageHeader(
                **common,
                frame_index=index,
                **_geometry(
                    group("PlanePositionSequence"), group("PlaneOrientationSequence"), measures
                ),
                slice_thickness_mm=read_number(measures, "SliceThickness"),
                slice_spacing_mm=read_number(measures, "SpacingBetweenSlices"),
                trigger_ms=read_number(timing, "TriggerTime") if trigger_ms is None else trigger_ms,
                temporal_position=read_whole(content, "TemporalPositionIndex"),
                nominal_interval_ms=read_number(timing, "RRIntervalTimeNominal"),
                **_rescale(group("PixelValueTransformationSequence") or dataset),
            )
        )
    return headers


def _geometry(
    position: "Dataset | PlainHeader | None",
    orientation: "Dataset | PlainHeader | None",
    measures: "Dataset | PlainHeader | None",
) -> _Geometry:
    spacing_mm = read_numbers(measures, "PixelSpacing", 2)
    if min(spacing_mm) <= 0:
        raise UnreadableFileError(f"a DICOM header gives the pixel spacing {spacing_mm} mm")
    cosines = np.array(read_numbers(orientation, "ImageOrientationPatient", 6))
    row, column = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.5 or abs(row @ column) > 0.1 * lengths[0] * lengths[1]:
        raise UnreadableFileError("a DICOM header gives image axes that span no plane")
    row_mm, column_mm = spacing_mm
    return {
        "position_mm": read_numbers(position, "ImagePositionPatient", 3),
        "orientation": (*(row / lengths[0]).tolist(), *(column / lengths[1]).tolist()),
        "spacing_mm": (row_mm, column_mm),
    }


def _rescale(dataset: "Dataset | PlainHeader") -> _Rescale:
    slope = read_number(dataset, "RescaleSlope")
    intercept = read_number(dataset, "RescaleIntercept")
    return {"slope": slope or 1.0, "intercept": intercept or 0.0}
