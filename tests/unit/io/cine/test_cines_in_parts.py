"""Cines in several NIfTI files, with exchanged axes, and in the formats of other tools."""

import gzip
import zlib

import h5py
import nibabel
import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io import discover, read_cine

SHAPE = (5, 20, 24, 18)  # slice, frame, row, column


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16)


def save_nifti(path, volume, *, affine=None, zooms=(1.5, 1.8, 8.0, 0.03)):
    image = nibabel.Nifti1Image(volume, np.diag([*zooms[:3], 1.0]) if affine is None else affine)
    image.header.set_zooms(zooms[: volume.ndim])
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


def as_stored(frames, at_slice):
    """One slice as (X, Y, 1, T)."""
    return frames[at_slice].transpose(2, 1, 0)[:, :, None]


def test_slices_by_their_positions(tmp_path, frames, has_codes):
    for name, at_slice in (("a1", 3), ("a2", 0), ("a3", 4), ("a4", 1), ("a5", 2)):
        affine = np.diag([1.5, 1.8, 8.0, 1.0])
        affine[2, 3] = 9.5 * at_slice
        save_nifti(tmp_path / f"{name}.nii.gz", as_stored(frames, at_slice), affine=affine)
    record = read_cine(tmp_path)
    np.testing.assert_array_equal(record.frames, frames)
    np.testing.assert_allclose(record.spacing_mm, (9.5, 1.8, 1.5), atol=1e-5)
    np.testing.assert_allclose(record.frame_times_ms[:2], (0, 30), atol=1e-3)
    assert has_codes(record) == {"slices_joined"}


def test_slices_without_positions_by_the_numbers_in_their_names(tmp_path, frames, has_codes):
    for at_slice in range(5):
        save_nifti(tmp_path / f"sax_b{8 + at_slice}.nii.gz", as_stored(frames, at_slice))
    save_nifti(tmp_path / "la_2ch.nii.gz", as_stored(frames, 0))
    record = read_cine(tmp_path)
    np.testing.assert_array_equal(record.frames, frames)
    assert record.spacing_mm[0] == 8.0
    assert "slices_by_name" in has_codes(record)


def test_a_folder_of_slices_is_found_as_one_cine(tmp_path, frames):
    folder = tmp_path / "H900"
    folder.mkdir()
    for at_slice in range(5):
        save_nifti(folder / f"sax_b{at_slice + 1}.nii.gz", as_stored(frames, at_slice))
    (cine,) = discover(tmp_path)
    assert (cine.path, cine.modality) == (folder, "cmr")
    np.testing.assert_array_equal(read_cine(cine.path).frames, frames)


@pytest.mark.parametrize(
    "names",
    [
        ("p1", "p2", "p3"),
        ("H900_sax_b1", "H901_sax_b1", "H902_sax_b1"),
        ("sax_7", "sax_8", "sax_12"),
        ("patient_9000001", "patient_9000002"),
    ],
)
def test_files_that_may_be_of_several_people_stay_apart(tmp_path, frames, names):
    for at, name in enumerate(names):
        save_nifti(tmp_path / f"{name}.nii.gz", as_stored(frames, at))
    assert len([file for file in discover(tmp_path) if file.modality == "cmr"]) == len(names)


def test_slices_of_two_planes_are_refused(tmp_path, frames):
    turned = np.array([[0, 0, 8, 0], [1.5, 0, 0, 0], [0, 1.8, 0, 0], [0, 0, 0, 1.0]])
    save_nifti(tmp_path / "b1.nii", as_stored(frames, 0))
    save_nifti(tmp_path / "b2.nii", as_stored(frames, 1), affine=turned)
    with pytest.raises(UnsupportedFormatError, match="different planes"):
        read_cine(tmp_path)


def test_a_volume_per_trigger_time(tmp_path, frames):
    for at_frame in range(20):
        volume = frames[:, at_frame].transpose(2, 1, 0)
        save_nifti(tmp_path / f"cine_sax_t{37 * at_frame}.nii.gz", volume)
    record = read_cine(tmp_path)
    np.testing.assert_array_equal(record.frames, frames)
    np.testing.assert_array_equal(record.frame_times_ms, 37.0 * np.arange(20))


def test_exchanged_axes_are_put_right_and_told(tmp_path, frames, has_codes):
    path = tmp_path / "a.nii.gz"
    save_nifti(path, frames.transpose(3, 2, 1, 0), zooms=(1.5, 1.8, 10.0, 0.03))
    record = read_cine(path)
    np.testing.assert_array_equal(record.frames, frames)
    assert "axes_exchanged" in has_codes(record)


