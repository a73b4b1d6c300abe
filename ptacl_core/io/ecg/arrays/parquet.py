"""Parquet tables: a column per lead, of numbers or of lists with a recording per row."""

from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.arrays.nameless import assemble_array, assemble_rows, choose_record
from ptacl_core.io.ecg.arrays.table_columns import MIN_LEADS, find_lead_columns
from ptacl_core.io.ecg.arrays.time_columns import (
    compute_rate_hz,
    find_bare_time_column,
    find_time_column,
    infer_times_s,
)
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.files.bounded_file import MAX_FILE_BYTES, read_bytes, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.io.hints import ReaderHints
from ptacl_core.records import EcgRecord, Finding

_FACTS = ("lead_names", "unit", "sampling_rate_hz")


def read_parquet_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """A Parquet table with a column per lead: of numbers, or of lists with a recording per row.

    `unit`, `sampling_rate_hz` and `lead_names` in the schema's metadata count as stated. Raises
    as `read_csv_ecg`.
    """
    import pyarrow
    from pyarrow import parquet

    name = shown_name(path)
    data = read_bytes(path)
    with library_faults(name, "Parquet file"):
        file = parquet.ParquetFile(pyarrow.BufferReader(data))
        schema = file.schema_arrow
        names = list(schema.names)
        num_rows = int(file.metadata.num_rows)
    hints = _stated_metadata(schema.metadata or {}, name).completed_by(hints)
    leads = find_lead_columns(names)
    if len(leads) < MIN_LEADS and hints.lead_names is not None:
        return _read_nameless_parquet(file, hints, name)
    if len(leads) < MIN_LEADS:
        raise MissingUnitError(
            f"{name}: {len(leads)} of {len(names)} columns are named after leads; name them I … "
            "V6, or give lead_names="
        )
    time = find_time_column(names)
    bare = None
    if time is None and hints.sampling_rate_hz is None:
        bare = find_bare_time_column(names)
    index = bare if time is None else time[0]
    wanted = [lead.index for lead in leads] + ([index] if index is not None else [])
    findings: list[Finding] = []
    _check_extent(num_rows, len(wanted), name)
    with library_faults(name, "Parquet file"):
        table = file.read(columns=[names[index] for index in dict.fromkeys(wanted)])
        columns = [_to_numbers(table.column(names[lead.index]), hints, name) for lead in leads]
        if time is not None:
            times = _to_numbers(table.column(names[time[0]]), hints, name)
            rate_hz = compute_rate_hz(times * time[1], name=name)
            hints = EcgHints(sampling_rate_hz=rate_hz).completed_by(hints)
        elif bare is not None:
            numbers = _to_times(table.column(names[bare]), hints, name)
            if numbers is not None and (inferred := infer_times_s(numbers)) is not None:
                times_s, finding = inferred
                findings.append(finding)
                rate_hz = compute_rate_hz(times_s, name=name)
                hints = EcgHints(sampling_rate_hz=rate_hz).completed_by(hints)
    return assemble_rows(
        columns,
        [lead.lead for lead in leads],
        hints,
        name=name,
        source_format="parquet",
        units=[lead.unit for lead in leads],
        findings=findings,
    )


def _to_times(column: Any, hints: EcgHints, name: str) -> Array | None:
    """A column of times as numbers; time stamps in seconds as microseconds, texts as None."""
    import pyarrow

    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us", column.type.tz)).cast(pyarrow.int64())
    elif not (pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type)):
        return None
    return _to_numbers(column, hints, name).astype(np.float64)


def _read_nameless_parquet(file: Any, hints: EcgHints, name: str) -> EcgRecord:
    names = list(file.schema_arrow.names)
    _check_extent(int(file.metadata.num_rows), len(names), name)
    with library_faults(name, "Parquet file"):
        table = file.read()
        columns = [_to_numbers(table.column(column), hints, name) for column in names]
    return assemble_array(np.stack(columns), hints, name=name, source_format="parquet")


def _check_extent(num_rows: int, num_columns: int, name: str) -> None:
    if num_rows * num_columns * 8 > MAX_FILE_BYTES * 2:
        raise UnsupportedFormatError(
            f"{name}: {num_rows} rows of {num_columns} columns are more than is read; cut out the "
            "part that is wanted"
        )


def _stated_metadata(metadata: dict[bytes, bytes], name: str) -> EcgHints:
    stated: ReaderHints = {}
    for fact in _FACTS:
        text = metadata.get(fact.encode(), b"").decode("utf-8", errors="replace").strip()
        if text:
            stated[fact] = text
    if "sampling_rate_hz" in stated:
        try:
            stated["sampling_rate_hz"] = float(stated["sampling_rate_hz"])
        except ValueError as error:
            raise UnreadableFileError(
                f"{name}: sampling_rate_hz in the schema's metadata is not a number"
            ) from error
    return EcgHints.from_mapping(stated, where=f"{name} (stated in the file)")


def _to_numbers(column: Any, hints: EcgHints, name: str) -> Array:
    """A Parquet column as numbers; of a list column the row that hints name."""
    import pyarrow

    if pyarrow.types.is_list(column.type) or pyarrow.types.is_large_list(column.type):
        index = choose_record(hints, len(column), holder="the table, one per row,", name=name)
        column = column[index].values
        if column is None:
            raise UnreadableFileError(f"{name}: row {index} has no samples")
    kind = column.type
    if not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)):
        raise UnsupportedFormatError(f"{name}: expected columns of numbers, found {kind}")
    if column.null_count:
        column = column.cast(pyarrow.float64())  # what is absent becomes NaN
    chunks = column.chunks if isinstance(column, pyarrow.ChunkedArray) else [column]
    numbers = [np.asarray(chunk.to_numpy(zero_copy_only=False)) for chunk in chunks]
    return np.concatenate(numbers) if numbers else np.empty(0)
