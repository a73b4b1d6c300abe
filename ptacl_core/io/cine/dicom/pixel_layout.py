"""The header gate: what a DICOM file says about its pixels, checked before they are touched."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.files.dicom_values import read_number, read_text
from ptacl_core.io.files.file_source import FileSource, source_size

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from ptacl_core.io.files.dicom_elements import PlainHeader

DEFLATED = "1.2.840.10008.1.2.1.99"
_NATIVE_SYNTAXES = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"}
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DECODERS = {
    "1.2.840.10008.1.2.5": "pydicom",  # RLE
    "1.2.840.10008.1.2.4.50": "pillow",  # JPEG baseline
    "1.2.840.10008.1.2.4.51": "pillow",  # JPEG extended, of 8 bits
    "1.2.840.10008.1.2.4.90": "pillow",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91": "pillow",  # JPEG 2000
}
"""The decoder of each compressed transfer syntax that is always read (none has died in a soak)."""

EXTRA_DECODERS = {
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless",
    "1.2.840.10008.1.2.4.80": "JPEG-LS",
    "1.2.840.10008.1.2.4.81": "JPEG-LS",
}
"""Transfer syntaxes read once pylibjpeg and pylibjpeg-libjpeg are installed, by name."""

_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_EXTRA_PLUGIN = "pylibjpeg"
_EXTRA_MODULES = ("pylibjpeg", "libjpeg")

MAX_SIDE_PX = 4096
MAX_FRAMES_PER_FILE = 10_000
MAX_FILE_BYTES = 1024**3
_MAX_PADDING_BYTES = 16


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Where the pixels of a file lie and how they are stored; passed the header gate."""

    path: FileSource
    num_frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    is_signed: bool
    is_inverted: bool
    is_big_endian: bool
    decoder: str | None
    value_offset: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one native frame."""
        return self.rows * self.columns * self.bits_allocated // 8


def has_extra_decoders() -> bool:
    """Whether the libraries that decode `EXTRA_DECODERS` are installed; imports none of them."""
    return all(find_spec(module) is not None for module in _EXTRA_MODULES)


def check_pixel_layout(
    dataset: "Dataset | PlainHeader", path: FileSource, syntax: str
) -> PixelLayout:
    """The header gate: sizes within limits, and as many bytes as the header promises."""
    if int(read_number(dataset, "SamplesPerPixel") or 1) != 1:
        raise UnsupportedFormatError("a DICOM image is in colour, expected one grey value a pixel")
    photometric = read_text(dataset, "PhotometricInterpretation").upper()
    if photometric not in ("", "MONOCHROME1", "MONOCHROME2"):
        raise UnsupportedFormatError("a DICOM image is in colour, expected MONOCHROME1 or 2")
    rows, columns, bits = (
        int(read_number(dataset, name) or 0) for name in ("Rows", "Columns", "BitsAllocated")
    )
    num_frames = int(read_number(dataset, "NumberOfFrames") or 1)
    if not (1 <= rows <= MAX_SIDE_PX and 1 <= columns <= MAX_SIDE_PX and bits in (8, 16, 32)):
        raise UnsupportedFormatError(
            f"a DICOM header gives {rows} × {columns} pixels of {bits} bits; expected 1 to "
            f"{MAX_SIDE_PX} a side, 8, 16 or 32 bits"
        )
    if not 1 <= num_frames <= MAX_FRAMES_PER_FILE:
        raise UnsupportedFormatError(
            f"a DICOM header gives {num_frames} frames, expected 1 to {MAX_FRAMES_PER_FILE}"
        )
    bits_stored = int(read_number(dataset, "BitsStored") or bits)
    if not 1 <= bits_stored <= bits:
        raise UnreadableFileError(f"a DICOM header stores {bits_stored} of {bits} bits")
    decoder = None if syntax in _NATIVE_SYNTAXES else _find_decoder(syntax, bits_stored)
    if "PixelData" not in dataset:
        raise UnreadableFileError("a DICOM file ends before its pixels, or has none")
    element: Any = dataset.get_item("PixelData", keep_deferred=True)
    length, offset = int(element.length), int(element.value_tell)
    expected = num_frames * rows * columns * bits // 8
    if decoder is None:
        excess = length - expected
        if not 0 <= excess <= _MAX_PADDING_BYTES or offset + length > source_size(path):
            raise UnreadableFileError(
                f"a DICOM file holds {min(length, max(source_size(path) - offset, 0))} bytes of "
                f"pixels, its header promises {expected}"
            )
    return PixelLayout(
        path=path,
        num_frames=num_frames,
        rows=rows,
        columns=columns,
        bits_allocated=bits,
        bits_stored=bits_stored,
        is_signed=int(read_number(dataset, "PixelRepresentation") or 0) == 1,
        is_inverted=photometric == "MONOCHROME1",
        is_big_endian=syntax == _BIG_ENDIAN,
        decoder=decoder,
        value_offset=offset,
    )


def _find_decoder(syntax: str, bits_stored: int) -> str:
    """The decoder of a compressed syntax. Raises UnsupportedFormatError when there is none."""
    name = EXTRA_DECODERS.get(syntax)
    if syntax == _JPEG_EXTENDED and bits_stored > 8:
        name = "JPEG of 12 bits"
    elif syntax in DECODERS:
        return DECODERS[syntax]
    if name is None:
        raise UnsupportedFormatError(
            f"DICOM transfer syntax {syntax[:64]} is not read; convert the files to explicit "
            "little endian (dcmdjpeg, gdcmconv --raw)"
        )
    if not has_extra_decoders():
        raise UnsupportedFormatError(
            f"the DICOM pixels are compressed as {name} ({syntax}), read once two libraries are "
            "there: pip install pylibjpeg pylibjpeg-libjpeg; or convert the files to explicit "
            "little endian (dcmdjpeg, dcmdjpls, gdcmconv --raw)"
        )
    return _EXTRA_PLUGIN
