"""Text tables: a column per lead, a row per lead, long form, or a bare matrix."""

from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.arrays.csv_text import CsvText, split_csv
from ptacl_core.io.ecg.arrays.nameless import assemble_array, assemble_rows
from ptacl_core.io.ecg.arrays.table_columns import MIN_LEADS, find_lead_columns, find_long_columns
from ptacl_core.io.ecg.arrays.time_columns import (
    compute_rate_hz,
    find_bare_time_column,
    find_time_column,
    infer_times_s,
    parse_clock_s,
)
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead
from ptacl_core.io.files.bounded_file import MAX_TABLE_BYTES, read_bytes, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import EcgRecord, Finding

_MAX_COLUMNS = 100_000
"""Samples of the longest lead in a line of its own: parsers of columns slow down beyond."""
_NO_VALUE = ["", "NaN", "nan", "NA", "na", "null", "NULL", "None", "-", "#N/A", "?"]


def read_csv_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """A text table with `,`, `;`, tab, `|` or blanks between cells; decimal commas too.

    Units may stand in the column names, the rate in a time column ("time (ms)"); empty cells
    are missing samples. What the table does not state must be given. Raises MissingUnitError,
    UnsupportedFormatError, and UnreadableFileError for cells that are not numbers or rows of
    unequal length.
    """
    name = shown_name(path)
    table = split_csv(read_bytes(path, max_bytes=MAX_TABLE_BYTES), name=name)
    names = list(table.first_row)
    if len(names) > _MAX_COLUMNS and find_lead(names[0]) is None and table.has_header:
        raise UnsupportedFormatError(f"{name}: more than {_MAX_COLUMNS} columns with names")
    if table.has_header:
        leads = find_lead_columns(names)
        if len(leads) >= MIN_LEADS:
            columns = _parse_columns(table, [lead.index for lead in leads], name)
            findings: list[Finding] = []
            stated = _stated_rate(table, names, name)
            if stated.sampling_rate_hz is None and hints.sampling_rate_hz is None:
                stated = _implied_rate(table, names, findings, name)
            return assemble_rows(
                columns,
                [lead.lead for lead in leads],
                stated.completed_by(hints),
                name=name,
                source_format="csv",
                units=[lead.unit for lead in leads],
                findings=findings,
            )
        if (long := find_long_columns(names)) is not None:
            return _read_long(table, long, hints, name)
    if _has_row_names(table):
        labels, rows = _parse_rows(table, name)
        return assemble_rows(rows, labels, hints, name=name, source_format="csv")
    if table.has_header and hints.lead_names is None:
        raise MissingUnitError(
            f"{name}: the column names are not those of leads; name the leads I … V6 in the first "
            "line, or give lead_names="
        )
    columns = _parse_columns(table, list(range(len(names))), name)
    return assemble_array(np.stack(columns), hints, name=name, source_format="csv")


def _parse_columns(table: CsvText, indices: list[int], name: str) -> list[Array]:
    """Columns `indices` of the table as float64; empty cells become NaN."""
    import pyarrow
    from pyarrow import csv

    if len(table.first_row) > _MAX_COLUMNS:
        raise UnsupportedFormatError(
            f"{name}: {len(table.first_row)} values in the first line are more than the "
            f"{_MAX_COLUMNS} columns that are read; write one column per lead, one line per sample"
        )
    columns = [f"c{index}" for index in range(len(table.first_row))]
    wanted = [columns[index] for index in indices]
    rows = table.rows
    if not bytes(rows[:1000]).strip():
        raise UnreadableFileError(f"{name}: the table has names and no rows; it is cut short")
    with library_faults(name, "table of numbers with rows of equal length"):
        parsed = csv.read_csv(
            pyarrow.BufferReader(pyarrow.py_buffer(rows)),
            read_options=csv.ReadOptions(
                column_names=columns, encoding="latin-1", use_threads=False
            ),
            parse_options=csv.ParseOptions(delimiter=table.separator),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pyarrow.float64()),
                include_columns=wanted,
                null_values=_NO_VALUE,
                decimal_point=table.decimal_mark,
            ),
        )
        return [parsed.column(column).to_numpy() for column in wanted]


