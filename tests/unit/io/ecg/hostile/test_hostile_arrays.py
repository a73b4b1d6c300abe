"""Bad NPY, NPZ and HDF5 arrays, sidecars: refused by name, with what is missing."""

import json
import struct
from collections.abc import Callable
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
from ptacl_core.records import LEAD_NAMES

FACTS = {"lead_names": LEAD_NAMES, "unit": "mV", "sampling_rate_hz": 500}


def case(name, build, error, words, hints=None):
    return pytest.param(build, error, words, hints or {}, id=name)


def npy_claiming(shape: str, descr: str = "'<f4'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(400)


def hdf5_of(shop, build: Callable[[Any, Any], object]) -> Path:
    h5py = pytest.importorskip("h5py")
    path = shop.folder / "a.h5"
    with h5py.File(path, "w") as file:
        build(file, h5py)
    return path


def with_sidecar(shop, text: str) -> Path:
    path = shop.npy(shop.steps() * 0.005)
    shop.save("a.npy.json", text)
    return path


CASES = [
    case(
        "objects",
        lambda s: s.npy(np.array([{"a": 1}], dtype=object)),
        UnsupportedFormatError,
        ("Python objects", "never opened"),
        FACTS,
    ),
    case(
        "8 TB claimed",
        lambda s: s.save("a.npy", npy_claiming("(1000000, 1000000, 2)")),
        UnreadableFileError,
        ("8000000000000 bytes", "holds 400"),
        FACTS,
    ),
    case(
        "negative shape",
        lambda s: s.save("a.npy", npy_claiming("(-12, 5)")),
        UnreadableFileError,
        ("a.npy",),
        FACTS,
    ),
    case(
        "code in the header",
        lambda s: s.save("a.npy", npy_claiming("__import__('os').getpid()")),
        UnreadableFileError,
        ("NPY array",),
        FACTS,
    ),
    case(
        "header cut",
        lambda s: s.save("a.npy", npy_claiming("(12, 9)")[:40]),
        UnreadableFileError,
        ("NPY array",),
        FACTS,
    ),
    case(
        "samples cut",
        lambda s: s.save("a.npy", npy_claiming("(12, 9)")[:-40]),
        UnreadableFileError,
        ("holds 360 bytes",),
        FACTS,
    ),
    case(
        "empty array",
        lambda s: s.npy(np.zeros((12, 0))),
        UnreadableFileError,
        ("found 0 per lead",),
        FACTS,
    ),
    case(
        "complex",
        lambda s: s.npy(np.zeros((12, 9), complex)),
        UnsupportedFormatError,
        ("complex128",),
        FACTS,
    ),
    case(
        "booleans",
        lambda s: s.npy(np.zeros((12, 9), bool)),
        UnsupportedFormatError,
        ("bool",),
        FACTS,
    ),
    case(
        "text", lambda s: s.npy(np.full((12, 9), "a")), UnsupportedFormatError, ("numbers",), FACTS
    ),
    case(
        "four axes",
        lambda s: s.npy(np.zeros((2, 2, 12, 9))),
        UnsupportedFormatError,
        ("shape (2, 2, 12, 9)",),
        FACTS,
    ),
    case(
        "thirteen rows",
        lambda s: s.npy(np.zeros((13, 99))),
        UnsupportedFormatError,
        ("shape (13, 99)",),
        FACTS,
    ),
    case(
        "no facts",
        lambda s: s.npy(np.zeros((12, 99))),
        MissingUnitError,
        ("lead_names=", "unit=", "sampling_rate_hz=", "a.npy.json"),
    ),
    case(
        "24 h at 2000 Hz",
        lambda s: s.sparse("a.npy", npy_claiming("(12, 90000000)", "'|i1'")[:128], 128),
        UnreadableFileError,
        ("1080000000 bytes",),
        FACTS,
    ),
    case(
        "25 h",
        lambda s: s.npy(np.zeros((12, 100), np.float16)),
        UnreadableFileError,
        ("Hz",),
        {**FACTS, "sampling_rate_hz": 0.001},
    ),
    case(
        "sidecar is no json",
        lambda s: with_sidecar(s, "{unit: mV"),
        UnreadableFileError,
        ("a.npy.json", "JSON object"),
    ),
    case(
        "sidecar is a list",
        lambda s: with_sidecar(s, "[1]"),
        UnreadableFileError,
        ("found a list",),
    ),
    case(
        "sidecar too deep",
        lambda s: with_sidecar(s, "[" * 100_000),
        UnreadableFileError,
        ("a.npy.json",),
    ),
    case(
        "sidecar with a wrong unit",
        lambda s: with_sidecar(s, json.dumps({"unit": "inch"})),
        ConfigError,
        ("a.npy.json", "unit must be"),
    ),
    case(
        "npz cut",
        lambda s: (
            s.zip_of("a.npz", {"x.npy": npy_claiming("(12, 8)")}),
            s.save("a.npz", (s.folder / "a.npz").read_bytes()[:-30]),
        )[1],
        UnreadableFileError,
        ("NPZ",),
        FACTS,
    ),
    case(
        "npz bomb",
        lambda s: s.zip_of("a.npz", {f"{n}.npy": bytes(60 * 2**20) for n in range(9)}),
        UnsupportedFormatError,
        ("540 MB unpacked",),
        FACTS,
    ),
    case(
        "npz of objects",
        lambda s: (np.savez(s.folder / "a.npz", x=np.array([{}], object)), s.folder / "a.npz")[1],
        UnsupportedFormatError,
        ("Python objects",),
        FACTS,
    ),
    case(
        "npz damaged member",
        lambda s: (
            np.savez(s.folder / "a.npz", x=s.steps()),
            s.save(
                "a.npz",
                (s.folder / "a.npz")
                .read_bytes()
                .replace(bytes(s.steps()[3, 9:12].tobytes()), b"\xff" * 24),
            ),
        )[1],
        UnreadableFileError,
        ("NPZ",),
        FACTS,
    ),
    case(
        "npz with a wrong fact",
        lambda s: (np.savez(s.folder / "a.npz", x=s.steps(), unit="inch"), s.folder / "a.npz")[1],
        ConfigError,
        ("stated in the file", "unit"),
        FACTS,
    ),
    case(
        "hdf5 magic alone",
        lambda s: s.save("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(99)),
        UnreadableFileError,
        ("HDF5",),
        FACTS,
    ),
    case(
        "hdf5 of words",
        lambda s: hdf5_of(s, lambda f, h: f.create_dataset("a", data="x")),
        UnsupportedFormatError,
        ("no array of numbers",),
        FACTS,
    ),
    case(
        "hdf5 link into another file",
        lambda s: hdf5_of(s, lambda f, h: f.__setitem__("ecg", h.ExternalLink("/etc/passwd", "/"))),
        UnsupportedFormatError,
        ("no array of numbers",),
        FACTS,
    ),
    case(
        "hdf5 samples in another file",
        lambda s: hdf5_of(
            s,
            lambda f, h: f.create_dataset(
                "ecg", (12, 9), "f4", external=[("/etc/hostname", 0, h.h5f.UNLIMITED)]
            ),
        ),
        UnsupportedFormatError,
        ("never opened",),
        FACTS,
    ),
    case(
        "hdf5 claiming terabytes",
        lambda s: hdf5_of(
            s, lambda f, h: f.create_dataset("ecg", (12, 10**11), "f8", chunks=(1, 1000))
        ),
        UnsupportedFormatError,
        ("MB unpacked",),
        FACTS,
    ),
    case(
        "hdf5 batch claiming terabytes",
        lambda s: hdf5_of(
            s, lambda f, h: f.create_dataset("ecg", (10**7, 12, 5000), "f4", chunks=(1, 12, 5000))
        ),
        MissingUnitError,
        ("record_index=",),
        FACTS,
    ),
    case(
        "hdf5 several arrays",
        lambda s: hdf5_of(
            s,
            lambda f, h: (
                f.create_dataset("a", (12, 9), "f4"),
                f.create_dataset("b", (12, 9), "f4"),
            ),
        ),
        UnsupportedFormatError,
        ("array_name=",),
        FACTS,
    ),
    case(
        "hdf5 batch index too high",
        lambda s: hdf5_of(s, lambda f, h: f.create_dataset("a", (2, 12, 9), "f4")),
        UnsupportedFormatError,
        ("record_index 7", "holds 2"),
        {**FACTS, "record_index": 7},
    ),
]


@pytest.mark.parametrize(("build", "error", "words", "hints"), CASES)
def test_bad_array_is_refused_in_words(expect_refusal, build, error, words, hints):
    expect_refusal(build, error, words, hints)
