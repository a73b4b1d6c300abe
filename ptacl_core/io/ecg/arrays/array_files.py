"""NPY, NPZ and HDF5 arrays: bounded, never unpickled, facts from hints or stored beside."""

import io
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.arrays.nameless import assemble_array, assemble_rows
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, read_bytes, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import EcgRecord

_FACTS = {
    "lead_names": "lead_names",
    "sig_name": "lead_names",
    "leads": "lead_names",
    "unit": "unit",
    "units": "unit",
    "sampling_rate_hz": "sampling_rate_hz",
    "sampling_rate": "sampling_rate_hz",
    "sampling_frequency": "sampling_rate_hz",
    "fs": "sampling_rate_hz",
}
"""What files call the facts about their arrays."""
_MAX_MEMBERS = 1000
_MAX_FACT_BYTES = 64 * 1024


def read_npy_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """A NumPy array file. Raises as `assemble_array`; object arrays (pickles) are refused."""
    name = shown_name(path)
    array = _parse_npy(read_bytes(path), name)
    return assemble_array(array, hints, name=name, source_format="npy")


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
            fact: _plain(_parse_npy(archive.read(members[fact]), name))
            for fact in _FACTS
            if fact in members and members[fact].file_size <= _MAX_FACT_BYTES
        }
        hints = _stated(facts, name).completed_by(hints)
        others = {key: member for key, member in members.items() if key not in _FACTS}
        chosen = _choose_arrays(
            list(others), hints, name, lambda key: _count_axes(archive, others[key], name)
        )
        arrays = {key: _parse_npy(archive.read(members[key]), name) for key in chosen}
    return _assemble(arrays, hints, name=name, source_format="npz")


def read_hdf5_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """One dataset of an HDF5 file, or one per lead in one group under the leads' names.

    Only the recording asked for is read, so the file may be of any size. Attributes
    `lead_names`, `unit` and `sampling_rate_hz` of the dataset or the file count as stated.
    Raises as `assemble_array`; UnsupportedFormatError without the optional h5py, for links into
    other files and for virtual datasets.
    """
    name = shown_name(path)
    try:
        import h5py
    except ImportError as error:
        raise UnsupportedFormatError(
            f"{name}: reading HDF5 needs h5py, which is not installed; install the extra: "
            "pip install 'ptacl[hdf5]'"
        ) from error
    with library_faults(name, "HDF5 file"), h5py.File(path, "r") as file:
        datasets = _list_datasets(file, h5py, name)
        chosen = _choose_arrays(list(datasets), hints, name, lambda key: datasets[key].ndim)
        facts = _read_attributes(file)
        facts |= _read_attributes(datasets[chosen[0]])
        hints = _stated(facts, name).completed_by(hints)
        arrays = {
            key.rpartition("/")[2]: _load_dataset(datasets[key], hints, name) for key in chosen
        }
    return _assemble(arrays, hints, name=name, source_format="hdf5")


def _assemble(
    arrays: Mapping[str, Array], hints: EcgHints, *, name: str, source_format: str
) -> EcgRecord:
    if len(arrays) == 1:
        (array,) = arrays.values()
        return assemble_array(array, hints, name=name, source_format=source_format)
    for array in arrays.values():
        if array.ndim != 1 or array.dtype.kind not in "iuf":
            raise UnsupportedFormatError(
                f"{name}: expected one row of numbers per lead, found shape {array.shape} of "
                f"{array.dtype}"
            )
    return assemble_rows(
        list(arrays.values()), list(arrays), hints, name=name, source_format=source_format
    )


