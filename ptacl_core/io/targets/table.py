"""Values of targets in a delimited table, wide (a column each) or long (a row each)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.delimited_columns import open_delimited, read_columns
from ptacl_core.io.phenotypes.cells import MISSING, find_text_fault
from ptacl_core.io.targets.definitions import Column, TargetFile, TargetTable
from ptacl_core.records import Finding
from ptacl_core.records.targets import Target

_YES = {"1", "1.0", "true", "yes", "y", "present", "positive"}
_NO = {"0", "0.0", "false", "no", "n", "absent", "negative"}
_FLOAT_ID = re.compile(r"(\d+)\.0+")


@dataclass(frozen=True, slots=True)
class TargetValue:
    """One value: whose, of which target, and what says at which recording it was measured."""

    subject: str
    target: str
    value: float
    visit: str = ""
    recording: str = ""
    time: datetime | None = None


@dataclass(slots=True)
class TargetValues:
    """The values of one table in its order, and what reading it found."""

    name: str
    rule: TargetTable
    values: list[TargetValue] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def read_target_table(path: Path, file: TargetFile, rule: TargetTable) -> TargetValues:
    """The values that a CSV, TSV or semicolon table (gzip too) has of the targets of `file`.

    Raises UnreadableFileError, and UnsupportedFormatError for a table without the columns that the
    definitions name.
    """
    shown = shown_name(path)
    opened = open_delimited(path)
    named = {name.strip().strip("\ufeff\"'"): at for at, name in enumerate(opened.columns)}
    keys = [name for name in (rule.person, rule.visit, rule.recording, rule.time) if name]
    columns = [
        column
        for column in file.columns
        if column.target.parse_rule() is None and {column.column, *column.where} <= named.keys()
    ]
    missing = [name for name in keys if name not in named]
    if missing or not columns:
        wanted = ", ".join(column.column for column in file.columns)
        what = f"the column '{missing[0]}'" if missing else f"a column of a target ({wanted})"
        raise UnsupportedFormatError(
            f"{shown}: expected {what}; it has {len(named)} columns: "
            f"{', '.join(list(named)[:6])}{' …' if len(named) > 6 else ''}"
        )
    wanted = list(dict.fromkeys([*keys, *(name for c in columns for name in (c.column, *c.where))]))
    cells, num_skipped = read_columns(opened, [named[name] for name in wanted])
    table = dict(zip(wanted, cells, strict=True))
    result = TargetValues(shown, rule)
    if num_skipped:
        _note(result, "rows_unreadable", f"{num_skipped} rows of another width were left out")
    _add_values(result, table, columns, has_decimal_comma=opened.delimiter != ",")
    return result


def _add_values(
    result: TargetValues,
    table: Mapping[str, Sequence[str]],
    columns: Sequence[Column],
    *,
    has_decimal_comma: bool,
) -> None:
    rule = result.rule
    subjects = [_FLOAT_ID.sub(r"\1", cell.strip()) for cell in table[rule.person]]
    is_usable = np.array([find_text_fault(subject) is None for subject in subjects], bool)
    times = [_parse_time(cell) for cell in table[rule.time]] if rule.time else []
    if rule.time:
        is_timed = np.array([time is not None for time in times], bool)
        if num_untimed := int((~is_timed & is_usable).sum()):
            _note(result, "rows_without_time", f"{num_untimed} rows without a time were left out")
        is_usable &= is_timed
    if num_nameless := int((~np.array([bool(subject) for subject in subjects], bool)).sum()):
        _note(result, "subjects_unusable", f"{num_nameless} rows name no person")
    visits = table[rule.visit] if rule.visit else []
    recordings = table[rule.recording] if rule.recording else []
    for column in columns:
        values = _parse_values(result, column, table, has_decimal_comma=has_decimal_comma)
        for row in np.flatnonzero(is_usable & np.isfinite(values)).tolist():
            result.values.append(
                TargetValue(
                    subjects[row],
                    column.target.name,
                    float(values[row]),
                    visit=visits[row].strip() if rule.visit else "",
                    recording=_FLOAT_ID.sub(r"\1", recordings[row].strip())
                    if rule.recording
                    else "",
                    time=times[row] if rule.time else None,
                )
            )


def _parse_values(
    result: TargetValues,
    column: Column,
    table: Mapping[str, Sequence[str]],
    *,
    has_decimal_comma: bool,
) -> Float64[Array, " row"]:
    """The target of every row: NaN where it is missing, of another kind, or not plausible."""
    target, cells = column.target, table[column.column]
    chosen = np.ones(len(cells), bool)
    for name, wanted in column.where.items():
        chosen &= np.array([cell.strip() == wanted for cell in table[name]], bool)
    values = np.full(len(cells), np.nan)
    num_bad = 0
    for row in np.flatnonzero(chosen).tolist():
        text = cells[row].strip().lower()
        if text in MISSING:
            continue
        value = _parse_cell(text, target, has_decimal_comma=has_decimal_comma)
        if value is None:
            num_bad += 1
        else:
            values[row] = value
    is_out = np.isfinite(values) & ~target.is_plausible(values)
    values[is_out] = np.nan
    if num_bad:
        kind = "0 or 1 (or yes and no)" if target.is_binary else "finite numbers"
        _note(result, "not_numbers", f"{target.name}: {num_bad} cells are not {kind}")
    if is_out.any():
        bounds = f"{_bound(target.low)} to {_bound(target.high)}"
        message = f"{target.name}: {int(is_out.sum())} values outside {bounds} were left out"
        _note(result, "values_implausible", message)
    return values


def _parse_cell(text: str, target: Target, *, has_decimal_comma: bool) -> float | None:
    if target.is_binary:
        return 1.0 if text in _YES else 0.0 if text in _NO else None
    if "_" in text:
        return None
    try:
        value = float(text.replace(",", ".") if has_decimal_comma else text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _parse_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=None)
    except ValueError:
        return None


def _bound(value: float | None) -> str:
    return "anything" if value is None else f"{value:g}"


def _note(result: TargetValues, code: str, message: str) -> None:
    result.findings.append(Finding(code, "warning", message))
