"""MATLAB files without a WFDB header: version 5 unpacked within bounds, 7.3 read as HDF5."""

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.arrays.hdf5 import read_hdf5_ecg
from ptacl_core.io.ecg.arrays.known_sets import recognise_arrays
from ptacl_core.io.ecg.arrays.named_arrays import (
    FACTS,
    assemble_named,
    choose_arrays,
    plain_value,
    stated_hints,
)
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.person_facts import build_person
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, read_bytes, read_head, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import EcgRecord

VERSION_7_3 = b"MATLAB 7.3"
_HEADER_BYTES = 128
_COMPRESSED = 15
_MAX_VARIABLES = 1000


def read_matlab_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """An array of a MATLAB 5 or 7.3 file: a variable, or a field of a structure.

    Fields and variables `fs`, `sampling_rate`, `units`, `leads` and the like count as stated;
    CPSC2018's structure (sex, age, data) is known (`known_layout`). Raises as `assemble_array`,
    and UnsupportedFormatError when several arrays could be meant.
    """
    name = shown_name(path)
    if read_head(path, num_bytes=len(VERSION_7_3)) == VERSION_7_3:
        return replace(read_hdf5_ecg(path, hints), source_format="matlab")
    data = read_bytes(path)
    with library_faults(name, "MATLAB 5 file"):
        from scipy.io import loadmat

        variables = loadmat(io.BytesIO(_expand(data, name)), squeeze_me=True, chars_as_strings=True)
        fields = _flatten(variables)
    arrays = {
        key: value
        for key, value in fields.items()
        if value.dtype.kind in "iuf" and value.ndim >= 1 and key.rpartition("/")[2] not in FACTS
    }
    if not arrays:
        raise UnsupportedFormatError(f"{name}: the MATLAB file holds no array of numbers")
    known = recognise_arrays({key: value.shape for key, value in fields.items()})
    stated = {
        fact: plain_value(value)
        for key, value in fields.items()
        if (fact := key.rpartition("/")[2]) in FACTS
    }
    hints = stated_hints(stated, name).completed_by(hints)
    is_complete = None not in (hints.lead_names, hints.unit, hints.sampling_rate_hz)
    if known is not None and hints.array_name is None:
        chosen, hints = [known.array_name], hints.completed_by(known.hints)
    else:
        chosen = choose_arrays(list(arrays), hints, name, lambda key: arrays[key].ndim)
    record = assemble_named(
        {key.rpartition("/")[2]: arrays[key] for key in chosen},
        hints,
        name=name,
        source_format="matlab",
    )
    findings = () if known is None or is_complete else (known.as_finding(),)
    person = build_person(
        sex=_find_value(fields, "sex"),
        age_years=_find_value(fields, "age"),
    )
    return replace(record, findings=(*findings, *record.findings), person=person)


def _find_value(fields: dict[str, Array], wanted: str) -> Any:
    for key, value in fields.items():
        if key.rpartition("/")[2].lower() == wanted and value.size == 1:
            return plain_value(value.reshape(()))
    return None


def _flatten(variables: Mapping[str, object]) -> dict[str, Array]:
    """Variables, and the fields of structures, under `variable/field`."""
    fields: dict[str, Array] = {}
    for key, value in variables.items():
        if key.startswith("__"):
            continue
        array = np.asarray(value)
        if array.dtype.names is None:
            fields[key] = array
        elif array.size == 1:
            for field in array.dtype.names:
                fields[f"{key}/{field}"] = np.asarray(array.reshape(())[()][field])
    return fields


def _expand(data: bytes, name: str) -> bytes:
    """The file with its compressed variables unpacked, never beyond `MAX_FILE_BYTES`.

    A parser that unpacks by itself believes whatever sizes a damaged file claims.
    """
    if len(data) < _HEADER_BYTES:
        raise UnreadableFileError(f"{name}: the MATLAB header is cut short; copy the file again")
    order = "<" if data[126:128] == b"IM" else ">"
    pieces, at, total = [data[:_HEADER_BYTES]], _HEADER_BYTES, _HEADER_BYTES
    for _ in range(_MAX_VARIABLES):
        if at + 8 > len(data):
            return b"".join(pieces)
        kind, size = struct.unpack_from(f"{order}II", data, at)
        body = data[at + 8 : at + 8 + size]
        if len(body) < size:
            raise UnreadableFileError(
                f"{name}: a MATLAB variable of {size} bytes ends after {len(body)}; copy the file "
                "again"
            )
        if kind == _COMPRESSED:
            pieces.append(_inflate(body, MAX_FILE_BYTES - total, name))
        else:
            pieces.append(data[at : at + 8 + size])
        total += len(pieces[-1])
        at += 8 + size
    raise UnsupportedFormatError(f"{name}: more than {_MAX_VARIABLES} variables in a MATLAB file")


def _inflate(body: bytes, max_bytes: int, name: str) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(body, max(max_bytes, 1))
    if unpacker.unconsumed_tail:
        raise UnsupportedFormatError(
            f"{name}: the MATLAB file unpacks to more than {MAX_FILE_BYTES / 1024**2:.0f} MB"
        )
    return unpacked
