"""A data set's own tables: whose each recording is, when it was made, what is known of people."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from ptacl_core.errors import RecordError
from ptacl_core.io.files.delimited_columns import open_delimited, read_columns
from ptacl_core.io.layouts.model import TableRule

_FRAMES = {"ed_frame": "end_diastole", "es_frame": "end_systole"}
"""Our names of columns → what `read_cine` calls them."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """What a table says of a recording or a person; "" and None where it says nothing."""

    subject: str
    record: str = ""
    visit: str = ""
    time: datetime | None = None
    split: str = ""
    cells: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class DataSetTable:
    """One table read: its rows by recording file, by record number, and by person.

    `layout` is the name of the layout whose rule it is.
    """

    path: Path
    rule: TableRule
    rows: list[TableRow] = field(default_factory=list)
    by_file: dict[str, list[tuple[tuple[str, ...], TableRow]]] = field(default_factory=dict)
    by_record: dict[str, TableRow] = field(default_factory=dict)
    by_subject: dict[str, TableRow] = field(default_factory=dict)
    num_skipped: int = 0
    layout: str = ""

    def find(self, place: PurePosixPath, record: str) -> TableRow | None:
        """The row of a recording: by its path, the longest that fits, else by its number."""
        parts = _tail(str(place))
        candidates = self.by_file.get(parts[-1], []) if parts else []
        fitting = [(len(tail), row) for tail, row in candidates if parts[-len(tail) :] == tail]
        if fitting:
            return max(fitting, key=lambda entry: entry[0])[1]
        return self.by_record.get(_number(record)) if record else None

    def find_people(self, place: PurePosixPath) -> set[str]:
        """The people whom rows with the longest fitting path of a recording name."""
        parts = _tail(str(place))
        candidates = self.by_file.get(parts[-1], []) if parts else []
        fitting = [(len(tail), row) for tail, row in candidates if parts[-len(tail) :] == tail]
        longest = max((length for length, _ in fitting), default=0)
        return {row.subject for length, row in fitting if length == longest}

    def find_frames(self, subject: str) -> dict[str, int]:
        """End-diastole and end-systole of a person's cine, as frames from 0, where it has them."""
        row = self.by_subject.get(subject)
        frames: dict[str, int] = {}
        for column, name in self.rule.columns.items():
            cell = _number(row.cells.get(column, "")) if row is not None else ""
            if name in _FRAMES and cell.isdecimal():
                frames[_FRAMES[name]] = int(cell) - self.rule.first_frame
        return {name: frame for name, frame in frames.items() if frame >= 0}

    def choose(self, where: dict[str, str]) -> list[TableRow]:
        """The rows in order whose cells are as `where` says."""
        return [
            row
            for row in self.rows
            if all(row.cells.get(column, "").strip() == value for column, value in where.items())
        ]


def read_table(path: Path, rule: TableRule, *, extra: Iterable[str] = ()) -> DataSetTable:
    """The rows of a data set's table; `extra` names more columns that are wanted.

    Raises RecordError when it cannot be read or lacks the column of subjects.
    """
    table = DataSetTable(path, rule)
    if rule.is_withdrawal:
        lines = path.read_text(encoding="utf-8", errors="replace").split()
        table.rows = [TableRow(line.strip(",;")) for line in lines if line.strip(",;").isdecimal()]
        return table
    opened = open_delimited(path)
    named = {
        column.strip().strip("\ufeff\"'"): index for index, column in enumerate(opened.columns)
    }
    if rule.subject not in named:
        raise RecordError(
            f"expected a column '{rule.subject}' as its data set has it, found "
            f"{len(named)} others; correct the table or give another --layout"
        )
    wanted = [
        name
        for name in dict.fromkeys(
            (
                rule.subject,
                rule.record,
                rule.visit,
                rule.time,
                rule.split,
                *rule.file,
                *rule.columns,
                *extra,
            )
        )
        if name in named
    ]
    columns, table.num_skipped = read_columns(opened, [named[name] for name in wanted])
    for cells in zip(*columns, strict=True):
        _add_row(table, dict(zip(wanted, cells, strict=True)))
    return table


def _add_row(table: DataSetTable, cells: dict[str, str]) -> None:
    rule = table.rule
    row = TableRow(
        _number(cells[rule.subject]),
        _number(cells.get(rule.record, "")),
        cells.get(rule.visit, "").strip(),
        _parse_time(cells.get(rule.time, "")),
        _find_split(rule, cells.get(rule.split, "")),
        cells,
    )
    table.rows.append(row)
    table.by_subject.setdefault(row.subject, row)
    if row.record:
        table.by_record.setdefault(row.record, row)
    for column in rule.file:
        tail = _tail(cells.get(column, ""))
        if tail:
            table.by_file.setdefault(tail[-1], []).append((tail, row))


def _tail(path: str) -> tuple[str, ...]:
    """The parts of a path without the ending of the last (`a/b/c.hea` and `a/b/c` are one)."""
    parts = [part for part in path.strip().replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts:
        return ()
    for ending in (".hea", ".dat", ".mat", ".csv", ".xml", ".dcm", ".gz", ".nii", ".zip", ".edf"):
        parts[-1] = parts[-1].removesuffix(ending)
    return tuple(parts)


def _number(text: str) -> str:
    """A cell as an identifier: numbers that a spreadsheet wrote as decimals lose their `.0`."""
    text = text.strip()
    head, point, tail = text.partition(".")
    return head if point and head.isdecimal() and tail.strip("0") == "" else text


def _parse_time(text: str) -> datetime | None:
    text = text.strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def _find_split(rule: TableRule, cell: str) -> str:
    wanted = _number(cell)
    return next((split for split, values in rule.splits.items() if wanted in values), "")


def find_split_by_person(rows: Sequence[TableRow]) -> tuple[dict[str, str], int]:
    """Person → the data set's own split; how many people it puts on several sides.

    These have no side of the set's: they get one of ours, as everybody whom it does not split.
    """
    splits: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.split:
            splits[row.subject].add(row.split)
    one_sided = {subject: next(iter(sides)) for subject, sides in splits.items() if len(sides) == 1}
    return one_sided, len(splits) - len(one_sided)
