"""Results of queries as files, only under `exports/`, and as text for the terminal.

A spreadsheet takes a cell that starts with = + - @ for a formula, also after blanks and in
full-width letters; such text gets a leading apostrophe, and one record stays on one line.
Beside every file stands `<file>.about.json`: the statement, the store's version, how many rows
there are and whether there were more.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError, QueryError
from ptacl_core.safety.files.atomic import atomic_path, write_json
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    import pyarrow as pa

    from ptacl_core.cohort.sql.streams import ResultStream

ExportFormat = Literal["csv", "json", "parquet"]
EXPORT_FORMATS: tuple[str, ...] = get_args(ExportFormat)
RESEARCH_USE_ONLY = "For research use only. Not for diagnosis or treatment."

_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")
_MAX_CELL_CHARACTERS = 32_000
_ROWS_PER_GROUP = 32_768


@dataclass(frozen=True, slots=True)
class Export:
    """A file that a query was written to."""

    path: Path
    num_rows: int
    is_truncated: bool


def write_export(
    layout: CohortLayout,
    stream: "ResultStream",
    *,
    name: str,
    file_format: str,
    statement: str,
    store_version: int,
) -> Export:
    """Write a stream of rows to `exports/<name>.<file_format>`, piece by piece.

    Raises QueryError for a name or format that cannot be used, CohortError when the file
    cannot be written; a file of that name is replaced only when the new one is whole.
    """
    check_export(name, file_format)
    path = layout.exports / f"{name}.{file_format}"
    try:
        with atomic_path(path) as temporary:
            num_rows = _write_stream(stream, temporary, file_format)
        write_json(
            path.with_name(path.name + ".about.json"),
            {
                "notice": RESEARCH_USE_ONLY,
                "statement": statement,
                "store_version": store_version,
                "num_rows": num_rows,
                "is_truncated": stream.is_truncated,
                "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
    except OSError as error:
        raise CohortError(
            f"{path}: could not be written ({error.strerror or error}); what stood there before "
            "is unchanged: free some space, then try again"
        ) from None
    return Export(path, num_rows, stream.is_truncated)


def check_export(name: str, file_format: str) -> None:
    """Raise QueryError for a name or a format that no export may have."""
    if file_format not in EXPORT_FORMATS:
        raise QueryError(f"format: expected {', '.join(EXPORT_FORMATS)}, got {file_format!r}")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name):
        raise QueryError(
            "name: expected up to 100 letters, digits, blanks, '_', '-' or '.' (no folder), "
            f"got {clean_text(name)!r}"
        )


def format_csv(
    columns: Sequence[str] | None, rows: Iterable[Sequence[Any]], *, line_end: str = "\r\n"
) -> str:
    """Rows as CSV (RFC 4180) that no spreadsheet takes for formulas.

    Without `columns` there is no header.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end)
    if columns is not None:
        writer.writerow([_safe_cell(column) for column in columns])
    writer.writerows([_safe_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _write_stream(stream: "ResultStream", path: Path, file_format: str) -> int:
    if file_format == "parquet":
        return _write_parquet(stream, path)
    from ptacl_core.cohort.sql.streams import write_json_list

    num_rows = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        if file_format == "csv":
            out.write(format_csv(stream.columns, ()))
            for rows in stream.rows():
                out.write(format_csv(None, rows))
                num_rows += len(rows)
        else:
            counted = _CountedBatches(stream.batches)
            stream.batches = counted
            write_json_list(stream, out)
            num_rows = counted.num_rows
    return num_rows


def _write_parquet(stream: "ResultStream", path: Path) -> int:
    """Row groups of some ten thousand rows: memory holds one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    noted = {**(stream.schema.metadata or {}), b"notice": RESEARCH_USE_ONLY.encode()}
    schema = stream.schema.with_metadata(noted)
    num_rows, waiting = 0, []
    with pq.ParquetWriter(path, schema) as writer:
        for batch in stream.batches:
            waiting.append(batch)
            num_rows += batch.num_rows
            if sum(pending.num_rows for pending in waiting) >= _ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_batches(waiting).cast(schema))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting).cast(schema))
    return num_rows


class _CountedBatches:
    """Batches that are counted as they pass."""

    def __init__(self, batches: "Iterator[pa.RecordBatch]") -> None:
        self._batches = batches
        self.num_rows = 0

    def __iter__(self) -> "_CountedBatches":
        return self

    def __next__(self) -> "pa.RecordBatch":
        batch = next(self._batches)
        self.num_rows += batch.num_rows
        return batch


def _safe_cell(value: Any) -> Any:
    plain = plain_value(value)
    if plain is None:
        return ""
    if isinstance(plain, (list, dict)):
        plain = json.dumps(plain)
    if not isinstance(plain, str):
        return plain
    starts_formula = plain.lstrip(" \u00a0\u3000").startswith(_FORMULA_STARTS)
    text = clean_text(plain, max_length=_MAX_CELL_CHARACTERS)
    return f"'{text}" if starts_formula or text.startswith("'") else text


def plain_value(value: Any) -> Any:
    """A value as JSON has it; numbers that are not finite become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def encode_value(value: Any) -> Any:
    """A value as JSON: numbers, text, lists and objects; the rest as DuckDB prints it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [encode_value(item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode_value(item) for key, item in value.items()}
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