NRRD = (
    "NRRD0004\ntype: short\ndimension: 4\nsizes: {sizes}\nkinds: {kinds}\nencoding: {encoding}\n"
    "endian: little\nspace directions: {directions}\n{more}\n"
)


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("is_list_first", [False, True])
def test_nrrd(tmp_path, frames, encoding, is_list_first):
    column, row, piece = "(1.5,0,0)", "(0,1.8,0)", "(0,0,8)"
    sizes, kinds = [18, 24, 5, 20], ["domain"] * 3 + ["list"]
    directions, data = [column, row, piece, "none"], frames.transpose(1, 0, 2, 3)
    if is_list_first:
        data = frames.transpose(0, 2, 3, 1)
        sizes = [sizes[-1], *sizes[:-1]]
        kinds, directions = ([part[-1], *part[:-1]] for part in (kinds, directions))
    labels = "MultiVolume.FrameLabels:=" + ",".join(str(30 * frame) for frame in range(20)) + "\n"
    text = NRRD.format(
        sizes=" ".join(map(str, sizes)),
        kinds=" ".join(kinds),
        encoding=encoding,
        directions=" ".join(directions),
        more=labels,
    )
    body = np.ascontiguousarray(data).tobytes()
    body = gzip.compress(body) if encoding == "gzip" else body
    path = tmp_path / "a.nrrd"
    path.write_bytes(text.encode() + body)
    record = read_cine(path)
    np.testing.assert_array_equal(record.frames, frames)
    assert record.spacing_mm == (8.0, 1.8, 1.5)
    np.testing.assert_array_equal(record.frame_times_ms, 30.0 * np.arange(20))
    path.write_bytes(text.encode() + body[:-40])
    with pytest.raises(UnreadableFileError):
        read_cine(path)


def test_nrrd_without_pixel_size_asks_for_it(tmp_path, frames):
    path = tmp_path / "a.nrrd"
    header = b"NRRD0004\ntype: int16\nsizes: 18 24 5 20\nencoding: raw\nendian: little\n\n"
    path.write_bytes(header + np.ascontiguousarray(frames.transpose(1, 0, 2, 3)).tobytes())
    with pytest.raises(MissingUnitError, match="spacing_mm"):
        read_cine(path)
    record = read_cine(path, spacing_mm=(8, 1.8, 1.5), frame_interval_ms=30)
    np.testing.assert_array_equal(record.frames, frames)
    assert record.frame_times_ms[1] == 30


@pytest.mark.parametrize("is_packed", [False, True])
def test_mha(tmp_path, frames, is_packed):
    body = np.ascontiguousarray(frames.transpose(1, 0, 2, 3)).astype(">i2").tobytes()
    header = (
        "ObjectType = Image\nNDims = 4\nBinaryData = True\nBinaryDataByteOrderMSB = True\n"
        f"CompressedData = {is_packed}\nDimSize = 18 24 5 20\nElementSpacing = 1.5 1.8 8 30\n"
        "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    )
    path = tmp_path / "a.mha"
    path.write_bytes(header.encode() + (zlib.compress(body) if is_packed else body))
    record = read_cine(path)
    np.testing.assert_array_equal(record.frames, frames)
    assert record.spacing_mm == (8.0, 1.8, 1.5)


def test_ismrmrd_images_by_slice_and_phase(tmp_path, frames):
    kinds = [("slice", "u2"), ("phase", "u2"), ("position", "f4", 3), ("slice_dir", "f4", 3)]
    kinds += [("field_of_view", "f4", 3), ("matrix_size", "u2", 3)]
    order = [(z, t) for t in range(20) for z in (3, 0, 4, 1, 2)]
    header = np.zeros(100, kinds)
    for row, (at_slice, phase) in zip(header, order, strict=True):
        row["slice"], row["phase"] = 7 - at_slice, phase
        row["position"], row["slice_dir"] = (0, 0, 9 * at_slice), (0, 0, 1)
        row["field_of_view"], row["matrix_size"] = (27, 43.2, 8), (18, 24, 1)
    path = tmp_path / "images.h5"
    with h5py.File(path, "w") as file:
        images = np.stack([frames[at] for at in order])
        file["dataset/image_0/data"] = images[:, None, None].astype(np.uint16)
        file["dataset/image_0/header"] = header
    record = read_cine(path)
    np.testing.assert_array_equal(record.frames, frames)
    np.testing.assert_allclose(record.spacing_mm, (9, 1.8, 1.5), atol=1e-6)
    with h5py.File(path, "a") as file:
        del file["dataset/image_0/header"]
    with pytest.raises(MissingUnitError, match="ISMRMRD"):
        read_cine(path)
