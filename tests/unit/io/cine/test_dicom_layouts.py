"""Series as scanners and archives lay them out, built with pydicom: sorted by geometry and time."""

import copy
import random
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.cine.dicom import pixel_layout as dicom_pixel_layout
from ptacl_core.io.cine.read import read_cine


def ukb_files(dicom, **options) -> tuple[dict[str, bytes], np.ndarray]:
    """A UK Biobank 20209 zip: a series per slice, its InlineVF copy, long axis, a manifest."""
    options = {"num_slices": 4, "num_frames": 50, "interval_ms": 19.0} | options
    series = dicom.series(**options)
    images = list(series.build())
    expected = series.expected()
    inline = dicom.series(
        **options, description="CINE_segmented_SAX_b{number}_InlineVF", first_series=60
    )
    for image in inline.build(prefix="1.2.826.0.2"):
        image.PixelData = bytes(len(image.PixelData))
        image.StudyInstanceUID = images[0].StudyInstanceUID
        images.append(image)
    long_axis = dicom.series(
        num_slices=1,
        num_frames=50,
        rows=series.rows,
        columns=series.columns,
        orientation=dicom.long_axis,
        description="CINE_segmented_LAX_4Ch",
        first_series=90,
    )
    images += long_axis.build(prefix="1.2.826.0.3")
    random.Random(0).shuffle(images)
    files = {f"1.3.12.{index}.dcm": dicom.to_bytes(image) for index, image in enumerate(images)}
    files["manifest.csv"] = b"filename,patient id,date,series discription\na.dcm,1,Jan 2, 2020,x\n"
    return files, expected


def test_ukb_zip(dicom, tmp_path: Path, has_codes) -> None:
    files, expected = ukb_files(dicom)
    record = read_cine(dicom.write_zip(tmp_path / "1000017_20209_2_0.zip", files))
    np.testing.assert_array_equal(record.frames, expected)
    assert record.spacing_mm == pytest.approx((10.0, 1.8, 1.5))
    np.testing.assert_allclose(np.diff(record.frame_times_ms), 19.0)
    assert has_codes(record) == {"inline_vf_excluded", "long_axis_excluded"}


def test_ukb_series_as_nested_zips(dicom, tmp_path: Path) -> None:
    files, expected = ukb_files(dicom, num_frames=5, num_slices=3)
    names = sorted(files)
    parts = {}
    for number in range(3):
        part = dicom.write_zip(
            tmp_path / f"part{number}.zip", {name: files[name] for name in names[number::3]}
        )
        parts[part.name] = part.read_bytes()
        part.unlink()
    record = read_cine(dicom.write_zip(tmp_path / "all.zip", parts))
    np.testing.assert_array_equal(record.frames, expected)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    np.testing.assert_array_equal(read_cine(folder).frames, expected)


def test_only_inline_vf_is_refused(dicom, tmp_path: Path) -> None:
    series = dicom.series(description="CINE_segmented_SAX_InlineVF")
    folder = dicom.write_folder(tmp_path / "case", series.build())
    with pytest.raises(UnsupportedFormatError, match="InlineVF"):
        read_cine(folder)


def test_whole_stack_in_one_series_without_description(dicom, tmp_path: Path) -> None:
    series = dicom.series(series_per_slice=False, description="")
    folder = dicom.write_folder(tmp_path / "case", series.build())
    record = read_cine(folder)
    np.testing.assert_array_equal(record.frames, series.expected())
    assert record.findings == ()


def test_phase_major_order(dicom, tmp_path: Path) -> None:
    """Philips numbers all slices of a phase first; files come in that order too."""
    series = dicom.series(series_per_slice=False, num_slices=3, num_frames=4)
    images = series.build()
    phase_major = [images[z * 4 + t] for t in range(4) for z in range(3)]
    for number, image in enumerate(phase_major):
        image.InstanceNumber = number + 1
        del image.TriggerTime
    folder = dicom.write_folder(tmp_path / "case", phase_major)
    record = read_cine(folder)
    np.testing.assert_array_equal(record.frames, series.expected())


