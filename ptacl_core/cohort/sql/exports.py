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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.errors import CohortError, QueryError
from ptacl_core.safety.files.atomic import atomic_path, write_json
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    import pyarrow as pa

ExportFormat = Literal["csv", "json", "parquet"]
EXPORT_FORMATS: tuple[str, ...] = get_args(ExportFormat)
RESEARCH_USE_ONLY = "For research use only. Not for diagnosis or treatment."

_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")
_MAX_CELL_CHARACTERS = 32_000


@dataclass(frozen=True, slots=True)
class Export:
    """A file that a query was written to."""

    path: Path
    num_rows: int
    is_truncated: bool


def write_export(
    layout: CohortLayout,
    stream: bytes,
    *,
    name: str,
    file_format: str,
    statement: str,
    store_version: int,
    is_truncated: bool,
) -> Export:
    """Write an Arrow stream of rows to `exports/<name>.<file_format>`.

    Raises QueryError for a name or format that cannot be used, CohortError when the file
    cannot be written; a file of that name is replaced only when the new one is whole.
    """
    import pyarrow as pa

    if file_format not in EXPORT_FORMATS:
        raise QueryError(f"format: expected {', '.join(EXPORT_FORMATS)}, got {file_format!r}")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}", name):
        raise QueryError(
            "name: expected up to 100 letters, digits, blanks, '_', '-' or '.' (no folder), "
            f"got {clean_text(name)!r}"
        )
    table = pa.ipc.open_stream(stream).read_all()
    path = layout.exports / f"{name}.{file_format}"
    try:
        layout.exports.mkdir(exist_ok=True, mode=0o700)
        with atomic_path(path) as temporary:
            _write_table(table, temporary, file_format)
        write_json(
            path.with_name(path.name + ".about.json"),
            {
                "notice": RESEARCH_USE_ONLY,
                "statement": statement,
                "store_version": store_version,
                "num_rows": table.num_rows,
                "is_truncated": is_truncated,
                "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
    except OSError as error:
        raise CohortError(
            f"{path}: could not be written ({error.strerror or error}); what stood there before "
            "is unchanged: free some space, then try again"
        ) from None
    return Export(path, table.num_rows, is_truncated)


def format_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV (RFC 4180) that no spreadsheet takes for formulas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_safe_cell(column) for column in columns])
    writer.writerows([_safe_cell(value) for value in row] for row in rows)
    return text.getvalue()


def format_json(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as a JSON list of objects; numbers that are not finite become null."""
    if len(set(columns)) != len(columns):
        raise QueryError(
            f"JSON needs a name of its own for every column, got {', '.join(columns)}; "
            "rename some with AS"
        )
    documents = [
        {name: _plain(value) for name, value in zip(columns, row, strict=True)} for row in rows
    ]
    return json.dumps(documents, indent=1, allow_nan=False) + "\n"


def _write_table(table: "pa.Table", path: Path, file_format: str) -> None:
    if file_format == "parquet":
        import pyarrow.parquet as pq

        noted = {**(table.schema.metadata or {}), b"notice": RESEARCH_USE_ONLY.encode()}
        pq.write_table(table.replace_schema_metadata(noted), path)
        return
    columns = table.column_names
    values = [column.to_pylist() for column in table.columns]
    rows = list(zip(*values, strict=True)) if values else []
    formatted = format_csv if file_format == "csv" else format_json
    path.write_text(formatted(columns, rows), encoding="utf-8", newline="")


def _safe_cell(value: Any) -> Any:
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, (list, dict)):
        plain = json.dumps(plain)
    if not isinstance(plain, str):
        return plain
    starts_formula = plain.lstrip(" \u00a0\u3000").startswith(_FORMULA_STARTS)
    text = clean_text(plain, max_length=_MAX_CELL_CHARACTERS)
    return f"'{text}" if starts_formula or text.startswith("'") else text


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
