"""Native DICOM of real patients: equal to the NIfTI, whatever the order of files and headers."""

import io
import random
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest

from ptacl_core.io.cine.read import read_cine

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")

STACK = "SCD0000101_sax_3slices_10frames.zip"
SLICE = "SCD0000301_sax_midslice.zip"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_dicom_zip_equals_nifti_exactly(cmr_data: Path) -> None:
    from_dicom = read_cine(cmr_data / STACK)
    from_nifti = read_cine(cmr_data / "SCD0000101_sax_3slices_10frames.nii.gz")
    assert from_dicom.frames.shape == (3, 10, 256, 256)
    np.testing.assert_array_equal(from_dicom.frames[:, :, 64:192, 64:192], from_nifti.frames)
    assert from_dicom.spacing_mm == pytest.approx(from_nifti.spacing_mm, rel=1e-4)
    intervals = np.diff(from_dicom.frame_times_ms)
    np.testing.assert_allclose(intervals, np.diff(from_nifti.frame_times_ms), rtol=0.02)
    assert from_dicom.frames.dtype == np.float32
    assert (from_dicom.source_format, from_nifti.source_format) == ("dicom", "nifti")


def test_pixels_equal_pydicom(cmr_data: Path) -> None:
    record = read_cine(cmr_data / SLICE)
    images = [pydicom.dcmread(io.BytesIO(data)) for data in members(cmr_data / SLICE).values()]
    images.sort(key=lambda image: float(image.TriggerTime))
    np.testing.assert_array_equal(record.frames[0], [image.pixel_array for image in images])
    np.testing.assert_allclose(
        record.frame_times_ms, [float(image.TriggerTime) for image in images]
    )
    assert record.spacing_mm == pytest.approx((8.0, 1.2891, 1.2891))


def test_voxels_equal_nibabel(cmr_data: Path) -> None:
    path = cmr_data / "SCD0000201_sax_midslice_10frames.nii.gz"
    record = read_cine(path)
    image = nibabel.Nifti1Image.from_filename(path)
    np.testing.assert_array_equal(record.frames, image.get_fdata().transpose(2, 3, 1, 0))
    zooms = [float(value) for value in image.header.get_zooms()]
    assert record.spacing_mm == pytest.approx((zooms[2], zooms[1], zooms[0]))
    np.testing.assert_allclose(record.frame_times_ms, np.arange(10) * zooms[3] * 1000)


@pytest.mark.parametrize("variant", ["shuffled", "removed"])
def test_slice_location_changes_nothing(cmr_data: Path, tmp_path: Path, variant: str) -> None:
    expected = read_cine(cmr_data / STACK)
    images = [pydicom.dcmread(io.BytesIO(data)) for data in members(cmr_data / STACK).values()]
    locations = [image.SliceLocation for image in images]
    random.Random(1).shuffle(locations)
    for index, (image, location) in enumerate(zip(images, locations, strict=True)):
        if variant == "shuffled":
            image.SliceLocation = location
        else:
            del image.SliceLocation
        image.save_as(tmp_path / f"{index}.dcm")
    record = read_cine(tmp_path)
    np.testing.assert_array_equal(record.frames, expected.frames)
    assert record.spacing_mm == expected.spacing_mm


@pytest.mark.parametrize("seed", range(3))
def test_file_order_changes_nothing(cmr_data: Path, tmp_path: Path, seed: int) -> None:
    expected = read_cine(cmr_data / STACK)
    files = list(members(cmr_data / STACK).values())
    random.Random(seed).shuffle(files)
    for index, data in enumerate(files):
        (tmp_path / f"x{index:03d}").write_bytes(data)  # no ending, no order
    record = read_cine(tmp_path)
    np.testing.assert_array_equal(record.frames, expected.frames)
    np.testing.assert_array_equal(record.frame_times_ms, expected.frame_times_ms)


def test_folder_nested_zip_and_zip_agree(cmr_data: Path, tmp_path: Path) -> None:
    expected = read_cine(cmr_data / STACK)
    files = members(cmr_data / STACK)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name, data in files.items():
        (tmp_path / "deep" / "er" / name).write_bytes(data)
    outer = tmp_path / "outer.zip"
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(cmr_data / STACK, "series/inner.zip")
    np.testing.assert_array_equal(read_cine(tmp_path / "deep").frames, expected.frames)
    np.testing.assert_array_equal(read_cine(outer).frames, expected.frames)


def test_malformed_uids_are_only_a_remark(cmr_data: Path, has_codes) -> None:
    record = read_cine(cmr_data / STACK)
    assert has_codes(record) == {"invalid_uids"}
    assert all(finding.severity == "info" for finding in record.findings)


def test_no_identifier_reaches_the_record(cmr_data: Path) -> None:
    record = read_cine(cmr_data / STACK)
    assert not any("SCD" in str(finding) for finding in record.findings)
