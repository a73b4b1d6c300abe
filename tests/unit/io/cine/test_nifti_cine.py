"""NIfTI in the ways people write it; nibabel writes the files and is the oracle."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnsupportedFormatError
from ptacl_core.io.cine.read import read_cine


def save(
    path: Path,
    array: np.ndarray,
    *,
    zooms: tuple[float, ...] | None = None,
    units: tuple[str | None, str | None] = ("mm", "sec"),
    image_class=nibabel.Nifti1Image,
    scale: tuple[float, float] | None = None,
) -> Path:
    image = image_class(array, np.diag([1.4, 1.8, 10.0, 1.0]))
    if zooms is not None:
        image.header.set_zooms(zooms)
    image.header.set_xyzt_units(*units)
    if scale is not None:
        image.header.set_slope_inter(*scale)
    nibabel.save(image, path)
    return path


def volume(*shape: int, dtype: type = np.int16) -> np.ndarray:
    return (np.arange(np.prod(shape)) % 251).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_types_and_endings(tmp_path: Path, dtype: type, ending: str) -> None:
    array = volume(7, 6, 3, 5, dtype=dtype)
    path = save(tmp_path / f"x{ending}", array, zooms=(1.4, 1.8, 10.0, 0.03))
    record = read_cine(path)
    np.testing.assert_array_equal(record.frames, array.transpose(2, 3, 1, 0))
    assert record.spacing_mm == pytest.approx((10.0, 1.8, 1.4))
    np.testing.assert_allclose(record.frame_times_ms, np.arange(5) * 30.0, rtol=1e-6)
    assert record.findings == ()


def test_nifti2_and_big_endian(tmp_path: Path) -> None:
    array = volume(7, 6, 3, 5)
    path = save(
        tmp_path / "two.nii.gz",
        array,
        zooms=(1.4, 1.8, 10.0, 0.03),
        image_class=nibabel.Nifti2Image,
    )
    np.testing.assert_array_equal(read_cine(path).frames, array.transpose(2, 3, 1, 0))
    header = nibabel.Nifti1Header(endianness=">")
    image = nibabel.Nifti1Image(array.astype(">i2"), np.eye(4), header=header)
    image.header.set_zooms((1.4, 1.8, 10.0, 0.03))
    nibabel.save(image, tmp_path / "big.nii")
    np.testing.assert_array_equal(
        read_cine(tmp_path / "big.nii").frames, array.transpose(2, 3, 1, 0)
    )


def test_scaled_voxels_equal_nibabel(tmp_path: Path) -> None:
    array = volume(7, 6, 3, 5)
    path = save(tmp_path / "x.nii.gz", array, zooms=(1.4, 1.8, 10, 0.03), scale=(0.37, -4.5))
    expected = nibabel.Nifti1Image.from_filename(path).get_fdata().transpose(2, 3, 1, 0)
    np.testing.assert_allclose(read_cine(path).frames, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(7, 6, 1, 25), (7, 6, 25), (7, 6, 1, 1, 25)])
def test_single_slice_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = volume(*shape)
    zooms = (1.4, 1.8, *(1.0 for _ in shape[2:-1]), 0.03)
    record = read_cine(save(tmp_path / "x.nii.gz", array, zooms=zooms))
    np.testing.assert_array_equal(record.frames[0], array.reshape(7, 6, 25).transpose(2, 1, 0))
    np.testing.assert_allclose(np.diff(record.frame_times_ms), 30.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("interval", "unit", "expected_ms", "code"),
    [
        (0.03, "sec", 30.0, None),
        (30.0, "msec", 30.0, None),
        (30_000.0, "usec", 30.0, None),
        (0.03, None, 30.0, None),
        (30.0, None, 30.0, None),
        (30.0, "sec", 30.0, "time_unit_corrected"),
        (0.03, "msec", 30.0, "time_unit_corrected"),
        (1.0, "sec", np.nan, "frame_times_unknown"),
        (0.0, "sec", np.nan, "frame_times_unknown"),
    ],
)
def test_time_units(
    tmp_path: Path, has_codes, interval: float, unit: str | None, expected_ms: float, code
) -> None:
    path = save(
        tmp_path / "x.nii", volume(7, 6, 2, 5), zooms=(1.4, 1.8, 10, interval), units=("mm", unit)
    )
    record = read_cine(path)
    np.testing.assert_allclose(np.diff(record.frame_times_ms), [expected_ms] * 4, rtol=1e-5)
    assert has_codes(record) == ({code} if code else set())


def test_segmentation_beside_the_short_axis(tmp_path: Path) -> None:
    array, labels = volume(7, 6, 3, 5), volume(7, 6, 3, 5, dtype=np.uint8) % 4
    save(tmp_path / "sa.nii.gz", array, zooms=(1.4, 1.8, 10, 0.03))
    save(tmp_path / "seg_sa.nii.gz", labels, zooms=(1.4, 1.8, 10, 0.03))
    save(tmp_path / "la_2ch.nii.gz", volume(9, 9, 1, 5), zooms=(1.4, 1.8, 10, 0.03))
    for path in (tmp_path / "sa.nii.gz", tmp_path):
        record = read_cine(path)
        np.testing.assert_array_equal(record.frames, array.transpose(2, 3, 1, 0))
        assert record.segmentation is not None
        np.testing.assert_array_equal(record.segmentation, labels.transpose(2, 3, 1, 0))
        assert record.segmentation.dtype == np.uint8


@pytest.mark.parametrize("fault", ["size", "labels", "damaged"])
def test_unusable_segmentation_is_reported(tmp_path: Path, has_codes, fault: str) -> None:
    save(tmp_path / "sa.nii.gz", volume(7, 6, 3, 5), zooms=(1.4, 1.8, 10, 0.03))
    labels = volume(7, 6, 3, 4 if fault == "size" else 5, dtype=np.uint8) % 5
    path = save(tmp_path / "seg_sa.nii.gz", labels, zooms=(1.4, 1.8, 10, 0.03))
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:60])
    record = read_cine(tmp_path / "sa.nii.gz")
    assert record.segmentation is None
    assert has_codes(record) == {"segmentation_unusable"}


def test_non_finite_voxels_are_counted(tmp_path: Path) -> None:
    array = volume(7, 6, 2, 5, dtype=np.float32)
    array[0, 0, 0, :2] = np.nan, np.inf
    record = read_cine(save(tmp_path / "x.nii", array, zooms=(1.4, 1.8, 10, 0.03)))
    assert [str(finding) for finding in record.findings] == [
        "non_finite_pixels: 2 pixels are not finite numbers"
    ]


def test_still_volume_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "x.nii", volume(7, 6, 9), zooms=(1.4, 1.8, 10))
    with pytest.raises(UnsupportedFormatError, match="still volume"):
        read_cine(path)


def test_colour_is_refused(tmp_path: Path) -> None:
    colour = np.zeros((7, 6, 2, 5), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colour, np.eye(4)), tmp_path / "x.nii")
    with pytest.raises(UnsupportedFormatError, match="data type 128"):
        read_cine(tmp_path / "x.nii")


def test_vector_volume_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "x.nii", volume(7, 6, 2, 5, 3), zooms=(1.4, 1.8, 10, 0.03, 1))
    with pytest.raises(UnsupportedFormatError, match=r"\(7, 6, 2, 5, 3\)"):
        read_cine(path)


def test_pixel_size_of_zero_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "x.nii", volume(7, 6, 2, 5), zooms=(1.4, 1.8, 10, 0.03))
    data = bytearray(path.read_bytes())
    data[80:84] = bytes(4)  # pixdim[1]
    path.write_bytes(data)
    with pytest.raises(MissingUnitError, match="pixel size"):
        read_cine(path)


def test_pair_of_files_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(volume(7, 6, 2, 5), np.eye(4)), tmp_path / "x.img")
    with pytest.raises(UnsupportedFormatError, match=r"\.hdr/\.img"):
        read_cine(tmp_path / "x.hdr")


def test_folder_with_several_patients_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "sa.nii.gz", volume(7, 6, 2, 5), zooms=(1.4, 1.8, 10, 0.03))
    with pytest.raises(UnsupportedFormatError, match="found 2"):
        read_cine(tmp_path)


def test_stated_frames_that_the_cine_does_not_have_are_findings(tmp_path: Path) -> None:
    path = save(tmp_path / "x.nii.gz", volume(7, 6, 3, 5), zooms=(1.4, 1.8, 10.0, 0.03))
    record = read_cine(path, end_diastole=24, end_systole=2)
    assert (record.end_diastole, record.end_systole) == (None, 2)
    (finding,) = record.findings
    assert (finding.code, finding.severity) == ("stated_frame_impossible", "warning")
    (tmp_path / "Info.cfg").write_text("ED: 1\nES: 6\nNbFrame: 5\n")
    record = read_cine(path)
    assert (record.end_diastole, record.end_systole) == (0, None)
    assert "end_systole is stated as frame 5" in record.findings[0].message
