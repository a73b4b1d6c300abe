"""NIfTI-1 and NIfTI-2 headers, and voxels read only after the header's promise was checked.

Voxels are decoded here and not by nibabel, which reserves whatever memory a header asks for.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.files.bounded_file import check_file, shown_name

MAX_VOXELS = 2**27
"""Voxels of one file, 512 MB as float32 (a UK Biobank cine: a sixth of it)."""
_MAX_FILE_BYTES = 2 * 1024**3
_MAX_OFFSET_BYTES = 1024**2
_HEADER_BYTES = 540
_MAX_GZIP_RATIO = 1100  # deflate cannot do better than 1032
_GZIP = b"\x1f\x8b"
_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_MS_PER_UNIT = {8: 1000.0, 16: 1.0, 24: 0.001}


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """What reading needs. `shape` is in file order (x, y, z, t, …), `pixdim` beside it.

    `ms_per_time_unit` is None where the header names no unit of time.
    """

    shape: tuple[int, ...]
    pixdim: tuple[float, ...]
    dtype: np.dtype
    data_offset: int
    slope: float
    intercept: float
    mm_per_unit: float
    ms_per_time_unit: float | None

    @property
    def data_bytes(self) -> int:
        """Bytes of the voxels."""
        return math.prod(self.shape) * self.dtype.itemsize


def is_nifti(head: bytes) -> bool:
    """Whether a file that starts with `head` is NIfTI or gzip that unpacks to NIfTI."""
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(31).decompress(head, 352)
        except zlib.error:
            return False
    return head[344:347] in (b"n+1", b"ni1") or head[4:7] in (b"n+2", b"ni2")


def read_nifti(path: Path) -> tuple[NiftiHeader, np.ndarray]:
    """Header and raw voxels, axes reversed to (…, t, z, y, x), in stored numbers (no scaling).

    Raises UnreadableFileError for a damaged or shortened file, UnsupportedFormatError for sizes,
    types and variants that are not read.
    """
    shown = shown_name(path)
    packed_bytes = check_file(path, max_bytes=_MAX_FILE_BYTES)
    try:
        with path.open("rb") as probe:
            is_packed = probe.read(2) == _GZIP
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            head = stream.read(_HEADER_BYTES)
            header = _parse(head, shown)
            if is_packed and header.data_bytes > _MAX_GZIP_RATIO * packed_bytes:
                raise UnreadableFileError(
                    f"{shown}: the header asks for {header.data_bytes} bytes of voxels, "
                    f"{packed_bytes} compressed bytes cannot hold them; copy the file again"
                )
            data = _read_voxels(stream, head, header, shown)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(
            f"{shown}: the compressed data is damaged or cut short ({type(error).__name__}); copy "
            "the file again"
        ) from error
    return header, data.reshape(header.shape[::-1])


def read_nifti_header(path: Path) -> NiftiHeader:
    """The header alone. Raises as `read_nifti`."""
    shown = shown_name(path)
    check_file(path, max_bytes=_MAX_FILE_BYTES)
    try:
        with path.open("rb") as probe:
            is_packed = probe.read(2) == _GZIP
        with gzip.open(path) if is_packed else path.open("rb") as stream:
            return _parse(stream.read(_HEADER_BYTES), shown)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(
            f"{shown}: the compressed data is damaged or cut short ({type(error).__name__}); copy "
            "the file again"
        ) from error


def _read_voxels(
    stream: BufferedIOBase, head: bytes, header: NiftiHeader, shown: str
) -> np.ndarray:
    buffer = bytearray(header.data_offset + header.data_bytes)
    buffer[: len(head)] = head[: len(buffer)]
    view = memoryview(buffer)
    filled = min(len(head), len(buffer))
    while filled < len(buffer):
        number = stream.readinto(view[filled : filled + 1024**2])
        if not number:
            raise UnreadableFileError(
                f"{shown}: expected {header.data_bytes} bytes of voxels, the file ends after "
                f"{max(filled - header.data_offset, 0)}; copy it again"
            )
        filled += number
    stream.read(1)  # at its end gzip compares the checksum
    return np.frombuffer(buffer, dtype=header.dtype, offset=header.data_offset)


def _parse(head: bytes, shown: str) -> NiftiHeader:
    if len(head) < 348:
        raise UnreadableFileError(f"{shown}: the NIfTI header is cut short; copy the file again")
    for order in "<>":
        size = struct.unpack_from(f"{order}i", head)[0]
        if size == 348:
            fields = _nifti1_fields(head, order)
            break
        if size == 540 and len(head) >= 540:
            fields = _nifti2_fields(head, order)
            break
    else:
        raise UnreadableFileError(
            f"{shown}: expected a NIfTI header of 348 or 540 bytes, found another; convert the "
            "file again"
        )
    magic, dims, code, pixdim, offset, slope, intercept, units = fields
    if not magic.startswith(b"n+"):
        raise UnsupportedFormatError(
            f"{shown}: the voxels are in a second file (.hdr/.img); save as one .nii or .nii.gz"
        )
    if code not in _DTYPES:
        raise UnsupportedFormatError(
            f"{shown}: NIfTI data type {code} is not read (colour, complex or rare); save as "
            "16-bit integers or 32-bit floats"
        )
    num_axes = dims[0]
    if not 1 <= num_axes <= 7 or min(dims[1 : num_axes + 1]) < 1:
        raise UnreadableFileError(f"{shown}: the NIfTI header gives the sizes {dims}")
    shape = dims[1 : num_axes + 1]
    if math.prod(shape) > MAX_VOXELS:
        raise UnsupportedFormatError(
            f"{shown}: the NIfTI header asks for {math.prod(shape):.3g} voxels, at most "
            f"{MAX_VOXELS:.3g} are read"
        )
    if not 0 <= offset <= _MAX_OFFSET_BYTES:  # false for NaN too
        raise UnreadableFileError(f"{shown}: the NIfTI header places the voxels at byte {offset}")
    has_scale = math.isfinite(slope) and slope != 0 and math.isfinite(intercept)
    return NiftiHeader(
        shape=shape,
        pixdim=pixdim[1 : num_axes + 1],
        dtype=np.dtype(order + _DTYPES[code]),
        data_offset=max(int(offset), 352 if size == 348 else 544),
        slope=slope if has_scale else 1.0,
        intercept=intercept if has_scale else 0.0,
        mm_per_unit=_MM_PER_UNIT.get(units & 0x07, 1.0),
        ms_per_time_unit=_MS_PER_UNIT.get(units & 0x38),
    )


def _nifti1_fields(head: bytes, order: str) -> tuple[Any, ...]:
    dims = struct.unpack_from(f"{order}8h", head, 40)
    code = struct.unpack_from(f"{order}h", head, 70)[0]
    pixdim = struct.unpack_from(f"{order}8f", head, 76)
    offset, slope, intercept = struct.unpack_from(f"{order}3f", head, 108)
    return head[344:348], dims, code, pixdim, offset, slope, intercept, head[123]


def _nifti2_fields(head: bytes, order: str) -> tuple[Any, ...]:
    code = struct.unpack_from(f"{order}h", head, 12)[0]
    dims = struct.unpack_from(f"{order}8q", head, 16)
    pixdim = struct.unpack_from(f"{order}8d", head, 104)
    offset = struct.unpack_from(f"{order}q", head, 168)[0]
    slope, intercept = struct.unpack_from(f"{order}2d", head, 176)
    units = struct.unpack_from(f"{order}i", head, 500)[0]
    return head[4:8], dims, code, pixdim, offset, slope, intercept, units
