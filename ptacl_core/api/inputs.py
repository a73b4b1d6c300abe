"""ECGs however a session holds them: paths, records, or arrays in millivolts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array
from ptacl_core.errors import RecordError
from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg
from ptacl_core.records import LEAD_NAMES, EcgRecord

EcgSource = str | Path | EcgRecord
EcgSources = EcgSource | Sequence[EcgSource] | Float[Array, "*recording 12 sample"]
"""One ECG or several: files, records, or an array in mV with leads I, II, III, aVR … V6."""


def read_sources(
    sources: EcgSources, *, sampling_rate_hz: float | None, hints: Mapping[str, Any]
) -> Iterator[tuple[str, EcgRecord | RecordError]]:
    """Each ECG under a name, or the error that says why it cannot be read.

    `sampling_rate_hz` is that of arrays, which do not state it; of files it is a hint. Raises
    RecordError for arrays of another shape than [recording, 12, sample] or [12, sample].
    """
    if isinstance(sources, np.ndarray):
        yield from _read_arrays(sources, sampling_rate_hz)
        return
    given = {"sampling_rate_hz": sampling_rate_hz} if sampling_rate_hz is not None else {}
    several = [sources] if isinstance(sources, str | Path | EcgRecord) else sources
    for number, source in enumerate(several):
        if isinstance(source, EcgRecord):
            yield f"record {number}", source
            continue
        try:
            yield str(source), read_ecg(Path(source), **{**given, **hints})
        except RecordError as error:
            yield str(source), error


def _read_arrays(
    values: Float[Array, "*recording 12 sample"], sampling_rate_hz: float | None
) -> Iterator[tuple[str, EcgRecord | RecordError]]:
    stacked = values[None] if values.ndim == 2 else values
    if stacked.ndim != 3 or stacked.shape[1] != len(LEAD_NAMES):
        raise RecordError(
            f"expected an array [recording, 12, sample] in mV, got shape {values.shape}"
        )
    if sampling_rate_hz is None:
        raise RecordError("an array does not state its sampling rate: give sampling_rate_hz")
    for number, signal in enumerate(stacked):
        name = f"array {number}"
        try:
            yield name, _assemble(name, signal, sampling_rate_hz)
        except RecordError as error:
            yield name, error


def _assemble(name: str, signal: Float[Array, "12 sample"], sampling_rate_hz: float) -> EcgRecord:
    """With the checks that the arrays in a file have."""
    channels = [
        Channel(label, np.asarray(lead, np.float64), 1.0)
        for label, lead in zip(LEAD_NAMES, signal, strict=True)
    ]
    return assemble_ecg(
        Recording(
            name=name,
            source_format="array",
            sampling_rate_hz=sampling_rate_hz,
            channels=channels,
        )
    )