def _stated_rate(table: CsvText, names: list[str], name: str) -> EcgHints:
    time = find_time_column(names)
    if time is None:
        return EcgHints()
    index, unit_s = time
    (times,) = _parse_columns(table, [index], name)
    return EcgHints(sampling_rate_hz=compute_rate_hz(times * unit_s, name=name))


def _implied_rate(table: CsvText, names: list[str], findings: list[Finding], name: str) -> EcgHints:
    """The rate of a time column without a unit: clock times, or numbers that fit one unit only."""
    index = find_bare_time_column(names)
    if index is None:
        return EcgHints()
    times_s = parse_clock_s(_parse_labels(table, index, name).tolist())
    if times_s is None:
        try:
            (numbers,) = _parse_columns(table, [index], name)
        except UnreadableFileError:
            return EcgHints()  # times of a kind not known: the rate is asked for
        if (inferred := infer_times_s(numbers)) is None:
            return EcgHints()
        times_s, finding = inferred
        findings.append(finding)
    return EcgHints(sampling_rate_hz=compute_rate_hz(times_s, name=name))


def _read_long(
    table: CsvText, columns: tuple[int, int, str | None], hints: EcgHints, name: str
) -> EcgRecord:
    """Rows of (lead, value): each lead's values in the order of the rows."""
    lead_index, value_index, unit = columns
    (values,) = _parse_columns(table, [value_index], name)
    labels = _parse_labels(table, lead_index, name)
    order = list(dict.fromkeys(labels.tolist()))
    if len(order) > 1000:
        raise UnsupportedFormatError(f"{name}: the lead column holds more than 1000 names")
    rows = [values[labels == label] for label in order]
    leads = [find_lead(label) or "" for label in order]
    time = find_time_column(list(table.first_row))
    if time is not None:
        (times,) = _parse_columns(table, [time[0]], name)
        first = times[labels == order[0]] * time[1]
        rate_hz = compute_rate_hz(first, name=name)
        hints = EcgHints(sampling_rate_hz=rate_hz).completed_by(hints)
    return assemble_rows(
        rows, leads, hints, name=name, source_format="csv", units=[unit] * len(rows)
    )


def _parse_labels(table: CsvText, index: int, name: str) -> Array:
    import pyarrow
    from pyarrow import csv

    columns = [f"c{number}" for number in range(len(table.first_row))]
    with library_faults(name, "table with rows of equal length"):
        parsed = csv.read_csv(
            pyarrow.BufferReader(pyarrow.py_buffer(table.rows)),
            read_options=csv.ReadOptions(
                column_names=columns, encoding="latin-1", use_threads=False
            ),
            parse_options=csv.ParseOptions(delimiter=table.separator),
            convert_options=csv.ConvertOptions(
                column_types={columns[index]: pyarrow.string()}, include_columns=[columns[index]]
            ),
        )
        return np.asarray(parsed.column(0).to_numpy(), dtype=object)


def _has_row_names(table: CsvText) -> bool:
    """Whether each line begins with a lead's name, one line per lead."""
    lines = table.body.split(b"\n", 32)[:32]
    starts = [line.split(table.separator.encode(), 1)[0] for line in lines if line.strip()]
    names = [find_lead(start.decode("latin-1").strip().strip('"')) for start in starts]
    return sum(name is not None for name in names) >= MIN_LEADS


def _parse_rows(table: CsvText, name: str) -> tuple[list[str], list[Array]]:
    """One line per lead: its name, then its samples."""
    labels: list[str] = []
    rows: list[Array] = []
    for line in table.body.split(b"\n"):
        cells = line.decode("latin-1").split(table.separator)
        label = find_lead(cells[0].strip().strip('"'))
        if label is None:
            continue
        if table.decimal_mark == ",":
            cells = [cell.replace(",", ".") for cell in cells]
        while len(cells) > 1 and not cells[-1].strip():
            cells.pop()
        try:
            values = [np.nan if cell.strip() in _NO_VALUE else float(cell) for cell in cells[1:]]
        except ValueError as error:
            raise UnreadableFileError(
                f"{name}: expected numbers after the name {label}, found something else"
            ) from error
        labels.append(label)
        rows.append(np.array(values, dtype=np.float64))
    return labels, rows
