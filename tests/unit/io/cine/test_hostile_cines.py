"""Damaged and hostile files: a typed error of one line, or a record with findings, in no time."""

import gzip
import io
import os
import random
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from ptacl_core.errors import RecordError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.cine.dicom import pixels as dicom_cine_pixels
from ptacl_core.io.cine.dicom.header import read_headers
from ptacl_core.io.cine.dicom.pixels import load_images
from ptacl_core.io.cine.read import read_cine

Edit = Callable[..., None]


def one_line(error: RecordError) -> str:
    text = str(error)
    assert text
    assert "\n" not in text
    assert "Traceback" not in text
    return text


def refuses(path: Path) -> str:
    with pytest.raises(RecordError) as caught:
        read_cine(path)
    return one_line(caught.value)


def deleted(name: str) -> Edit:
    return lambda image: delattr(image, name)


def assigned(name: str, value: object) -> Edit:
    def edit(image) -> None:
        image.__setattr__(name, value)

    return edit


DICOM_FAULTS: dict[str, Edit] = {
    "no rows": deleted("Rows"),
    "no columns": deleted("Columns"),
    "no bits": deleted("BitsAllocated"),
    "no pixels": deleted("PixelData"),
    "no position": deleted("ImagePositionPatient"),
    "no orientation": deleted("ImageOrientationPatient"),
    "no pixel spacing": deleted("PixelSpacing"),
    "huge rows": assigned("Rows", 65535),
    "huge both": lambda image: (
        assigned("Rows", 65535)(image),
        assigned("Columns", 65535)(image),
    )[0],
    "zero rows": assigned("Rows", 0),
    "one bit": assigned("BitsAllocated", 1),
    "64 bits": assigned("BitsAllocated", 64),
    "too many stored bits": assigned("BitsStored", 40),
    "rows that halve the data": assigned("Rows", 6),
    "many frames": assigned("NumberOfFrames", 2_000_000_000),
    "negative frames": assigned("NumberOfFrames", -3),
    "frames beyond the data": assigned("NumberOfFrames", 50),
    "colour": assigned("SamplesPerPixel", 3),
    "palette": assigned("PhotometricInterpretation", "PALETTE COLOR"),
    "no pixel bytes": assigned("PixelData", b""),
    "few pixel bytes": assigned("PixelData", bytes(10)),
    "zero spacing": assigned("PixelSpacing", [0, 0]),
    "negative spacing": assigned("PixelSpacing", [-1.5, 1.5]),
    "one spacing": assigned("PixelSpacing", [1.5]),
    "null orientation": assigned("ImageOrientationPatient", [0, 0, 0, 0, 0, 0]),
    "parallel axes": assigned("ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
    "two positions": assigned("ImagePositionPatient", [1.0, 2.0]),
    "not an MR image": assigned("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"),
    "an ECG": assigned("SOPClassUID", "1.2.840.10008.5.1.4.1.1.9.1.1"),
    "enhanced without frames": assigned("SOPClassUID", "1.2.840.10008.5.1.4.1.1.4.1"),
}


@pytest.mark.parametrize("fault", DICOM_FAULTS)
def test_header_faults_in_every_file(dicom, tmp_path: Path, fault: str) -> None:
    images = dicom.series().build()
    for image in images:
        DICOM_FAULTS[fault](image)
    refuses(dicom.write_folder(tmp_path / "case", images))


@pytest.mark.parametrize("fault", DICOM_FAULTS)
def test_header_fault_in_one_file(dicom, tmp_path: Path, fault: str, has_codes) -> None:
    """One damaged file of twelve costs one frame, or as much as it truly concerns."""
    series = dicom.series(num_slices=3, num_frames=11)
    images = series.build()
    DICOM_FAULTS[fault](images[15])
    record = read_cine(dicom.write_folder(tmp_path / "case", images))
    expected = series.expected()
    expected[1, 4] = expected[1, 3]
    np.testing.assert_array_equal(record.frames, expected)
    assert "missing_frames" in has_codes(record)


@pytest.mark.parametrize("text", ["abc", "1e999", "nan", "--5", "1\\2", "9" * 400])
@pytest.mark.parametrize("tag", [(0x0018, 0x1060), (0x0020, 0x0013), (0x0020, 0x0032)])
def test_values_that_are_no_numbers(dicom, tmp_path: Path, text: str, tag: tuple[int, int]) -> None:
    """Raw text in trigger time, instance number, position: read from the rest or refused."""
    series = dicom.series(num_slices=1)
    images = series.build()
    mark = b"7777777777777777"
    for index, image in enumerate(images):
        data = dicom.to_bytes(image)
        group, element = tag
        at = data.index(struct.pack("<HH", group, element))
        length = struct.unpack_from("<H", data, at + 6)[0]
        value = (text.encode() + b" " * (len(text) % 2))[: 2**15]
        data = data[: at + 6] + struct.pack("<H", len(value)) + value + data[at + 8 + length :]
        (tmp_path / f"{index}.dcm").write_bytes(data)
        assert mark not in data
    try:
        record = read_cine(tmp_path)
    except RecordError as error:
        one_line(error)
        assert tag == (0x0020, 0x0032)
    else:
        np.testing.assert_array_equal(record.frames, series.expected())


def test_truncated_files_of_a_series(dicom, tmp_path: Path, has_codes) -> None:
    series = dicom.series(num_slices=2, num_frames=20)
    folder = dicom.write_folder(tmp_path / "case", series.build())
    victim = folder / "00007.dcm"
    victim.write_bytes(victim.read_bytes()[:-30])
    record = read_cine(folder)
    expected = series.expected()
    expected[0, 7] = expected[0, 6]
    np.testing.assert_array_equal(record.frames, expected)
    assert {"unreadable_files", "missing_frames"} <= has_codes(record)


def test_truncation_anywhere_is_told(dicom, tmp_path: Path) -> None:
    data = dicom.to_bytes(dicom.series(num_slices=1, num_frames=2).build()[0])
    path = tmp_path / "x.dcm"
    for end in range(0, len(data), 97):
        path.write_bytes(data[:end])
        refuses(path)


def test_deflated_syntax_is_refused_unopened(dicom, tmp_path: Path) -> None:
    for index, image in enumerate(dicom.series(num_slices=1).build()):
        (tmp_path / f"{index}.dcm").write_bytes(
            dicom.to_bytes(image, DeflatedExplicitVRLittleEndian)
        )
    assert "deflated" in refuses(tmp_path)


def compressed(dicom, tmp_path: Path, syntax: str, frames: list[bytes]) -> Path:
    series = dicom.series(num_slices=1, num_frames=len(frames), rows=32, columns=32)
    for index, (image, data) in enumerate(zip(series.build(), frames, strict=True)):
        image.PixelData = encapsulate([data])
        image["PixelData"].VR = "OB"
        (tmp_path / f"{index:02d}.dcm").write_bytes(dicom.to_bytes(image, syntax))
    return tmp_path


def jpeg2000(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG2000", irreversible=False, no_jp2=True)
    return stream.getvalue()


def oversized_codestream() -> bytes:
    """JPEG 2000 that claims 60000 × 60000 pixels in its SIZ marker."""
    data = bytearray(jpeg2000(np.zeros((32, 32), np.uint16)))
    at = data.index(b"\xff\x51")
    struct.pack_into(">LL", data, at + 6, 60000, 60000)
    struct.pack_into(">LL", data, at + 22, 60000, 60000)
    return bytes(data)


def oversized_jpeg() -> bytes:
    """JPEG that claims 12000 × 12000 pixels in its frame header."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(stream, "JPEG")
    data = bytearray(stream.getvalue())
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 12000, 12000)
    return bytes(data)


COMPRESSION_FAULTS = {
    "jpeg 2000 without content": (JPEG2000Lossless, b"\xff\x4f\xff\x51" + bytes(100)),
    "jpeg 2000 cut": (JPEG2000Lossless, jpeg2000(np.zeros((32, 32), np.uint16))[:60]),
    "jpeg 2000 of another size": (JPEG2000Lossless, jpeg2000(np.zeros((16, 16), np.uint16))),
    "jpeg 2000 of 60000 pixels": (JPEG2000Lossless, oversized_codestream()),
    "jpeg of 12000 pixels": (JPEGBaseline8Bit, oversized_jpeg()),
    "jpeg without content": (JPEGBaseline8Bit, b"\xff\xd8\xff\xe0" + bytes(100)),
    "rle with offsets beyond": (
        RLELossless,
        struct.pack("<16L", 2, 64, 2**31, *[0] * 13) + bytes(64),
    ),
    "rle with too many segments": (
        RLELossless,
        struct.pack("<16L", 15, *[64] * 15) + b"\x81\x00" * 30,
    ),
    "rle without header": (RLELossless, b"\x02"),
}


@pytest.mark.parametrize("fault", COMPRESSION_FAULTS)
def test_damaged_compression_in_every_file(dicom, tmp_path: Path, fault: str) -> None:
    syntax, data = COMPRESSION_FAULTS[fault]
    assert "cannot be read or decoded" in refuses(compressed(dicom, tmp_path, syntax, [data] * 3))


def test_damaged_compression_in_one_file(dicom, tmp_path: Path, has_codes) -> None:
    frames = [jpeg2000(np.full((32, 32), t, np.uint16)) for t in range(12)]
    frames[5] = frames[5][:50]
    record = read_cine(compressed(dicom, tmp_path, JPEG2000Lossless, frames))
    assert record.frames[0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 4, 6, 7, 8, 9, 10, 11]
    assert "missing_frames" in has_codes(record)


def test_decoder_that_runs_out_of_time_is_stopped(dicom, tmp_path: Path) -> None:
    frames = [jpeg2000(np.full((32, 32), t, np.uint16)) for t in range(2)]
    folder = compressed(dicom, tmp_path, JPEG2000Lossless, frames)
    headers = [header for path in sorted(folder.iterdir()) for header in read_headers(path)]
    assert list(load_images(headers, decoder_time_s=0)) == [None, None]


DYING_WORKER = """
import os, runpy, sys
import pydicom.pixels.utils as decoders
real = decoders.pixel_array
def pixel_array(path, **options):
    if os.path.basename(path) in ("03.dcm", "07.dcm"):
        os.abort()
    return real(path, **options)
decoders.pixel_array = pixel_array
runpy.run_path({worker!r}, run_name="__main__")
"""


@pytest.mark.parametrize("allowed", [3, 1])
def test_decoder_deaths_cost_their_frames_only(
    dicom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int
) -> None:
    """The real worker with a decoder that aborts the process on two of ten files."""
    case = tmp_path / "case"
    case.mkdir()
    frames = [jpeg2000(np.full((32, 32), t, np.uint16)) for t in range(10)]
    folder = compressed(dicom, case, JPEG2000Lossless, frames)
    dying = tmp_path / "dying.py"
    dying.write_text(
        DYING_WORKER.format(
            worker=str(dicom_cine_pixels.__file__).replace("pixels.py", "decoder.py")
        )
    )
    monkeypatch.setattr(dicom_cine_pixels, "_WORKER", dying)
    monkeypatch.setattr(dicom_cine_pixels, "MAX_DECODER_DEATHS", allowed)
    headers = [header for path in sorted(folder.iterdir()) for header in read_headers(path)]
    values = [None if image is None else image[0, 0] for image in load_images(headers)]
    rest = [8, 9] if allowed == 3 else [None, None]
    assert values == [0, 1, 2, None, 4, 5, 6, None, *rest]


def test_workers_ignore_what_lies_in_the_current_folder(
    dicom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for name in ("json", "numpy", "pydicom", "PIL", "dl", "struct"):
        (hostile / f"{name}.py").write_text("open('ran', 'w').close(); raise SystemExit(3)")
    case = tmp_path / "case"
    case.mkdir()
    compressed(
        dicom, case, JPEG2000Lossless, [jpeg2000(np.full((32, 32), t, np.uint16)) for t in (3, 9)]
    )
    monkeypatch.chdir(hostile)
    assert read_cine(case).frames[0, :, 0, 0].tolist() == [3, 9]
    assert not (hostile / "ran").exists()


NIFTI = struct.pack


def nifti_header(**fields: tuple[str, int, object]) -> bytearray:
    data = bytearray(352)
    struct.pack_into("<i", data, 0, 348)
    struct.pack_into("<8h", data, 40, 4, 8, 7, 2, 5, 1, 1, 1)
    struct.pack_into("<hh", data, 70, 4, 16)
    struct.pack_into("<8f", data, 76, 1, 1.8, 1.8, 10, 0.03, 0, 0, 0)
    struct.pack_into("<3f", data, 108, 352, 0, 0)
    data[123] = 2 | 8
    data[344:348] = b"n+1\0"
    return data


def patched(form: str, at: int, *values: object) -> bytes:
    data = nifti_header()
    struct.pack_into(form, data, at, *values)
    return bytes(data) + bytes(8 * 7 * 2 * 5 * 2)


NIFTI_FAULTS = {
    "huge sizes": patched("<8h", 40, 4, 32767, 32767, 32767, 2, 1, 1, 1),
    "many voxels": patched("<8h", 40, 4, 4000, 4000, 3, 50, 1, 1, 1),
    "negative size": patched("<8h", 40, 4, -8, 7, 2, 5, 1, 1, 1),
    "zero size": patched("<8h", 40, 4, 8, 0, 2, 5, 1, 1, 1),
    "no axes": patched("<8h", 40, 0, 8, 7, 2, 5, 1, 1, 1),
    "too many axes": patched("<8h", 40, 9, 8, 7, 2, 5, 1, 1, 1),
    "unknown type": patched("<hh", 70, 9999, 16),
    "complex": patched("<hh", 70, 32, 64),
    "rgb": patched("<hh", 70, 128, 24),
    "offset beyond": patched("<f", 108, 1e9),
    "offset nan": patched("<f", 108, float("nan")),
    "offset negative": patched("<f", 108, -1.0),
    "offset inf": patched("<f", 108, float("inf")),
    "spacing nan": patched("<8f", 76, 1, float("nan"), 1.8, 10, 0.03, 0, 0, 0),
    "spacing inf": patched("<8f", 76, 1, float("inf"), 1.8, 10, 0.03, 0, 0, 0),
    "one frame": patched("<8h", 40, 4, 8, 7, 2, 1, 1, 1, 1),
    "no voxels": bytes(nifti_header()),
    "half the voxels": patched("<h", 70, 4)[:500],
    "gzip of half": gzip.compress(patched("<h", 70, 4)[:500]),
    "gzip cut": gzip.compress(patched("<h", 70, 4))[:-20],
    "gzip with wrong checksum": gzip.compress(patched("<h", 70, 4))[:-8] + bytes(8),
    "gzip that promises too much": gzip.compress(patched("<8h", 40, 4, 2000, 2000, 3, 10, 1, 1, 1)),
    "second size field": b"\x1c\x02\0\0n+2\0" + bytes(600),
}


@pytest.mark.parametrize("fault", NIFTI_FAULTS)
def test_nifti_faults(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "x.nii.gz"
    path.write_bytes(NIFTI_FAULTS[fault])
    refuses(path)


def test_extreme_scaling_is_a_finding_not_a_crash(tmp_path: Path, has_codes) -> None:
    data = bytearray(patched("<3f", 108, 352, 3e38, 0))
    data[352:356] = struct.pack("<hh", 32767, -32768)
    (tmp_path / "x.nii").write_bytes(data)
    assert has_codes(read_cine(tmp_path / "x.nii")) == {"non_finite_pixels"}


OTHER_FILES = {
    "empty": b"",
    "one byte": b"\0",
    "text": b"hello, this is nothing",
    "xml": b"<?xml version='1.0'?><RestingECG/>",
    "random": random.Random(0).randbytes(5000),
    "dicom mark only": bytes(128) + b"DICM",
    "dicom mark and noise": bytes(128) + b"DICM" + random.Random(1).randbytes(5000),
    "zip mark only": b"PK\x03\x04",
    "gzip mark only": b"\x1f\x8b",
    "gzip of text": gzip.compress(b"hello" * 100),
    "gzip bomb": gzip.compress(bytes(20_000_000)),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "pickle": b"\x80\x04\x95" + bytes(50),
    "tar": bytes(257) + b"ustar" + bytes(300),
    "numpy mark only": b"\x93NUMPY",
    "zip of nothing": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
@pytest.mark.parametrize("name", ["x", "x.dcm", "x.nii.gz", "x.zip", "x.npy"])
def test_other_files(tmp_path: Path, kind: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(OTHER_FILES[kind])
    refuses(path)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_bytes(OTHER_FILES[kind])
    refuses(folder)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert "no such file" in refuses(tmp_path / "missing.zip")
    refuses(tmp_path / "missing" / "deeper")
    refuses(Path("bad\0name"))
    refuses(Path("x" * 5000))
    (tmp_path / "empty").mkdir()
    refuses(tmp_path / "empty")
    os.mkfifo(tmp_path / "pipe")
    refuses(tmp_path / "pipe")
    refuses(tmp_path)  # a folder with a pipe in it: not opened, it would never end
    refuses(Path("/dev/zero"))


def test_links_in_a_folder(dicom, tmp_path: Path) -> None:
    series = dicom.series()
    real = dicom.write_folder(tmp_path / "real", series.build())
    case = tmp_path / "case"
    case.mkdir()
    for path in real.iterdir():
        (case / path.name).symlink_to(path)
    (case / "loop").symlink_to(case)
    (case / "dangling.dcm").symlink_to(tmp_path / "nowhere")
    np.testing.assert_array_equal(read_cine(case).frames, series.expected())


def test_unreadable_rights_are_told(dicom, tmp_path: Path) -> None:
    path = tmp_path / "x.nii"
    path.write_bytes(patched("<h", 70, 4))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything
        assert read_cine(path).frames.shape == (2, 5, 7, 8)
    else:
        refuses(path)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


ZIP_FAULTS = {
    "slip": {"../../x.dcm": b"1"},
    "absolute": {"/tmp/x.dcm": b"1"},
    "text only": {"readme.txt": b"nothing"},
    "empty members": {"a.dcm": b"", "b.dcm": b""},
    "damaged inner zip": {"a.zip": b"PK\x03\x04" + bytes(100)},
    "inner bomb": {"a.zip": b""},
    "quoted names": {"a\nb.dcm": b"1", '"; rm -rf ~".dcm': b"2"},
}


@pytest.mark.parametrize("fault", ZIP_FAULTS)
def test_zip_faults(dicom, tmp_path: Path, fault: str) -> None:
    files = dict(ZIP_FAULTS[fault])
    if fault == "inner bomb":
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.dcm", bytes(100_000_000))
        files = {"a.zip": inner.getvalue()}
    refuses(dicom.write_zip(tmp_path / "x.zip", files))


def test_nothing_is_left_in_the_temporary_folder(
    dicom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    images = dicom.series().build()
    files = {f"{index}.dcm": dicom.to_bytes(image) for index, image in enumerate(images)}
    read_cine(dicom.write_zip(tmp_path / "good.zip", files))
    refuses(dicom.write_zip(tmp_path / "bad.zip", {"a.dcm": b"1"}))
    assert list(scratch.iterdir()) == []


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(st.integers(0, 4000), min_size=1, max_size=12),
    values=st.binary(min_size=12, max_size=12),
    cut=st.integers(0, 4000),
)
def test_fuzz_dicom(dicom, tmp_path: Path, places: list[int], values: bytes, cut: int) -> None:
    """Whatever bytes change in one file: a record or a RecordError, never another exception."""
    folder = tmp_path / "fuzz"
    if not folder.exists():
        dicom.write_folder(folder, dicom.series(num_slices=1, num_frames=11).build())
        (tmp_path / "clean").write_bytes((folder / "00003.dcm").read_bytes())
    data = bytearray((tmp_path / "clean").read_bytes())
    for place, value in zip(places, values, strict=False):
        data[128 + place % (len(data) - 128)] = value
    (folder / "00003.dcm").write_bytes(data if cut > 2000 else data[:cut])
    try:
        record = read_cine(folder)
    except RecordError as error:
        one_line(error)
    else:
        assert record.frames.dtype == np.float32
        assert record.frames.ndim == 4


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(st.integers(0, 351), min_size=1, max_size=8),
    values=st.binary(min_size=8, max_size=8),
)
def test_fuzz_nifti(tmp_path: Path, places: list[int], values: bytes) -> None:
    data = bytearray(patched("<h", 70, 4))
    for place, value in zip(places, values, strict=False):
        data[place] = value
    path = tmp_path / "x.nii"
    path.write_bytes(data)
    try:
        assert read_cine(path).frames.ndim == 4
    except RecordError as error:
        one_line(error)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(st.integers(0, 10_000), min_size=1, max_size=6),
    values=st.binary(min_size=6, max_size=6),
)
def test_fuzz_zip(dicom, tmp_path: Path, places: list[int], values: bytes) -> None:
    clean = tmp_path / "clean.zip"
    if not clean.exists():
        images = dicom.series(num_slices=1, num_frames=2).build()
        dicom.write_zip(clean, {f"{i}.dcm": dicom.to_bytes(x) for i, x in enumerate(images)})
    data = bytearray(clean.read_bytes())
    for place, value in zip(places, values, strict=False):
        data[place % len(data)] = value
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    try:
        assert read_cine(path).frames.ndim == 4
    except RecordError as error:
        one_line(error)


def test_no_torch_no_pandas_no_scipy_on_import(tmp_path: Path) -> None:
    code = (
        "import sys; from ptacl_core.io import discover; import ptacl_core.io.cine.read; "
        "import ptacl_core.io.phenotypes.table; import ptacl_core.preprocess.cine; "
        "print([m for m in ('torch','pandas','scipy','pydicom','nibabel','pyarrow') "
        "if m in sys.modules])"
    )
    finished = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"


def test_ecgs_are_sent_to_their_reader(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<?xml version='1.0'?><CardiologyXML></CardiologyXML>")
    assert "read_ecg" in refuses(path)
    with pytest.raises(UnsupportedFormatError):
        read_cine(path)
    (tmp_path / "none").write_bytes(b"")
    with pytest.raises(UnreadableFileError, match="empty"):
        read_cine(tmp_path / "none")