@pytest.mark.parametrize(
    ("removed", "order"),
    [
        ((), None),
        (("TriggerTime",), "instance number"),
        (("TriggerTime", "InstanceNumber"), "acquisition time"),
        (("TriggerTime", "InstanceNumber", "AcquisitionTime"), "content time"),
    ],
)
def test_time_order_without_trigger_time(
    dicom, tmp_path: Path, removed: tuple[str, ...], order: str | None
) -> None:
    series = dicom.series()
    images = series.build()
    for index, image in enumerate(images):
        image.ContentTime = f"1012{index:02d}"
        for name in removed:
            delattr(image, name)
    random.Random(3).shuffle(images)
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    np.testing.assert_array_equal(record.frames, series.expected())
    said = [finding.message for finding in record.findings if finding.code == "no_trigger_time"]
    assert bool(said) == (order is not None)
    if order is not None:
        assert order in said[0]
        np.testing.assert_allclose(np.diff(record.frame_times_ms), 40.0)  # from the RR interval


def test_temporal_position_beats_instance_number(dicom, tmp_path: Path) -> None:
    series = dicom.series(num_slices=2)
    images = series.build()
    for image in images:
        image.TemporalPositionIdentifier = image.InstanceNumber
        image.InstanceNumber = 100 - image.InstanceNumber
        image.TriggerTime = "12"  # constant: no order
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    np.testing.assert_array_equal(record.frames, series.expected())


def test_frames_without_any_order_are_refused(dicom, tmp_path: Path) -> None:
    images = dicom.series(num_slices=1).build()
    for image in images:
        for name in ("TriggerTime", "InstanceNumber", "AcquisitionTime"):
            delattr(image, name)
    with pytest.raises(UnsupportedFormatError, match="trigger time"):
        read_cine(dicom.write_folder(tmp_path / "case", images))


def test_trigger_times_may_differ_between_slices(dicom, tmp_path: Path) -> None:
    """RR changes over a stack: frames are matched by rank, never by trigger time."""
    series = dicom.series()
    images = series.build()
    for index, image in enumerate(images):
        z, t = divmod(index, 4)
        image.TriggerTime = str(round(t * (40.0 + 3.1 * z) + z, 3))
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    np.testing.assert_array_equal(record.frames, series.expected())
    np.testing.assert_allclose(record.frame_times_ms, np.arange(4) * 43.1 + 1)  # middle slice


def test_slice_positions_with_jitter(dicom, tmp_path: Path) -> None:
    series = dicom.series()
    images = series.build()
    for index, image in enumerate(images):
        shift = 0.001 * (index % 3 - 1)
        image.ImagePositionPatient = [float(value) + shift for value in image.ImagePositionPatient]
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    np.testing.assert_array_equal(record.frames, series.expected())


