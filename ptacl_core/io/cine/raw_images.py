"""NRRD and MetaImage (MHA) files → CineRecord: a text header, then voxels raw or packed."""

import gzip
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.cine.nifti_header import MAX_VOXELS
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.records import CineRecord, Finding

_MAX_FILE_BYTES = 2 * 1024**3
_NRRD_TYPES = {
    "signed char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "unsigned char": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "unsigned short": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "unsigned int": "u4",
    "uint32": "u4",
    "float": "f4",
    "double": "f8",
}
_MHA_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_TIME_KINDS = {"list", "time", "t", "none", "vector"}
_MHA_START = re.compile(rb"\s*(ObjectType|NDims|Comment)\s*=")
_VECTOR = re.compile(r"none|\([^)]*\)")


@dataclass(frozen=True, slots=True)
class _RawImage:
    """What a header says: sizes and steps in file order (fastest first), where voxels begin."""

    sizes: tuple[int, ...]
    steps_mm: tuple[float, ...]
    time_axis: int
    dtype: np.dtype
    is_packed: bool
    data_offset: int
    times_ms: tuple[float, ...] = ()


def is_raw_image(head: bytes) -> bool:
    """Whether a file that starts with `head` is NRRD or MetaImage."""
    return head.startswith(b"NRRD000") or _MHA_START.match(head) is not None


def read_raw_image(
    path: Path, *, spacing_mm: tuple[float, ...] | None, frame_interval_ms: float | None
) -> CineRecord:
    """The cine in a NRRD or MHA file with four axes, or three of one slice over time.

    The axis of time is the one that NRRD's `kinds` call a list, else the last. `spacing_mm`
    ((slice, row, column) or (row, column)) and `frame_interval_ms` stand in for what the header
    lacks. Raises UnreadableFileError, UnsupportedFormatError (voxels in a second file, still
    volumes, other types), MissingUnitError (no pixel size).
    """
    shown = shown_name(path)
    data = read_bytes(path, max_bytes=_MAX_FILE_BYTES)
    is_nrrd = data.startswith(b"NRRD000")
    image = _parse_nrrd(data, shown) if is_nrrd else _parse_mha(data, shown)
    voxels = _unpack(data, image, shown)
    axis_of_time = len(image.sizes) - 1 - image.time_axis
    volume = np.moveaxis(voxels.reshape(image.sizes[::-1]), axis_of_time, 0)
    space = [step for axis, step in enumerate(image.steps_mm) if axis != image.time_axis]
    if volume.ndim == 3:
        volume, space = volume[:, None], [*space, math.nan]
    column_mm, row_mm, slice_mm = space
    if spacing_mm is not None:
        slice_mm, row_mm, column_mm = (math.nan, *spacing_mm)[-3:]
    if not all(math.isfinite(step) and step > 0 for step in (row_mm, column_mm)):
        raise MissingUnitError(
            f"{shown}: the header does not say how large its pixels are; give spacing_mm=(slice, "
            "row, column) in mm"
        )
    frames = np.ascontiguousarray(volume.swapaxes(0, 1), dtype=np.float32)
    findings: list[Finding] = []
    times_ms = np.array(image.times_ms, dtype=np.float64)
    if len(times_ms) != frames.shape[1]:
        step_ms = math.nan if frame_interval_ms is None else frame_interval_ms
        times_ms = np.arange(frames.shape[1]) * step_ms
        if math.isnan(step_ms):
            message = "the source states no time between frames"
            findings.append(Finding("frame_times_unknown", "warning", message))
    source_format = "nrrd" if is_nrrd else "mha"
    spacing = (slice_mm, row_mm, column_mm)
    return CineRecord(frames, spacing, times_ms, source_format, tuple(findings))


