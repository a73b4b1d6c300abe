"""Arrays under names in one file: which of them is the recording, and what the file states."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.ecg.arrays.nameless import assemble_array, assemble_rows
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead
from ptacl_core.io.hints import ReaderHints
from ptacl_core.records import EcgRecord

FACTS = {
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


def assemble_named(
    arrays: Mapping[str, Array], hints: EcgHints, *, name: str, source_format: str
) -> EcgRecord:
    """The record of one array, or of one row per lead under the leads' names."""
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


def choose_arrays(
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


def stated_hints(facts: Mapping[str, Any], name: str) -> EcgHints:
    """The facts that a file states, under our names; units as many as leads must be the same."""
    stated: ReaderHints = {}
    for key, value in facts.items():
        fact = FACTS[key]
        is_list = isinstance(value, list)
        if fact == "unit" and is_list:
            if len(set(value)) != 1:
                continue  # none holds for all leads: it is asked for
            value = value[0]  # noqa: PLW2901
        elif fact == "sampling_rate_hz" and is_list and len(value) == 1:
            value = value[0]  # noqa: PLW2901
        stated.setdefault(fact, value)
    return EcgHints.from_mapping(stated, where=f"{name} (stated in the file)")


def plain_value(value: Any) -> Any:
    """NumPy scalars and arrays of text as plain Python values."""
    value = np.asarray(value)
    if value.dtype.kind in "SO":
        words = [word.decode() if isinstance(word, bytes) else word for word in value.ravel()]
        return words if value.ndim else words[0]
    return value.tolist() if value.ndim else value.item()