def test_slice_thickness_is_not_the_spacing(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series(slice_mm=7.5)
    images = series.build()
    for image in images:
        image.SpacingBetweenSlices = "10"
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    assert record.spacing_mm[0] == pytest.approx(7.5)
    assert "slice_spacing_differs" in has_codes(record)


def test_monochrome1_is_inverted(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series()
    plain = read_cine(dicom.write_folder(tmp_path / "plain", series.build()))
    images = series.build()
    for image in images:
        stored = np.frombuffer(image.PixelData, np.uint16)
        image.PixelData = (4095 - stored).astype(np.uint16).tobytes()
        image.PhotometricInterpretation = "MONOCHROME1"
        image.BitsStored, image.HighBit = 12, 11
    record = read_cine(dicom.write_folder(tmp_path / "inverted", images))
    np.testing.assert_array_equal(record.frames, plain.frames)
    assert "inverted" in has_codes(record)


def test_rescale_signed_and_unused_bits(dicom, tmp_path: Path) -> None:
    series = dicom.series(num_slices=1)
    images = series.build()
    for index, image in enumerate(images):
        stored = (np.arange(120).reshape(12, 10) - 60 + index).astype(np.int16)
        dicom.set_pixels(image, (stored & 0x0FFF).astype(np.int16))  # overlay bits left empty
        image.BitsStored, image.HighBit, image.PixelRepresentation = 12, 11, 1
        image.RescaleSlope, image.RescaleIntercept = "2.5", "-10"
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    expected = [(np.arange(120).reshape(12, 10) - 60 + t) * 2.5 - 10 for t in range(4)]
    np.testing.assert_allclose(record.frames[0], expected)


def test_eight_bit_and_thirty_two_bit(dicom, tmp_path: Path) -> None:
    for dtype in (np.uint8, np.int32):
        series = dicom.series(num_slices=1)
        images = series.build()
        expected = []
        for index, image in enumerate(images):
            pixels = ((np.arange(120) * 3 + index) % 120).reshape(12, 10).astype(dtype)
            expected.append(pixels)
            dicom.set_pixels(image, pixels)
        record = read_cine(dicom.write_folder(tmp_path / dtype.__name__, images))
        np.testing.assert_array_equal(record.frames[0], expected)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_native_syntaxes(dicom, tmp_path: Path, syntax: str) -> None:
    series = dicom.series(num_slices=2)
    for index, image in enumerate(series.build()):
        if syntax == ExplicitVRBigEndian:
            values = np.frombuffer(image.PixelData, np.uint16)
            image.PixelData = values.astype(">u2").tobytes()
            image["PixelData"].VR = "OW"
        (tmp_path / f"{index}.dcm").write_bytes(dicom.to_bytes(image, syntax))
    np.testing.assert_array_equal(read_cine(tmp_path).frames, series.expected())


def test_enhanced_multi_frame(dicom, tmp_path: Path) -> None:
    series = dicom.series(num_slices=3, num_frames=4)
    order = list(range(12))
    random.Random(5).shuffle(order)
    path = tmp_path / "enhanced.dcm"
    path.write_bytes(dicom.to_bytes(dicom.build_enhanced(series, order=order)))
    record = read_cine(path)
    np.testing.assert_array_equal(record.frames, series.expected())
    assert record.source_format == "dicom_enhanced"
    assert record.spacing_mm == pytest.approx((10.0, 1.8, 1.5))
    np.testing.assert_allclose(record.frame_times_ms, np.arange(4) * 40 + 3.5)
    np.testing.assert_array_equal(read_cine(tmp_path).frames, record.frames)


@pytest.mark.parametrize("coding", ["rle", "jpeg2000"])
def test_compressed_pixels_are_exact(dicom, tmp_path: Path, coding: str) -> None:
    series = dicom.series(num_slices=2, num_frames=3, rows=32, columns=32)
    for index, image in enumerate(series.build()):
        pixels = np.frombuffer(image.PixelData, np.uint16).reshape(32, 32)
        if coding == "rle":
            syntax = RLELossless
            frame = get_encoder(RLELossless).encode(
                pixels,
                rows=32,
                columns=32,
                samples_per_pixel=1,
                bits_allocated=16,
                bits_stored=16,
                pixel_representation=0,
                photometric_interpretation="MONOCHROME2",
                number_of_frames=1,
                encoding_plugin="pydicom",
            )
        else:
            syntax = JPEG2000Lossless
            frame = jpeg2000(pixels)
        image.PixelData = encapsulate([frame])
        image["PixelData"].VR = "OB"
        (tmp_path / f"{index}.dcm").write_bytes(dicom.to_bytes(image, syntax))
    np.testing.assert_array_equal(read_cine(tmp_path).frames, series.expected())


def test_jpeg_baseline_is_read(dicom, tmp_path: Path) -> None:
    series = dicom.series(num_slices=1, num_frames=3, rows=32, columns=32)
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (32, 1))
    for index, image in enumerate(series.build()):
        dicom.set_pixels(image, ramp)
        stream = tmp_path / "frame.jpg"
        Image.fromarray(ramp).save(stream, quality=95)
        image.PixelData = encapsulate([stream.read_bytes()])
        image["PixelData"].VR = "OB"
        (tmp_path / f"{index}.dcm").write_bytes(dicom.to_bytes(image, JPEGBaseline8Bit))
        stream.unlink()
    assert np.abs(read_cine(tmp_path).frames - ramp).max() <= 4


def jpeg_lossless(pixels: np.ndarray) -> bytes:
    """JPEG Lossless (process 14, previous pixel), every category under a code of five bits."""
    rows, columns = pixels.shape
    values = pixels.astype(np.int64)
    before = np.empty_like(values)
    before[:, 1:] = values[:, :-1]
    before[1:, 0] = values[:-1, 0]
    before[0, 0] = 1 << 15
    bits = []
    for difference in (values - before).ravel().tolist():
        size = abs(difference).bit_length()
        bits.append(format(size, "05b"))
        if 0 < size < 16:  # the sixteenth category holds one difference only
            low = difference if difference > 0 else difference + (1 << size) - 1
            bits.append(format(low, f"0{size}b"))
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    scan = int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")
    frame = struct.pack(">BHHBBBB", 16, rows, columns, 1, 1, 0x11, 0)
    table = bytes([0, 0, 0, 0, 0, 17, *[0] * 11, *range(17)])
    segments = ((0xC3, frame), (0xC4, table), (0xDA, bytes([1, 1, 0, 1, 0, 0])))
    marked = b"".join(struct.pack(">BBH", 255, m, len(d) + 2) + d for m, d in segments)
    return b"\xff\xd8" + marked + scan + b"\xff\xd9"


def write_compressed(dicom, folder: Path, syntax: str) -> np.ndarray:
    series = dicom.series(num_slices=1, num_frames=3, rows=32, columns=32)
    for index, image in enumerate(series.build()):
        pixels = np.frombuffer(image.PixelData, np.uint16).reshape(32, 32)
        image.PixelData = encapsulate([jpeg_lossless(pixels)])
        image["PixelData"].VR = "OB"
        (folder / f"{index}.dcm").write_bytes(dicom.to_bytes(image, syntax))
    return series.expected()


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLossless])
def test_jpeg_lossless_is_exact_with_the_extra_libraries(
    dicom, tmp_path: Path, syntax: str
) -> None:
    pytest.importorskip("libjpeg")
    expected = write_compressed(dicom, tmp_path, syntax)
    np.testing.assert_array_equal(read_cine(tmp_path).frames, expected)


