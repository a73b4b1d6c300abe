"""NPY and NPZ → CineRecord. Such arrays say nothing about themselves: all is declared."""

import io
import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.errors import (
    ConfigError,
    MissingUnitError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from ptacl_core.io.files.bounded_file import check_file, read_bytes, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import CineRecord, Finding

MAX_VALUES = 2**27
_MAX_FILE_BYTES = 2 * 1024**3
_MAX_HEADER_BYTES = 10_000
_MAX_SIDECAR_BYTES = 1024**2
_MAX_PACKING_RATIO = 1100  # deflate cannot do better than 1032
_HINT_NAMES = ("axes", "spacing_mm", "frame_interval_ms", "array_name")


@dataclass(frozen=True, slots=True)
class CineHints:
    """What an array lacks, from a caller or a JSON file, as it came: checked where it is used.

    `axes` text, `spacing_mm` two or three numbers, `frame_interval_ms` a number, `array_name`
    text; None: not given.
    """

    axes: Any = None
    spacing_mm: Any = None
    frame_interval_ms: Any = None
    array_name: Any = None


def read_array_cine(path: Path, hints: CineHints) -> CineRecord:
    """The cine in an NPY or NPZ file, by the axes that are declared and never guessed.

    Hints come from the caller, then from `<file>.json` or `<stem>.json` beside the file. Raises
    MissingUnitError when axes or pixel size are not given, ConfigError when a hint does not fit
    the array, UnreadableFileError and UnsupportedFormatError for the file itself.
    """
    shown = shown_name(path)
    hints = _with_sidecar(path, hints)
    check_file(path, max_bytes=_MAX_FILE_BYTES)
    with path.open("rb") as stream:
        is_npz = stream.read(2) == b"PK"
    array = _read_npz(path, hints.array_name, shown) if is_npz else _read_npy(path, shown)
    if hints.axes is None:
        raise MissingUnitError(
            f"{shown}: an array of sizes {array.shape} does not say what its axes are; give axes, "
            f'such as axes="ZTYX", or write {{"axes": "ZTYX", …}} to {path.stem}.json beside it'
        )
    frames = _arrange(array, hints.axes, shown)
    spacing_mm = _spacing_mm(hints.spacing_mm, shown)
    findings = []
    num_bad = int(frames.size - np.isfinite(frames).sum())
    if num_bad:
        findings.append(
            Finding("non_finite_pixels", "warning", f"{num_bad} pixels are not finite numbers")
        )
    interval_ms = _interval_ms(hints.frame_interval_ms, shown)
    if math.isnan(interval_ms):
        findings.append(
            Finding("frame_times_unknown", "warning", "no time between frames was given")
        )
    times_ms = np.arange(frames.shape[1], dtype=np.float64) * interval_ms
    return CineRecord(frames, spacing_mm, times_ms, "npz" if is_npz else "npy", tuple(findings))


def _with_sidecar(path: Path, hints: CineHints) -> CineHints:
    for beside in (path.with_name(f"{path.name}.json"), path.with_suffix(".json")):
        if beside.is_file():
            break
    else:
        return hints
    try:
        document = json.loads(read_bytes(beside, max_bytes=_MAX_SIDECAR_BYTES))
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(
            f"{shown_name(beside)}: expected a JSON object beside the array; correct it"
        ) from error
    if not isinstance(document, dict):
        raise UnreadableFileError(
            f"{shown_name(beside)}: expected a JSON object, found {type(document).__name__}"
        )
    values = {
        name: document.get(name) if getattr(hints, name) is None else getattr(hints, name)
        for name in _HINT_NAMES
    }
    return CineHints(**values)


def _arrange(array: np.ndarray, axes: Any, shown: str) -> np.ndarray:
    """The array as float32 [slice, frame, row, column]."""
    letters = axes.upper() if isinstance(axes, str) else ""
    if sorted(letters) not in (sorted("TYX"), sorted("ZTYX")):
        raise ConfigError(
            f"{shown}: axes must hold T, Y, X and at most Z once each, such as 'ZTYX', got {axes!r}"
        )
    if array.ndim != len(letters):
        raise ConfigError(
            f"{shown}: axes {letters!r} name {len(letters)} axes, the array has sizes {array.shape}"
        )
    if min(array.shape) < 1 or array.shape[letters.index("T")] < 2:
        raise UnsupportedFormatError(
            f"{shown}: expected a cine of at least two frames, axes {letters!r} of sizes "
            f"{array.shape} have none"
        )
    if "Z" not in letters:
        array, letters = array[None], "Z" + letters
    ordered = array.transpose([letters.index(letter) for letter in "ZTYX"])
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(ordered, dtype=np.float32)


def _spacing_mm(given: Any, shown: str) -> tuple[float, float, float]:
    if given is None:
        raise MissingUnitError(
            f"{shown}: an array does not say how large its pixels are; give spacing_mm=(slice, "
            "row, column) or (row, column) in mm"
        )
    try:
        values = tuple(float(value) for value in given)
    except (TypeError, ValueError):
        values = ()
    if len(values) not in (2, 3) or not all(0 < value < math.inf for value in values):
        raise ConfigError(
            f"{shown}: spacing_mm must be two or three positive numbers in mm, got {given!r}"
        )
    slice_mm, row_mm, column_mm = values if len(values) == 3 else (math.nan, *values)
    return slice_mm, row_mm, column_mm


def _interval_ms(given: Any, shown: str) -> float:
    if given is None:
        return math.nan
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 < given < math.inf:
        raise ConfigError(
            f"{shown}: frame_interval_ms must be a positive number of milliseconds, got {given!r}"
        )
    return float(given)


def _read_npy(path: Path, shown: str) -> np.ndarray:
    with library_faults(shown, "NPY file"), path.open("rb") as stream:
        return _read_stream(stream, path.stat().st_size, shown)


def _read_npz(path: Path, array_name: Any, shown: str) -> np.ndarray:
    with library_faults(shown, "NPZ file"), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if array_name is None and len(members) == 1:
            array_name = next(iter(members))
        if array_name not in members:
            raise MissingUnitError(
                f"{shown}: the file holds {len(members)} arrays; give array_name, the name of the "
                "one that is the cine"
            )
        info = members[array_name]
        if info.flag_bits & 0x1:
            raise UnsupportedFormatError(f"{shown}: the archive is encrypted; save it without")
        num_bytes = min(info.file_size, info.compress_size * _MAX_PACKING_RATIO)
        with archive.open(info) as stream:
            assert isinstance(stream, io.BufferedIOBase)
            return _read_stream(stream, num_bytes, shown)


def _read_stream(stream: io.BufferedIOBase, num_bytes: int, shown: str) -> np.ndarray:
    """An array whose header promises no more than the stream holds; objects are never loaded."""
    head = io.BytesIO(stream.read(_MAX_HEADER_BYTES))
    version = np.lib.format.read_magic(head)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise UnsupportedFormatError(f"{shown}: NPY version {version} is not read; save it again")
    shape, is_fortran, dtype = read_header(head, max_header_size=_MAX_HEADER_BYTES)
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UnsupportedFormatError(
            f"{shown}: expected numbers (integers or floats), found the type {dtype.str!r}"
        )
    num_values = math.prod(shape)
    if num_values > MAX_VALUES or min(shape, default=0) < 0:
        raise UnsupportedFormatError(
            f"{shown}: the header asks for {float(num_values):.3g} numbers, at most "
            f"{MAX_VALUES:.3g} are read"
        )
    expected = num_values * dtype.itemsize
    start = head.read(expected)
    data = bytearray(expected if expected <= num_bytes else 0)
    data[: len(start)] = start
    filled = len(start)
    while filled < len(data) and (piece := stream.read(min(1024**2, len(data) - filled))):
        data[filled : filled + len(piece)] = piece
        filled += len(piece)
    if filled < expected:
        raise UnreadableFileError(
            f"{shown}: expected {expected} bytes of numbers, the file ends before; copy it again"
        )
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if is_fortran else "C")
