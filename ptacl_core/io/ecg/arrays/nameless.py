"""Arrays without names: leads, unit and rate from what their owner states, never guessed."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.records import EcgRecord, Finding

_MIN_PADDING_S = 0.2
_NO_SAMPLE = -32768
_ADVICE = {
    "lead_names": "lead_names= (the order of the stored leads)",
    "unit": "unit= ('mV', 'uV' … or one step, '4.88 uV')",
    "sampling_rate_hz": "sampling_rate_hz=",
}


def require_hints(name: str, hints: EcgHints, *facts: str) -> None:
    """Raise MissingUnitError listing every one of `facts` that is neither stated nor given."""
    missing = [_ADVICE[fact] for fact in facts if getattr(hints, fact) is None]
    if missing:
        raise MissingUnitError(
            f"{name}: the file does not state {' and '.join(missing)}; give it by keyword, or in "
            f"{name}.json beside the file"
        )


def assemble_array(array: Array, hints: EcgHints, *, name: str, source_format: str) -> EcgRecord:
    """The record in an array [lead, sample], [sample, lead] or a batch of either.

    The lead axis is the one as long as `hints.lead_names`, or `hints.lead_axis` when both are.
    A batch needs `hints.record_index`, unless it holds one recording. Zeros on all leads at
    both ends are padding and are cut (`padding_cut`). Raises MissingUnitError and
    UnsupportedFormatError.
    """
    check_numeric(array, name)
    require_hints(name, hints, "lead_names", "unit", "sampling_rate_hz")
    assert hints.lead_names is not None
    matrix = _pick_record(array, hints, name)
    leads_first = _orient(matrix, len(hints.lead_names), hints, name)
    return assemble_rows(
        list(leads_first), hints.lead_names, hints, name=name, source_format=source_format
    )


def assemble_rows(
    rows: Sequence[Array],
    labels: Sequence[str],
    hints: EcgHints,
    *,
    name: str,
    source_format: str,
    units: Sequence[str | None] | None = None,
    findings: Sequence[Finding] = (),
) -> EcgRecord:
    """The record of named rows; `units` per row where the file states them, else the hint's."""
    stated = list(units) if units is not None else [None] * len(rows)
    if any(unit is None for unit in stated):
        require_hints(name, hints, "unit", "sampling_rate_hz")
    require_hints(name, hints, "sampling_rate_hz")
    assert hints.sampling_rate_hz is not None
    rows, padding = _cut_padding(rows, hints.sampling_rate_hz)
    channels = [
        Channel(
            label=label,
            raw=row,
            scale_mv=read_millivolts(unit or hints.unit or "", name=name, where="unit"),
            missing_values=(_NO_SAMPLE,) if row.dtype == np.int16 else (),
        )
        for label, row, unit in zip(labels, rows, stated, strict=True)
    ]
    return assemble_ecg(
        Recording(name, source_format, hints.sampling_rate_hz, channels, [*findings, *padding])
    )


def check_numeric(array: Array, name: str) -> None:
    """Raise UnsupportedFormatError unless `array` holds real numbers."""
    if array.dtype.kind not in "iuf":
        raise UnsupportedFormatError(
            f"{name}: expected an array of whole or floating-point numbers, found {array.dtype}; "
            "save the samples themselves"
        )


def choose_record(hints: EcgHints, num_records: int, *, holder: str, name: str) -> int:
    """The recording that hints ask for, of those that `holder` ("the array") has; the only one.

    Raises MissingUnitError when several are there and none was asked for, UnsupportedFormatError
    for one that is not there.
    """
    index = hints.record_index
    if index is None and num_records == 1:
        return 0
    if index is None:
        raise MissingUnitError(
            f"{name}: {holder} holds {num_records} recordings; say which with record_index= "
            f"(0 to {num_records - 1}), by keyword or in {name}.json beside the file"
        )
    if index >= num_records:
        raise UnsupportedFormatError(
            f"{name}: record_index {index} was asked for, {holder} holds {num_records} recordings "
            "(counted from 0)"
        )
    return index


def _pick_record(array: Array, hints: EcgHints, name: str) -> Array:
    if array.ndim == 4 and array.shape[1] == 1:  # (recording, 1, sample, lead)
        array = array[:, 0]
    if array.ndim == 2:
        return array
    if array.ndim != 3:
        raise UnsupportedFormatError(
            f"{name}: expected an array [lead, sample], [sample, lead] or a batch of them, found "
            f"shape {array.shape}"
        )
    index = choose_record(hints, len(array), holder="the array", name=name)
    return array[index]


def _orient(matrix: Array, num_leads: int, hints: EcgHints, name: str) -> Array:
    axes = [axis for axis in (0, 1) if matrix.shape[axis] == num_leads]
    if hints.lead_axis in axes:
        axes = [hints.lead_axis]
    if not axes or hints.lead_axis not in {None, *axes}:
        raise UnsupportedFormatError(
            f"{name}: {num_leads} leads were named, the array has shape {matrix.shape}; name as "
            "many leads as it holds"
        )
    if len(axes) == 2:
        raise MissingUnitError(
            f"{name}: both axes of shape {matrix.shape} are {num_leads} long; say which holds the "
            "leads with lead_axis="
        )
    return matrix if axes[0] == 0 else matrix.T


def _cut_padding(
    rows: Sequence[Array], sampling_rate_hz: float
) -> tuple[list[Array], list[Finding]]:
    """Rows without the zeros that all of them share at the start and the end."""
    lengths = {len(row) for row in rows}
    if len(lengths) != 1 or not (num_samples := lengths.pop()):
        return list(rows), []
    is_used = np.zeros(num_samples, bool)
    for row in rows:
        is_used |= row != 0
    used = np.flatnonzero(is_used)
    if len(used) == 0:
        return list(rows), []
    limit = _MIN_PADDING_S * sampling_rate_hz
    start = int(used[0]) if used[0] >= limit else 0
    stop = int(used[-1]) + 1 if num_samples - 1 - used[-1] >= limit else num_samples
    if start == 0 and stop == num_samples:
        return list(rows), []
    message = (
        f"zeros on all leads were cut: {start / sampling_rate_hz:.2f} s at the start, "
        f"{(num_samples - stop) / sampling_rate_hz:.2f} s at the end"
    )
    return [row[start:stop] for row in rows], [Finding("padding_cut", "info", message)]
