"""Samples of WFDB signal files: the byte-aligned formats and the packed 212, 310 and 311."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, read_bytes, shown_name
from ptacl_core.io.files.library_faults import library_faults

_TEXT = re.compile(rb"[\t\n\r -~]*")
_CHUNK_BYTES = 3 * 2**20
_MAX_SHORT = 0.001
"""A file may hold a thousandth fewer samples than its header says: a counting fault, not a cut."""


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """Bits per sample and the value that means "no sample" (after the offset was removed)."""

    bits: int
    missing_value: int


SAMPLE_FORMATS = {
    16: SampleFormat(16, -(2**15)),
    24: SampleFormat(24, -(2**23)),
    32: SampleFormat(32, -(2**31)),
    61: SampleFormat(16, -(2**15)),
    80: SampleFormat(8, -(2**7)),
    160: SampleFormat(16, -(2**15)),
    212: SampleFormat(12, -(2**11)),
    310: SampleFormat(10, -(2**9)),
    311: SampleFormat(10, -(2**9)),
    508: SampleFormat(8, -(2**7)),
    516: SampleFormat(16, -(2**15)),
    524: SampleFormat(24, -(2**23)),
}
_FLAC_FORMATS = {508, 516, 524}


def read_signal_file(
    path: Path,
    *,
    sample_formats: Sequence[int],
    samples_per_frame: Sequence[int],
    byte_offset: int,
    num_frames: int | None,
) -> list[Array]:
    """Raw integers of each signal interleaved in `path`, in the order of the header.

    `num_frames` None takes it from the file's size. Raises UnsupportedFormatError for other
    storage formats and UnreadableFileError when the file is shorter than the header says.
    """
    name = shown_name(path)
    if len(set(sample_formats)) != 1 or sample_formats[0] not in SAMPLE_FORMATS:
        raise UnsupportedFormatError(
            f"{name}: WFDB storage format {', '.join(map(str, sorted(set(sample_formats))))} is "
            f"not read; convert the record to one of {', '.join(map(str, SAMPLE_FORMATS))}"
        )
    sample_format = sample_formats[0]
    bits = SAMPLE_FORMATS[sample_format].bits
    frame = sum(samples_per_frame)
    data = read_bytes(path)
    if byte_offset >= len(data):
        raise UnreadableFileError(
            f"{name}: the header says that the samples start at byte {byte_offset}, the file has "
            f"{len(data)} bytes; it is cut short or belongs to another header"
        )
    if data.startswith(b"MATLAB"):  # versions 5 and 7.3; version 4 starts with numbers
        raise UnsupportedFormatError(
            f"{name}: expected the MATLAB 4 file of a PhysioNet record, found MATLAB 5 or 7.3, "
            "which keeps its samples elsewhere; save it with version 4, or as NPY"
        )
    if _looks_like_text(data):
        raise UnreadableFileError(f"{name}: expected binary samples, found text; copy it again")
    if sample_format in _FLAC_FORMATS:
        return _read_flac(data, bits, samples_per_frame, num_frames, name)
    num_stored = _count_stored(len(data) - byte_offset, sample_formats[0], bits) // frame
    if num_frames is None:
        num_frames = num_stored
    if 1 <= num_stored < num_frames and num_frames - num_stored <= _MAX_SHORT * num_frames:
        num_frames = num_stored  # told by the caller, who knows the header
    if num_frames < 1 or num_stored < num_frames:
        raise UnreadableFileError(
            f"{name}: the header promises {num_frames} samples for each of {len(sample_formats)} "
            f"signals, the file holds {num_stored}; it is cut short or belongs to another header"
        )
    stream = _unpack(data, sample_format, byte_offset, num_frames * frame)
    frames = stream.reshape(num_frames, frame)
    starts = np.cumsum([0, *samples_per_frame])
    return [
        frames[:, start:stop].reshape(-1) if stop - start > 1 else frames[:, start]
        for start, stop in pairwise(starts)
    ]


def _read_flac(
    data: bytes, bits: int, samples_per_frame: Sequence[int], num_frames: int | None, name: str
) -> list[Array]:
    """The channels of a FLAC stream (formats 508, 516, 524), one per signal."""
    try:
        import soundfile
    except ImportError as error:
        raise UnsupportedFormatError(
            f"{name}: reading WFDB's FLAC formats needs soundfile, which is not installed; pip "
            "install soundfile"
        ) from error
    if set(samples_per_frame) != {1}:
        raise UnsupportedFormatError(f"{name}: FLAC signals of several samples a frame: not read")
    with library_faults(name, "FLAC signal file"), soundfile.SoundFile(io.BytesIO(data)) as file:
        if file.frames * file.channels * 4 > 4 * MAX_FILE_BYTES:
            raise UnsupportedFormatError(f"{name}: the FLAC file unpacks to more than is read")
        stored = np.asarray(file.read(dtype="int32", always_2d=True), np.int32) >> (32 - bits)
    if stored.shape[1] != len(samples_per_frame) or len(stored) < (num_frames or 1):
        raise UnreadableFileError(
            f"{name}: the header promises {num_frames} samples of {len(samples_per_frame)} "
            f"signals, the FLAC file holds {stored.shape[0]} of {stored.shape[1]}"
        )
    return list(stored[: num_frames or len(stored)].T)


def _unpack(data: bytes, sample_format: int, byte_offset: int, count: int) -> Array:
    """The first `count` samples of the stream as integers of the smallest fitting type."""
    if sample_format in {310, 311}:
        return _unpack_tens(data, sample_format, byte_offset, count)
    if sample_format == 212:
        return _unpack_212(data, byte_offset, count)
    if sample_format == 24:
        triples = np.frombuffer(data, np.uint8, count * 3, byte_offset).reshape(count, 3)
        padded = np.zeros((count, 4), np.uint8)
        padded[:, 1:] = triples
        return padded.view("<i4")[:, 0] >> 8
    if sample_format == 80:
        return (np.frombuffer(data, np.uint8, count, byte_offset) ^ 0x80).view(np.int8)
    if sample_format == 160:
        return (np.frombuffer(data, "<u2", count, byte_offset) ^ 0x8000).view("<i2")
    stored_as = {16: "<i2", 32: "<i4", 61: ">i2"}[sample_format]
    return np.frombuffer(data, stored_as, count, byte_offset)


def _unpack_212(data: bytes, byte_offset: int, count: int) -> Array:
    """Pairs of 12-bit samples in three bytes: the middle byte holds both high halves."""
    num_pairs = (count + 1) // 2
    samples = np.empty(num_pairs * 2, np.int16)
    stored = np.frombuffer(data, np.uint8, offset=byte_offset)
    for start in range(0, num_pairs * 3, _CHUNK_BYTES):
        piece = stored[start : min(start + _CHUNK_BYTES, num_pairs * 3)]
        piece = np.pad(piece, (0, -len(piece) % 3)).reshape(-1, 3).astype(np.int16)
        first = start // 3 * 2
        target = samples[first : first + 2 * len(piece)]
        target[0::2] = ((piece[:, 1] & 0x0F) << 8) | piece[:, 0]
        target[1::2] = ((piece[:, 1] & 0xF0) << 4) | piece[:, 2]
    samples = samples[:count]
    samples[samples > 2047] -= 4096
    return samples


def _count_stored(num_bytes: int, sample_format: int, bits: int) -> int:
    """Samples in `num_bytes`: formats 310 and 311 keep three in four bytes, the last ones too."""
    if sample_format in {310, 311}:
        return num_bytes // 4 * 3 + num_bytes % 4 // 2
    return num_bytes * 8 // bits


def _unpack_tens(data: bytes, sample_format: int, byte_offset: int, count: int) -> Array:
    """Three 10-bit samples in four bytes.

    310: two in the low 11 bits of each 16-bit word (their lowest bit unused), the third in the
    high 5 bits of both. 311: one after another from the lowest bit of a 32-bit word.
    """
    num_groups = -(-count // 3)
    stored = data[byte_offset : byte_offset + 4 * num_groups].ljust(4 * num_groups, b"\0")
    samples = np.empty((num_groups, 3), np.int16)
    if sample_format == 310:
        low, high = np.frombuffer(stored, "<u2").reshape(-1, 2).T
        samples[:, 0], samples[:, 1] = low >> 1 & 0x3FF, high >> 1 & 0x3FF
        samples[:, 2] = low >> 11 | high >> 11 << 5
    else:
        words = np.frombuffer(stored, "<u4")
        for place in range(3):
            samples[:, place] = words >> 10 * place & 0x3FF
    samples = samples.reshape(-1)[:count]
    samples[samples > 511] -= 1024
    return samples


def _looks_like_text(data: bytes) -> bool:
    head = data[:4096]
    return (
        len(head) >= 64 and _TEXT.fullmatch(head) is not None and b" " in head.replace(b"\n", b" ")
    )
