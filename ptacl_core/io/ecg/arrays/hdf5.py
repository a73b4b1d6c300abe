"""HDF5 arrays, MATLAB 7.3 among them: only the recording asked for is read."""

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, UnsupportedFormatError
from ptacl_core.io.ecg.arrays.known_sets import recognise_arrays
from ptacl_core.io.ecg.arrays.named_arrays import (
    FACTS,
    assemble_named,
    choose_arrays,
    plain_value,
    stated_hints,
)
from ptacl_core.io.ecg.arrays.nameless import choose_record
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead
from ptacl_core.io.ecg.person_facts import build_person
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.io.hints import ReaderHints
from ptacl_core.records import EcgRecord

_MAX_MEMBERS = 1000
_STRIP = re.compile(r"(?P<group>.*?)strip_(?P<lead>[^/]+)/instance_(?P<instance>\d+)")
"""ml4h: one dataset per lead and imaging visit, in the person's file."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """The open HDF5 file. Raises UnsupportedFormatError without h5py, UnreadableFileError."""
    name = shown_name(path)
    try:
        import h5py
    except ImportError as error:
        raise UnsupportedFormatError(
            f"{name}: reading HDF5 needs h5py, which is not installed; pip install h5py"
        ) from error
    with library_faults(name, "HDF5 file"), h5py.File(path, "r") as file:
        yield file


def read_hdf5_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """One dataset of an HDF5 file, or one per lead in one group under the leads' names.

    Only the recording asked for is read, so the file may be of any size. Attributes
    `lead_names`, `unit` and `sampling_rate_hz` of the dataset or the file count as stated; files
    of CODE-15%, CPSC2018 (MATLAB 7.3) and ml4h are known by their arrays' names (`known_layout`).
    Raises as `assemble_array`; UnsupportedFormatError without h5py, for links into other files
    and for virtual datasets.
    """
    name = shown_name(path)
    with open_hdf5(path) as file:
        datasets = list_datasets(file, name)
        _refuse_images(datasets, name)
        facts = _read_attributes(file)
        if (strips := find_strips(datasets)) is not None:
            hints = stated_hints(facts, name).completed_by(hints)
            arrays = _load_strips(strips, datasets, hints, name)
            return assemble_named(arrays, hints, name=name, source_format="hdf5")
        known = recognise_arrays({key: item.shape for key, item in datasets.items()})
        if known is not None and hints.array_name is None:
            chosen = [known.array_name]
        else:
            chosen = choose_arrays(list(datasets), hints, name, lambda key: datasets[key].ndim)
        facts |= _read_attributes(datasets[chosen[0]])
        hints = stated_hints(facts, name).completed_by(hints)
        is_complete = None not in (hints.lead_names, hints.unit, hints.sampling_rate_hz)
        hints = hints.completed_by(known.hints) if known else hints
        arrays = {
            key.rpartition("/")[2]: _load_dataset(datasets[key], hints, name) for key in chosen
        }
        person = build_person(sex=_scalar(file, "ECG/sex"), age_years=_scalar(file, "ECG/age"))
    record = assemble_named(arrays, hints, name=name, source_format="hdf5")
    findings = () if known is None or is_complete else (known.as_finding(),)
    return replace(record, findings=(*findings, *record.findings), person=person)


def list_datasets(file: Any, name: str) -> dict[str, Any]:
    """Datasets of numbers stored in this very file, to three groups deep, by their path."""
    import h5py

    datasets: dict[str, Any] = {}
    groups: list[tuple[str, Any, int]] = [("", file, 0)]
    while groups:
        prefix, group, depth = groups.pop()
        for key in group:
            if key.startswith("#") or not isinstance(group.get(key, getlink=True), h5py.HardLink):
                continue
            item = group[key]
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "iuf" and item.ndim >= 1:
                datasets[f"{prefix}{key}"] = item
            elif isinstance(item, h5py.Group) and depth < 3:
                groups.append((f"{prefix}{key}/", item, depth + 1))
            if len(datasets) + len(groups) > _MAX_MEMBERS:
                raise UnsupportedFormatError(
                    f"{name}: more than {_MAX_MEMBERS} arrays and groups; say which one is meant "
                    "in a file of its own"
                )
    if not datasets:
        raise UnsupportedFormatError(f"{name}: the HDF5 file holds no array of numbers")
    return dict(sorted(datasets.items()))


def find_strips(datasets: Mapping[str, Any]) -> dict[str, dict[str, str]] | None:
    """ml4h's rest ECGs: instance → lead → dataset path, when one instance has 12 leads."""
    strips: dict[str, dict[str, str]] = {}
    for key in datasets:
        match = _STRIP.fullmatch(key)
        lead = find_lead(match["lead"]) if match else None
        if match and lead is not None:
            strips.setdefault(match["instance"], {})[lead] = key
    whole = {instance: leads for instance, leads in sorted(strips.items()) if len(leads) == 12}
    return whole or None


def _load_strips(
    strips: dict[str, dict[str, str]], datasets: Mapping[str, Any], hints: EcgHints, name: str
) -> dict[str, Array]:
    holder = f"the file, as instances {', '.join(strips)},"
    index = choose_record(hints, len(strips), holder=holder, name=name)
    leads = list(strips.values())[index]
    return {lead: _load_dataset(datasets[key], hints, name) for lead, key in leads.items()}


def _refuse_images(datasets: Mapping[str, Any], name: str) -> None:
    """Point to the other door when the file holds ISMRMRD images."""
    if any(re.fullmatch(r"[^/]+/image_?\d+/data", key) for key in datasets):
        raise UnsupportedFormatError(
            f"{name}: expected an ECG recording, found ISMRMRD images; read them with read_cine"
        )


def _scalar(file: Any, key: str) -> Any:
    """A number or word that MATLAB 7.3 stored at `key`, None when it is not there."""
    item = file.get(key)
    if item is None or not hasattr(item, "dtype") or item.size > 16:
        return None
    if item.attrs.get("MATLAB_class") == b"char":
        return "".join(map(chr, np.ravel(item[()]).tolist()))
    return plain_value(np.ravel(item[()])[0]) if item.size == 1 else None


def _read_attributes(item: Any) -> ReaderHints:
    return {fact: plain_value(item.attrs[fact]) for fact in FACTS if fact in item.attrs}


def _load_dataset(dataset: Any, hints: EcgHints, name: str) -> Array:
    """The dataset, or of a batch only the recording that hints name, within bounds."""
    if dataset.is_virtual or dataset.external:
        raise UnsupportedFormatError(
            f"{name}: the array lies in other files (virtual or external), which are never opened"
        )
    index = hints.record_index
    is_batch = dataset.ndim >= 3 and index is not None and index < len(dataset)
    shape = dataset.shape[1:] if is_batch else dataset.shape
    chunk = math.prod(dataset.chunks) if dataset.chunks else 0
    num_bytes = max(math.prod(shape), chunk) * dataset.dtype.itemsize
    if num_bytes > MAX_FILE_BYTES:
        if dataset.ndim >= 3 and index is None:
            raise MissingUnitError(
                f"{name}: the array holds {len(dataset)} recordings; say which with record_index="
            )
        raise UnsupportedFormatError(
            f"{name}: the array has {num_bytes / 1024**2:.0f} MB unpacked, at most "
            f"{MAX_FILE_BYTES / 1024**2:.0f} MB are read"
        )
    if not is_batch:
        return dataset[()]
    picked = dataset[index]
    return picked[0] if picked.ndim == 3 and len(picked) == 1 else picked