@pytest.mark.parametrize(("bits", "near"), [(8, 0), (12, 0), (16, 0), (12, 2)])
def test_jpeg_ls_equals_the_uncompressed_pixels(
    dicom, tmp_path: Path, bits: int, near: int
) -> None:
    """Encoded by CharLS, decoded by libjpeg; near-lossless coding stays within its bound."""
    pytest.importorskip("libjpeg")
    jpeg_ls = pytest.importorskip("jpeg_ls")
    generator = np.random.default_rng(bits)
    expected = generator.integers(0, 2**bits, (1, 3, 32, 32))
    expected[:, :, 8:24] = np.linspace(0, 2**bits - 1, 32).astype(int)  # runs and slopes too
    series = dicom.series(num_slices=1, num_frames=3, rows=32, columns=32)
    for image, pixels in zip(series.build(), expected[0], strict=True):
        stored = pixels.astype(np.uint8 if bits == 8 else np.uint16)
        image.BitsAllocated = 8 if bits == 8 else 16
        image.BitsStored, image.HighBit = bits, bits - 1
        code = bytes(jpeg_ls.encode_array(stored, lossy_error=near))
        image.PixelData = encapsulate([code + b"\0" * (len(code) % 2)])
        image["PixelData"].VR = "OB"
        syntax = JPEGLSNearLossless if near else JPEGLSLossless
        (tmp_path / f"{image.InstanceNumber}.dcm").write_bytes(dicom.to_bytes(image, syntax))
    difference = np.abs(read_cine(tmp_path).frames - expected)
    assert difference.max() <= near and (difference.max() > 0) == (near > 0)


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (JPEGLosslessSV1, "JPEG Lossless"),
        (JPEGLSLossless, "JPEG-LS"),
        (JPEGExtended12Bit, "JPEG of 12 bits"),
    ],
)
def test_missing_decoders_are_named_with_the_remedy(
    dicom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: str, name: str
) -> None:
    write_compressed(dicom, tmp_path, syntax)
    monkeypatch.setattr(dicom_pixel_layout, "_EXTRA_MODULES", ("pylibjpeg", "no_such_library"))
    with pytest.raises(UnsupportedFormatError, match=f"{name}.*pip install pylibjpeg"):
        read_cine(tmp_path)


