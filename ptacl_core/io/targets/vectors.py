"""Vectors that another model made of people: a Parquet table, a row per person or visit."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io.files.bounded_file import check_file, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_DIM = 16_384
"""Longest vector that is taken."""
MAX_NUMBERS = 2**27
"""Most numbers of a table that are taken: 131,072 vectors of 1,024 values."""
MAX_BYTES = 2 * 1024**3
"""Largest file that is taken."""
_LIST = "vector"
_NUMBERED = re.compile(r"v(0|[1-9]\d{0,4})")
_FLOAT_ID = re.compile(r"(\d+)\.0+")


@dataclass(frozen=True, slots=True, eq=False)
class VectorTable:
    """Rows of the table: whose, of which visit ("": all), and the vector."""

    subjects: tuple[str, ...]
    visits: tuple[str, ...]
    values: Float32[Array, "row dim"]


def read_vector_table(path: Path, *, person: str, visit: str | None = None) -> VectorTable:
    """The vectors in the list column `vector`, or in number columns v0, v1 … of a Parquet file.

    Raises UnreadableFileError for a damaged file, UnsupportedFormatError where a column is missing,
    a row names nobody, a value is not finite, or vectors differ in length.
    """
    import pyarrow.parquet as pq

    name = shown_name(path)
    check_file(path, max_bytes=MAX_BYTES)
    with library_faults(name, "Parquet file"):
        file = pq.ParquetFile(path)
        names, num_rows = list(file.schema_arrow.names), int(file.metadata.num_rows)
    parts = _find_columns(name, names)
    keys = [column for column in (person, visit) if column is not None]
    for column in keys:
        if column not in names:
            shown = ", ".join(clean_text(other, max_length=40) for other in names[:6])
            raise UnsupportedFormatError(
                f"{name}: expected the column '{clean_text(column, max_length=40)}'; it has {shown}"
                f"{' …' if len(names) > 6 else ''}; --person and --visit name the columns"
            )
    if num_rows == 0:
        raise UnsupportedFormatError(f"{name}: expected a row per person, found none")
    if _count_numbers(file, parts) > MAX_NUMBERS:
        raise UnsupportedFormatError(
            f"{name}: {_count_numbers(file, parts):,} numbers; at most {MAX_NUMBERS:,} are taken"
        )
    with library_faults(name, "Parquet file"):
        table = file.read(columns=[*keys, *parts])
    values = _read_values(name, table, parts)
    subjects = _read_labels(table, person)
    if not all(subjects):
        raise UnsupportedFormatError(
            f"{name}: {subjects.count('')} rows have nothing in the column '{person}'"
        )
    visits = ("",) * num_rows if visit is None else _read_labels(table, visit)
    return VectorTable(subjects, visits, values)


def _find_columns(name: str, names: list[str]) -> list[str]:
    """The list column, or v0 to vN without a gap."""
    if _LIST in names:
        return [_LIST]
    numbered = sorted(int(column[1:]) for column in names if _NUMBERED.fullmatch(column))
    if not numbered or numbered != list(range(len(numbered))):
        raise UnsupportedFormatError(
            f"{name}: expected a list column 'vector', or number columns v0, v1 … without a gap; "
            f"found {len(numbered)} such columns among {len(names)}"
        )
    _check_dim(name, len(numbered))
    return [f"v{number}" for number in numbered]


def _read_values(name: str, table: "pa.Table", parts: list[str]) -> Float32[Array, "row dim"]:
    values = _read_lists(name, table) if parts == [_LIST] else _read_numbers(name, table, parts)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    is_bad = ~np.isfinite(single).all(axis=1)
    if is_bad.any():
        raise UnsupportedFormatError(
            f"{name}: expected finite values, found NaN, infinity or nothing in "
            f"{int(is_bad.sum())} of {len(single)} rows (the first is row "
            f"{int(is_bad.argmax()) + 1})"
        )
    return single


def _read_lists(name: str, table: "pa.Table") -> Float64[Array, "row dim"]:
    import pyarrow as pa
    from pyarrow import compute

    column = table.column(_LIST)
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    is_list = is_list or pa.types.is_fixed_size_list(kind)
    if not is_list or not _is_number(kind.value_type):
        raise UnsupportedFormatError(
            f"{name}: expected lists of numbers in the column 'vector', found {kind}"
        )
    lengths: set[int] = set()
    pieces = []
    for chunk in column.chunks:
        sizes = compute.call_function("list_value_length", [chunk]).fill_null(0)
        lengths |= set(np.unique(sizes.to_numpy(zero_copy_only=False)).tolist())
        flat = chunk.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
        pieces.append(np.asarray(flat, np.float64))
    if len(lengths) != 1 or 0 in lengths:
        raise UnsupportedFormatError(
            f"{name}: expected vectors of one length, found {min(lengths)} to {max(lengths)} values"
        )
    _check_dim(name, max(lengths))
    return np.concatenate(pieces).reshape(table.num_rows, max(lengths))


def _read_numbers(name: str, table: "pa.Table", parts: list[str]) -> Float64[Array, "row dim"]:
    kinds = [table.schema.field(part).type for part in parts]
    wrong = sorted({str(kind) for kind in kinds if not _is_number(kind)})
    if wrong:
        raise UnsupportedFormatError(
            f"{name}: expected numbers in v0, v1 …, found {', '.join(wrong[:3])}"
        )
    return np.stack([np.asarray(table.column(part).to_numpy(), np.float64) for part in parts], 1)


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _check_dim(name: str, dim: int) -> None:
    if dim > MAX_DIM:
        raise UnsupportedFormatError(
            f"{name}: vectors of {dim} values; at most {MAX_DIM} are taken"
        )


def _count_numbers(file: "pq.ParquetFile", parts: list[str]) -> int:
    """Numbers in the columns of vectors, which the file tells before any is unpacked."""
    metadata = file.metadata
    return sum(
        chunk.num_values
        for group in range(metadata.num_row_groups)
        for chunk in map(metadata.row_group(group).column, range(metadata.num_columns))
        if chunk.path_in_schema.split(".")[0] in parts
    )


def _read_labels(table: "pa.Table", column: str) -> tuple[str, ...]:
    """Identifiers as text; whole numbers that were written as floats lose their point."""
    texts = ["" if value is None else str(value).strip() for value in table[column].to_pylist()]
    return tuple(matched[1] if (matched := _FLOAT_ID.fullmatch(text)) else text for text in texts)