def _parse_npy(data: bytes, name: str) -> Array:
    """The array in the bytes of an NPY file, its header checked against them first."""
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
    count = math.prod(shape)
    if dtype.itemsize == 0 or any(length < 0 for length in shape):
        raise UnreadableFileError(f"{name}: the NPY header is damaged")
    available = len(data) - stream.tell()
    if count * dtype.itemsize > available:
        raise UnreadableFileError(
            f"{name}: the NPY header states shape {shape} ({count * dtype.itemsize} bytes), the "
            f"file holds {available} bytes of samples; it is cut short"
        )
    flat = np.frombuffer(data, dtype, count, stream.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _list_members(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    total = sum(info.file_size for info in infos)
    if len(infos) > _MAX_MEMBERS or total > MAX_FILE_BYTES:
        raise UnsupportedFormatError(
            f"{name}: {len(infos)} arrays of {total / 1024**2:.0f} MB unpacked, at most "
            f"{_MAX_MEMBERS} of {MAX_FILE_BYTES / 1024**2:.0f} MB are read"
        )
    return {info.filename.removesuffix(".npy"): info for info in infos}


def _count_axes(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> int:
    """Axes of one array of an NPZ file, from its header."""
    with archive.open(member) as stream, library_faults(name, "NPY array"):
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, *_ = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, *_ = np.lib.format.read_array_header_2_0(stream)
    return len(shape)


def _choose_arrays(
    keys: list[str], hints: EcgHints, name: str, count_axes: Callable[[str], int]
) -> list[str]:
    """The array that hints name, the only one, those named after leads, the only matrix."""
    if hints.array_name is not None:
        if hints.array_name not in keys:
            raise UnsupportedFormatError(
                f"{name}: array_name is none of the {len(keys)} arrays in the file"
            )
        return [hints.array_name]
    if len(keys) == 1:
        return keys
    leads = [key for key in keys if find_lead(key.rpartition("/")[2]) is not None]
    if len(leads) >= 8 and len({key.rpartition("/")[0] for key in leads}) == 1:
        return leads
    matrices = [key for key in keys if count_axes(key) >= 2]
    if len(matrices) == 1:  # beside it lie identifiers, ages and other lists
        return matrices
    raise UnsupportedFormatError(
        f"{name}: expected one array, or one per lead under the leads' names, found "
        f"{len(keys)} arrays; say which with array_name="
    )


def _stated(facts: Mapping[str, Any], name: str) -> EcgHints:
    """The facts that a file states, under our names; units as many as leads must be the same."""
    stated: dict[str, Any] = {}
    for key, value in facts.items():
        fact = _FACTS[key]
        is_list = isinstance(value, list)
        if fact == "unit" and is_list:
            if len(set(value)) != 1:
                continue  # none holds for all leads: it is asked for
            value = value[0]  # noqa: PLW2901
        elif fact == "sampling_rate_hz" and is_list and len(value) == 1:
            value = value[0]  # noqa: PLW2901
        stated.setdefault(fact, value)
    return EcgHints.from_mapping(stated, where=f"{name} (stated in the file)")


def _plain(value: Any) -> Any:
    """NumPy scalars and arrays of text as plain Python values."""
    value = np.asarray(value)
    if value.dtype.kind in "SO":
        words = [word.decode() if isinstance(word, bytes) else word for word in value.ravel()]
        return words if value.ndim else words[0]
    return value.tolist() if value.ndim else value.item()


def _read_attributes(item: Any) -> dict[str, Any]:
    return {fact: _plain(item.attrs[fact]) for fact in _FACTS if fact in item.attrs}


def _list_datasets(file: Any, h5py: Any, name: str) -> dict[str, Any]:
    """Datasets stored in this very file, to three groups deep, by their path."""
    found: dict[str, Any] = {}
    groups: list[tuple[str, Any, int]] = [("", file, 0)]
    while groups:
        prefix, group, depth = groups.pop()
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                continue
            item = group[key]
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and item.ndim >= 1:
                found[f"{prefix}{key}"] = item
            elif isinstance(item, h5py.Group) and depth < 3:
                groups.append((f"{prefix}{key}/", item, depth + 1))
            if len(found) + len(groups) > _MAX_MEMBERS:
                raise UnsupportedFormatError(
                    f"{name}: more than {_MAX_MEMBERS} arrays and groups; say which one is meant "
                    "in a file of its own"
                )
    if not found:
        raise UnsupportedFormatError(f"{name}: the HDF5 file holds no array of numbers")
    return dict(sorted(found.items()))


def _load_dataset(dataset: Any, hints: EcgHints, name: str) -> Array:
    """The dataset, or of a batch only the recording that hints name, within bounds."""
    if dataset.is_virtual or dataset.external:
        raise UnsupportedFormatError(
            f"{name}: the array lies in other files (virtual or external), which are never opened"
        )
    index = hints.record_index
    is_batch = dataset.ndim == 3 and index is not None and index < len(dataset)
    shape = dataset.shape[1:] if is_batch else dataset.shape
    chunk = math.prod(dataset.chunks) if dataset.chunks else 0
    num_bytes = max(math.prod(shape), chunk) * dataset.dtype.itemsize
    if num_bytes > MAX_FILE_BYTES:
        if dataset.ndim == 3 and index is None:
            raise MissingUnitError(
                f"{name}: the array holds {len(dataset)} recordings; say which with record_index="
            )
        raise UnsupportedFormatError(
            f"{name}: the array has {num_bytes / 1024**2:.0f} MB unpacked, at most "
            f"{MAX_FILE_BYTES / 1024**2:.0f} MB are read"
        )
    return dataset[index] if is_batch else dataset[()]