def _parse_nrrd(data: bytes, shown: str) -> _RawImage:
    end = re.search(rb"\r?\n\r?\n", data[: 1024**2])
    if end is None:
        raise UnreadableFileError(f"{shown}: the NRRD header does not end; copy the file again")
    lines = data[: end.start()].decode("utf-8", errors="replace").splitlines()[1:]
    fields = {
        key.strip().lower(): value.strip()
        for line in lines
        if not line.startswith("#") and ":" in line
        for key, _, value in [line.partition(":")]
    }
    if "data file" in fields or "datafile" in fields:
        raise UnsupportedFormatError(f"{shown}: the voxels are in another file; save as one .nrrd")
    encoding = fields.get("encoding", "").lower()
    kind = _NRRD_TYPES.get(fields.get("type", "").lower().removesuffix("_t"))
    if kind is None or encoding not in {"raw", "gzip", "gz"}:
        raise UnsupportedFormatError(
            f"{shown}: NRRD of type and encoding that are not read; save numbers raw or gzip"
        )
    sizes = _whole_numbers(fields.get("sizes", ""), shown)
    kinds = [kind.lower() for kind in fields.get("kinds", "").split()]
    of_time = [axis for axis, kind in enumerate(kinds) if kind in _TIME_KINDS]
    order = ">" if fields.get("endian", "little").lower() == "big" else "<"
    labels = fields.get("multivolume.framelabels", "").removeprefix("=")
    return _RawImage(
        sizes=sizes,
        steps_mm=_nrrd_steps(fields, len(sizes)),
        time_axis=_time_axis(sizes, of_time, shown),
        dtype=np.dtype(order + kind),
        is_packed=encoding != "raw",
        data_offset=end.end(),
        times_ms=tuple(_numbers(labels.replace(",", " "))),
    )


def _nrrd_steps(fields: dict[str, str], num_axes: int) -> tuple[float, ...]:
    vectors = _VECTOR.findall(fields.get("space directions", ""))
    if vectors:
        parts = [_numbers(vector.strip("()").replace(",", " ")) for vector in vectors]
        steps = [math.hypot(*part) if part else math.nan for part in parts]
    else:
        steps = _numbers(fields.get("spacings", ""))
    return tuple((*steps, *[math.nan] * num_axes)[:num_axes])


def _parse_mha(data: bytes, shown: str) -> _RawImage:
    fields: dict[str, str] = {}
    at = 0
    while "ElementDataFile" not in fields and at < min(len(data), 1024**2):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        key, _, value = data[at:end].decode("latin-1").partition("=")
        fields[key.strip()] = value.strip()
        at = end + 1
    if fields.get("ElementDataFile", "").upper() != "LOCAL":
        raise UnsupportedFormatError(f"{shown}: the voxels are in another file; save as one .mha")
    kind = _MHA_TYPES.get(fields.get("ElementType", ""))
    if kind is None or fields.get("ElementNumberOfChannels", "1") != "1":
        raise UnsupportedFormatError(f"{shown}: MHA of a type that is not read; save grey numbers")
    sizes = _whole_numbers(fields.get("DimSize", ""), shown)
    steps = _numbers(fields.get("ElementSpacing", fields.get("ElementSize", "")))
    msb = fields.get("BinaryDataByteOrderMSB", fields.get("ElementByteOrderMSB", "False"))
    return _RawImage(
        sizes=sizes,
        steps_mm=tuple((*steps, *[math.nan] * len(sizes))[: len(sizes)]),
        time_axis=_time_axis(sizes, [], shown),
        dtype=np.dtype((">" if msb.lower() == "true" else "<") + kind),
        is_packed=fields.get("CompressedData", "False").lower() == "true",
        data_offset=at,
    )


def _time_axis(sizes: tuple[int, ...], of_time: list[int], shown: str) -> int:
    """The axis over time; of three axes only one that the header calls so."""
    if len(sizes) == 4 or (len(sizes) == 3 and of_time):
        axis = of_time[0] if of_time else 3
        if sizes[axis] > 1:
            return axis
    raise UnsupportedFormatError(
        f"{shown}: expected a cine of axes x, y, slice and time, found sizes {sizes}; save all "
        "frames in one file"
    )


def _unpack(data: bytes, image: _RawImage, shown: str) -> np.ndarray:
    count = math.prod(image.sizes)
    if not 0 < count <= MAX_VOXELS:
        raise UnsupportedFormatError(
            f"{shown}: the header asks for {float(count):.3g} voxels, 1 to {MAX_VOXELS:.3g} are "
            "read"
        )
    expected = count * image.dtype.itemsize
    body = memoryview(data)[image.data_offset :]
    if image.is_packed:
        try:
            window = 31 if bytes(body[:2]) == b"\x1f\x8b" else 15
            body = memoryview(zlib.decompressobj(window).decompress(body, expected))
        except (zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableFileError(
                f"{shown}: the packed voxels are damaged; copy the file again"
            ) from error
    if len(body) < expected:
        raise UnreadableFileError(
            f"{shown}: expected {expected} bytes of voxels, found {len(body)}; copy the file again"
        )
    return np.frombuffer(body, image.dtype, count)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError:
        return []


def _whole_numbers(text: str, shown: str) -> tuple[int, ...]:
    words = text.split()
    if not words or not all(word.isdigit() for word in words):
        raise UnreadableFileError(f"{shown}: the header gives no sizes; copy the file again")
    return tuple(int(word) for word in words)
