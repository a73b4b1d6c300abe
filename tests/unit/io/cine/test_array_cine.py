"""Arrays: everything declared, nothing guessed."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ptacl_core.errors import (
    ConfigError,
    MissingUnitError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from ptacl_core.io.cine.read import read_cine

ARRAY = np.arange(2 * 5 * 4 * 3, dtype=np.float32).reshape(2, 5, 4, 3)
HINTS: dict[str, Any] = {"axes": "ZTYX", "spacing_mm": (8.0, 1.8, 1.5), "frame_interval_ms": 20.0}


def save(path: Path, array: np.ndarray = ARRAY) -> Path:
    np.save(path, array)
    return path


@pytest.mark.parametrize("axes", ["ZTYX", "TZYX", "YXZT", "XYTZ", "ztyx"])
def test_any_declared_order(tmp_path: Path, axes: str) -> None:
    array = ARRAY.transpose(["ZTYX".index(letter) for letter in axes.upper()])
    record = read_cine(save(tmp_path / "x.npy", array), **dict(HINTS, axes=axes))
    np.testing.assert_array_equal(record.frames, ARRAY)
    assert record.spacing_mm == (8.0, 1.8, 1.5)
    np.testing.assert_allclose(record.frame_times_ms, np.arange(5) * 20.0)
    assert (record.source_format, record.findings) == ("npy", ())


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "u1", "i2", ">u2", "i8"])
def test_types(tmp_path: Path, dtype: str) -> None:
    record = read_cine(save(tmp_path / "x.npy", ARRAY.astype(dtype)), **HINTS)
    np.testing.assert_array_equal(record.frames, ARRAY)


def test_fortran_order(tmp_path: Path) -> None:
    record = read_cine(save(tmp_path / "x.npy", np.asfortranarray(ARRAY)), **HINTS)
    np.testing.assert_array_equal(record.frames, ARRAY)


@pytest.mark.parametrize("name", ["x.json", "x.npy.json"])
def test_sidecar(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        json.dumps({"axes": "TYX", "spacing_mm": [1.8, 1.5], "frame_interval_ms": 31, "other": 1})
    )
    record = read_cine(save(tmp_path / "x.npy", ARRAY[0]))
    np.testing.assert_array_equal(record.frames, ARRAY[:1])
    assert np.isnan(record.spacing_mm[0])
    assert record.spacing_mm[1:] == (1.8, 1.5)
    assert read_cine(tmp_path / "x.npy", frame_interval_ms=10.0).frame_times_ms[1] == 10


def test_npz(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", cine=ARRAY, mask=ARRAY > 3)
    record = read_cine(tmp_path / "x.npz", array_name="cine", **HINTS)
    np.testing.assert_array_equal(record.frames, ARRAY)
    with pytest.raises(MissingUnitError, match="array_name"):
        read_cine(tmp_path / "x.npz", **HINTS)
    np.savez(tmp_path / "one.npz", ARRAY)
    np.testing.assert_array_equal(read_cine(tmp_path / "one.npz", **HINTS).frames, ARRAY)


def test_nothing_is_guessed(tmp_path: Path) -> None:
    path = save(tmp_path / "x.npy")
    with pytest.raises(MissingUnitError, match=r"\(2, 5, 4, 3\).*axes"):
        read_cine(path)
    with pytest.raises(MissingUnitError, match="spacing_mm"):
        read_cine(path, axes="ZTYX")


def test_unknown_frame_interval_is_nan(tmp_path: Path, has_codes) -> None:
    record = read_cine(save(tmp_path / "x.npy"), axes="ZTYX", spacing_mm=(1.0, 1.0))
    assert np.isnan(record.frame_times_ms).all()
    assert has_codes(record) == {"frame_times_unknown"}


@pytest.mark.parametrize(
    ("hints", "match"),
    [
        ({"axes": "ZTY"}, "'ZTY'"),
        ({"axes": "ZTYXX"}, "'ZTYXX'"),
        ({"axes": "TYX"}, r"\(2, 5, 4, 3\)"),
        ({"axes": 7}, "got 7"),
        ({"spacing_mm": [1.0]}, r"\[1\.0\]"),
        ({"spacing_mm": [1.0, -2.0]}, r"-2\.0"),
        ({"spacing_mm": 4.25}, r"4\.25"),
        ({"spacing_mm": ["a", "b"]}, "'a'"),
        ({"frame_interval_ms": 0}, "got 0"),
        ({"frame_interval_ms": "3"}, "got '3'"),
        ({"frame_interval_ms": float("nan")}, "got nan"),
        ({"frame_interval_ms": True}, "got True"),
    ],
)
def test_hints_that_do_not_fit(tmp_path: Path, hints: dict, match: str) -> None:
    (tmp_path / "x.json").write_text(json.dumps(HINTS | hints))
    with pytest.raises(ConfigError, match=match):
        read_cine(save(tmp_path / "x.npy"))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 1, 4, 3)),
        np.zeros((2, 0, 4, 3)),
        np.zeros((2, 5, 4, 3), dtype=complex),
        np.zeros((2, 5, 4, 3), dtype="U3"),
        np.zeros((2, 5, 4, 3), dtype="M8[s]"),
        np.zeros((2, 5, 4, 3), dtype=bool),
    ],
)
def test_arrays_that_are_no_cine(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(UnsupportedFormatError):
        read_cine(save(tmp_path / "x.npy", array), **HINTS)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UnsupportedFormatError, match=r"\|O"):
        read_cine(tmp_path / "x.npy", **HINTS)


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    body = text.encode()
    return b"\x93NUMPY" + version + len(body).to_bytes(2, "little") + body


@pytest.mark.parametrize(
    "data",
    [
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }\n"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 5, 4, 3), }\n"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 5, 4, 3), }\n"),
        header("__import__('os').system('true')\n"),
        header("{" * 5000),
        header("{'descr': '<f8'"),
        header("", version=b"\x09\x00"),
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00",
    ],
)
def test_hostile_headers(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises((UnreadableFileError, UnsupportedFormatError)):
        read_cine(tmp_path / "x.npy", **HINTS)
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as archive:
        archive.writestr("a.npy", data)
    with pytest.raises((UnreadableFileError, UnsupportedFormatError)):
        read_cine(tmp_path / "y.npz", **HINTS)


@pytest.mark.parametrize("text", ["[1]", "{", "\xff", "[" * 100_000])
def test_damaged_sidecar(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, encoding="latin-1")
    with pytest.raises(UnreadableFileError, match="JSON"):
        read_cine(save(tmp_path / "x.npy"))


def test_non_finite_pixels_are_counted(tmp_path: Path, has_codes) -> None:
    array = ARRAY.copy()
    array[0, 0, 0, 0] = np.nan
    assert has_codes(read_cine(save(tmp_path / "x.npy", array), **HINTS)) == {"non_finite_pixels"}


def test_npz_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        text = "{'descr': '<f8', 'fortran_order': False, 'shape': (100, 100, 100, 100), }\n"
        archive.writestr("a.npy", header(text))
    (tmp_path / "x.npz").write_bytes(stream.getvalue())
    with pytest.raises(UnreadableFileError, match="800000000 bytes"):
        read_cine(tmp_path / "x.npz", **HINTS)
