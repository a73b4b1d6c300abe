"""NPY and NPZ arrays: bounded, never unpickled, facts from hints or stored beside."""

import io
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.arrays.named_arrays import (
    FACTS,
    assemble_named,
    choose_arrays,
    plain_value,
    stated_hints,
)
from ptacl_core.io.ecg.arrays.nameless import assemble_array, choose_record
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, read_bytes, read_head, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import EcgRecord

_MAX_HEADER_BYTES = 64 * 1024
_MAX_MEMBERS = 1000
_MAX_FACT_BYTES = 64 * 1024


def read_npy_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """A NumPy array file; of a batch only the recording that hints name is read.

    Raises as `assemble_array`; object arrays (pickles) are refused.
    """
    name = shown_name(path)
    header = read_npy_header(path)
    index = hints.record_index
    if len(header.shape) >= 3 and index is not None and not header.is_fortran:
        choose_record(hints, header.shape[0], holder="the array", name=name)
        array = _read_npy_record(path, header, index, name)
    else:
        array = parse_npy(read_bytes(path), name)
    return assemble_array(array, hints, name=name, source_format="npy")


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What an NPY file says of its array, and the byte at which its numbers start."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype
    data_offset: int


def read_npy_header(path: Path) -> NpyHeader:
    """The header of an NPY file. Raises UnreadableFileError, UnsupportedFormatError."""
    name = shown_name(path)
    return _parse_npy_header(read_head(path, num_bytes=_MAX_HEADER_BYTES), name)


def _parse_npy_header(data: bytes, name: str) -> NpyHeader:
    stream = io.BytesIO(data)
    with library_faults(name, "NPY array"):
        version = np.lib.format.read_magic(stream)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, is_fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise UnsupportedFormatError(
            f"{name}: the array holds Python objects, which can run code and are never opened; "
            "save it as plain numbers"
        )
    if dtype.itemsize == 0 or any(length < 0 for length in shape):
        raise UnreadableFileError(f"{name}: the NPY header is damaged")
    return NpyHeader(shape, is_fortran, dtype, stream.tell())


def _read_npy_record(path: Path, header: NpyHeader, index: int, name: str) -> Array:
    """Recording `index` of a batch [recording, …], without reading the others."""
    num_values = math.prod(header.shape[1:])
    num_bytes = num_values * header.dtype.itemsize
    if num_bytes > MAX_FILE_BYTES:
        raise UnsupportedFormatError(
            f"{name}: one recording has {num_bytes / 1024**2:.0f} MB, at most "
            f"{MAX_FILE_BYTES / 1024**2:.0f} MB are read"
        )
    with path.open("rb") as stream:
        stream.seek(header.data_offset + index * num_bytes)
        data = stream.read(num_bytes)
    if len(data) < num_bytes:
        raise UnreadableFileError(
            f"{name}: recording {index} of {header.shape[0]} needs {num_bytes} bytes of samples, "
            f"the file holds {len(data)}; it is cut short"
        )
    record = np.frombuffer(data, header.dtype).reshape(header.shape[1:])
    return record[0] if record.ndim == 3 and len(record) == 1 else record


def read_npz_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """One array of an NPZ file, or one per lead under the leads' names.

    Entries `lead_names`, `unit` and `sampling_rate_hz` (also `sig_name`, `units`, `fs` …) count as
    stated by the file; of several arrays the only one with two axes or more is meant. Raises as
    `assemble_array`, and UnsupportedFormatError when several arrays could be meant.
    """
    name = shown_name(path)
    data = read_bytes(path)
    with (
        library_faults(name, "NPZ file"),
        zipfile.ZipFile(io.BytesIO(data)) as archive,
    ):
        members = _list_members(archive, name)
        facts = {
            fact: plain_value(parse_npy(archive.read(members[fact]), name))
            for fact in FACTS
            if fact in members and members[fact].file_size <= _MAX_FACT_BYTES
        }
        hints = stated_hints(facts, name).completed_by(hints)
        others = {key: member for key, member in members.items() if key not in FACTS}
        chosen = choose_arrays(
            list(others), hints, name, lambda key: len(_read_shape(archive, others[key], name))
        )
        arrays = {key: parse_npy(archive.read(members[key]), name) for key in chosen}
    return assemble_named(arrays, hints, name=name, source_format="npz")


def parse_npy(data: bytes, name: str) -> Array:
    """The array in the bytes of an NPY file, its header checked against them first."""
    header = _parse_npy_header(data, name)
    count = math.prod(header.shape)
    available = len(data) - header.data_offset
    if count * header.dtype.itemsize > available:
        raise UnreadableFileError(
            f"{name}: the NPY header states shape {header.shape} "
            f"({count * header.dtype.itemsize} bytes), the file holds {available} bytes of "
            "samples; it is cut short"
        )
    flat = np.frombuffer(data, header.dtype, count, header.data_offset)
    return flat.reshape(header.shape, order="F" if header.is_fortran else "C")


def list_npz_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The sizes of the arrays in an NPZ file, from their headers."""
    name = shown_name(path)
    with library_faults(name, "NPZ file"), zipfile.ZipFile(path) as archive:
        members = _list_members(archive, name)
        return {key: _read_shape(archive, member, name) for key, member in members.items()}


def _list_members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    total = sum(info.file_size for info in infos)
    if len(infos) > _MAX_MEMBERS or total > MAX_FILE_BYTES:
        raise UnsupportedFormatError(
            f"{name}: {len(infos)} arrays of {total / 1024**2:.0f} MB unpacked, at most "
            f"{_MAX_MEMBERS} of {MAX_FILE_BYTES / 1024**2:.0f} MB are read"
        )
    return {info.filename.removesuffix(".npy"): info for info in infos}


def _read_shape(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> tuple[int, ...]:
    with archive.open(member) as stream:
        return _parse_npy_header(stream.read(_MAX_HEADER_BYTES), name).shape
