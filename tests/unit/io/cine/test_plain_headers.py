"""Headers read by walking over their tags say what the full parser says; bare DICOM is read."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ptacl_core.errors import RecordError
from ptacl_core.io import read_cine
from ptacl_core.io.cine.dicom.header import _read_fully, _read_plain, read_headers
from ptacl_core.io.files.dicom_elements import NotPlainError
from ptacl_core.io.files.file_source import MemoryFile


def describe(header):
    return {field.name: getattr(header, field.name) for field in fields(header)}


def add_fillers(image: Dataset, depth: int = 3) -> None:
    """Nested sequences of undefined length, private blocks and long values before the pixels."""
    inner = Dataset()
    inner.PatientComments = "x" * 300
    inner.SliceThickness = "99"  # not the image's own
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedImageSequence = Sequence([inner, inner])
        outer["ReferencedImageSequence"].is_undefined_length = True
        inner = outer
    image.ReferencedImageSequence = inner.ReferencedImageSequence
    image["ReferencedImageSequence"].is_undefined_length = True
    block = image.private_block(0x0029, "CSA", create=True)
    block.add_new(0x10, "OB", bytes(70_000))  # the pixels begin beyond the first 64 KB


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("has_fillers", [False, True])
def test_walking_and_parsing_agree(dicom, syntax, has_fillers):
    for image in dicom.series(num_slices=2, num_frames=3).build():
        image.RescaleSlope, image.RescaleIntercept = "2.5", "-3"
        if has_fillers:
            add_fillers(image)
        source = MemoryFile("a", dicom.to_bytes(image, syntax))
        _read_plain(source)  # not left to the parser
        ((walked,), (parsed,)) = read_headers(source), _read_fully(source)
        assert describe(walked) == describe(parsed)


def test_other_character_sets_go_to_the_parser(dicom):
    image = dicom.series(num_slices=1, num_frames=1).build()[0]
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SeriesDescription = "Kurzachse größer"
    source = MemoryFile("a", dicom.to_bytes(image))
    with pytest.raises(NotPlainError):
        _read_plain(source)
    assert read_headers(source)[0].description == "Kurzachse größer"


@given(st.binary(max_size=40), st.integers(0, 2000))
def test_damaged_headers_end_in_words(dicom, noise, at):
    data = dicom.to_bytes(dicom.series(num_slices=1, num_frames=1).build()[0])
    source = MemoryFile("a", data[:at] + noise + data[at + len(noise) :])
    try:
        headers = read_headers(source)
    except RecordError:
        return
    assert len(headers) <= 1


@pytest.mark.parametrize("has_meta", [False, True])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_files_without_preamble(dicom, tmp_path, has_meta, syntax):
    series = dicom.series(num_slices=2, num_frames=5)
    for index, image in enumerate(series.build()):
        data = dicom.to_bytes(image, syntax)
        if not has_meta:
            stream = DicomBytesIO()
            stream.is_little_endian = True
            stream.is_implicit_VR = syntax == ImplicitVRLittleEndian
            write_dataset(stream, image)
            data = bytes(132) + stream.getvalue()
        (tmp_path / f"{index:03d}").write_bytes(data[132:])
    np.testing.assert_array_equal(read_cine(tmp_path).frames, series.expected())


def test_zips_are_read_in_memory_and_nothing_is_left(dicom, tmp_path):
    series = dicom.series(num_slices=2, num_frames=5)
    files = {f"{i}.dcm": dicom.to_bytes(image) for i, image in enumerate(series.build())}
    path = dicom.write_zip(tmp_path / "a.zip", files)
    np.testing.assert_array_equal(read_cine(path).frames, series.expected())