def test_unread_compression_names_the_syntax(dicom, tmp_path: Path) -> None:
    write_compressed(dicom, tmp_path, HTJ2KLossless)
    with pytest.raises(UnsupportedFormatError, match=HTJ2KLossless):
        read_cine(tmp_path)


def test_repeated_slice_takes_the_last_whole_acquisition(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series()
    images = series.build()
    again = dicom.series(first_series=40).build(prefix="1.2.826.0.7")
    for image in again:
        image.PixelData = (np.frombuffer(image.PixelData, np.uint16) + 7).tobytes()
    record = read_cine(dicom.write_folder(tmp_path / "case", [*images, *again[:4], *again[4:6]]))
    expected = series.expected()
    expected[0] += 7  # the first slice was repeated whole, the second was broken off
    np.testing.assert_array_equal(record.frames, expected)
    assert "repeated_slices" in has_codes(record)


def test_repeats_within_one_series(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series(num_slices=2)
    images = series.build()
    again = [copy.deepcopy(image) for image in images]
    for image in again:
        image.SOPInstanceUID += ".2"
        image.AcquisitionNumber = 2
        image.InstanceNumber += 50
        image.PixelData = (np.frombuffer(image.PixelData, np.uint16) + 7).tobytes()
    record = read_cine(dicom.write_folder(tmp_path / "case", [*again, *images]))
    np.testing.assert_array_equal(record.frames, series.expected() + 7)
    assert "repeated_slices" in has_codes(record)


def test_one_series_per_frame(dicom, tmp_path: Path) -> None:
    series = dicom.series()
    images = series.build()
    for index, image in enumerate(images):
        image.SeriesInstanceUID = f"1.2.826.0.8.{index}"
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    np.testing.assert_array_equal(record.frames, series.expected())


def test_copies_of_files_are_dropped(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series()
    images = series.build()
    record = read_cine(dicom.write_folder(tmp_path / "case", [*images, *images]))
    np.testing.assert_array_equal(record.frames, series.expected())
    assert has_codes(record) == {"duplicate_files"}


@pytest.mark.parametrize("missing", [0, 3, 7])
def test_missing_file_repeats_the_frame_before(
    dicom, tmp_path: Path, has_codes, missing: int
) -> None:
    series = dicom.series(num_frames=12)
    images = series.build()
    del images[12 + missing]
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    expected = series.expected()
    expected[1, missing] = expected[1, missing - 1]
    np.testing.assert_array_equal(record.frames, expected)
    assert "missing_frames" in has_codes(record)
    assert len(record.frame_times_ms) == 12
    assert np.all(np.diff(record.frame_times_ms) >= 0)


def test_odd_slice_is_left_out(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series(num_slices=4, num_frames=12)
    images = series.build()
    record = read_cine(dicom.write_folder(tmp_path / "case", images[:36] + images[36:41]))
    np.testing.assert_array_equal(record.frames, series.expected()[:3])
    assert "odd_slices" in has_codes(record)


def test_gap_between_slices_is_reported(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series(num_slices=5, num_frames=3)
    images = series.build()
    record = read_cine(dicom.write_folder(tmp_path / "case", images[:6] + images[9:]))
    assert record.frames.shape[0] == 4
    assert record.spacing_mm[0] == pytest.approx(10.0)
    assert "slice_gap" in has_codes(record)


def test_prospective_gating_is_reported(dicom, tmp_path: Path, has_codes) -> None:
    images = dicom.series(num_frames=10).build()
    for image in images:
        image.NominalInterval = "800"  # ten frames of 40 ms
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    assert "prospective_gating" in has_codes(record)
    assert any("400 of 800 ms" in finding.message for finding in record.findings)


def test_heart_rate_stands_in_for_the_rr_interval(dicom, tmp_path: Path, has_codes) -> None:
    images = dicom.series(num_frames=10).build()
    for image in images:
        del image.NominalInterval
        image.HeartRate = "60"
    assert "prospective_gating" in has_codes(
        read_cine(dicom.write_folder(tmp_path / "case", images))
    )


def test_unknown_frame_times_are_nan(dicom, tmp_path: Path, has_codes) -> None:
    images = dicom.series().build()
    for image in images:
        del image.TriggerTime, image.NominalInterval
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    assert np.isnan(record.frame_times_ms).all()
    assert "frame_times_unknown" in has_codes(record)


def test_unnamed_long_axis_planes_are_left_out(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series(description="")
    images = series.build()
    images += dicom.series(
        num_slices=1, description="", orientation=dicom.long_axis, first_series=80
    ).build(prefix="1.2.826.0.9")
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    np.testing.assert_array_equal(record.frames, series.expected())
    assert "other_planes_excluded" in has_codes(record)


def test_only_long_axis_planes_are_refused(dicom, tmp_path: Path) -> None:
    planes = ((1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, 1), (0, 0, 1, 1, 0, 0))
    images = []
    for index, plane in enumerate(planes):
        images += dicom.series(
            num_slices=1, description="", orientation=plane, first_series=10 * index
        ).build(prefix=f"1.2.826.0.{index + 20}")
    with pytest.raises(UnsupportedFormatError, match="different planes"):
        read_cine(dicom.write_folder(tmp_path / "case", images))


def test_localiser_and_derived_images_are_left_out(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series()
    images = series.build()
    scout = dicom.series(num_slices=1, first_series=70).build(prefix="1.2.826.0.11")
    derived = dicom.series(num_slices=1, first_series=71).build(prefix="1.2.826.0.12")
    for image in scout:
        image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    for image in derived:
        image.ImageType = ["DERIVED", "SECONDARY"]
    record = read_cine(dicom.write_folder(tmp_path / "case", images + scout + derived))
    np.testing.assert_array_equal(record.frames, series.expected())
    assert {"localiser_excluded", "derived_excluded"} <= has_codes(record)


def test_derived_only_is_still_read(dicom, tmp_path: Path) -> None:
    series = dicom.series()
    images = series.build()
    for image in images:
        image.ImageType = ["DERIVED", "SECONDARY"]
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    np.testing.assert_array_equal(record.frames, series.expected())


def test_several_patients_are_refused_without_naming_them(dicom, tmp_path: Path) -> None:
    images = dicom.series().build()
    for index, image in enumerate(images):
        image.PatientID = f"secret{index % 2}"
    with pytest.raises(UnsupportedFormatError, match="several patients") as caught:
        read_cine(dicom.write_folder(tmp_path / "case", images))
    assert "secret" not in str(caught.value)


def test_still_images_are_refused(dicom, tmp_path: Path) -> None:
    folder = dicom.write_folder(tmp_path / "case", dicom.series(num_frames=1).build())
    with pytest.raises(UnsupportedFormatError, match="still images"):
        read_cine(folder)


def test_single_slice_takes_the_stated_spacing(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series(num_slices=1)
    record = read_cine(dicom.write_folder(tmp_path / "case", series.build()))
    assert record.spacing_mm[0] == 8.0
    assert "single_slice" in has_codes(record)


def test_stray_files_are_counted(dicom, tmp_path: Path, has_codes) -> None:
    folder = dicom.write_folder(tmp_path / "case", dicom.series().build())
    (folder / "notes.txt").write_text("nothing")
    (folder / "manifest.cvs").write_text("a,b")
    record = read_cine(folder)
    assert "other_files" in has_codes(record)
    assert any("1 files" in finding.message for finding in record.findings)


def jpeg2000(pixels: np.ndarray) -> bytes:
    import io

    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint16)).save(
        stream, "JPEG2000", irreversible=False, no_jp2=True
    )
    return stream.getvalue()
