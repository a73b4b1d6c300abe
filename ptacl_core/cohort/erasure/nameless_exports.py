"""Exports that name nobody and hold a value that is an erased person's: they are removed whole.

`SELECT lvef_pct, vector …` makes rows of people without their names, and enough digits tell whose
row it is. Values are looked for that no two people share: numbers of more than eight digits, and
vectors.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort.engine import (
    connect_reader,
    descriptor_path,
    execute,
    quote_name,
    readable_errors,
)
from ptacl_core.cohort.erasure.byte_search import walk_files
from ptacl_core.cohort.erasure.derived_files import CleanedFile
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.publication import open_published
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    import pyarrow as pa

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_PIECE_BYTES = 2**24
_DIGITS, _COARSE_DIGITS = 12, 8
_RUN = 4
"""So many components of a vector, one after another, are nobody else's."""


@dataclass(frozen=True, slots=True)
class TellingValues:
    """What only these people have: numbers as text of twelve digits, beginnings of vectors."""

    numbers: frozenset[str]
    vectors: Float32[Array, "vector 4"]

    def are_in(self, numbers: Iterable[Sequence[float]]) -> bool:
        """Whether one of the pieces of `numbers` holds one of them."""
        for piece in numbers:
            values = np.asarray(piece, np.float64)
            if any(spelled in self.numbers for spelled in _spell(values)):
                return True
            singles = values.astype(np.float32)
            for vector in self.vectors:
                at = np.flatnonzero(singles[: len(singles) - _RUN + 1] == vector[0])
                if any(np.array_equal(singles[row : row + _RUN], vector) for row in at):
                    return True
        return False


def read_telling_values(layout: CohortLayout, people: Sequence[str]) -> TellingValues:
    """What the published store says of these people and of nobody else. Raises CohortError."""
    numbers: set[str] = set()
    vectors: list[Float32[Array, " 4"]] = []
    with open_published(layout) as file:
        connection = connect_reader(descriptor_path(file.fileno()), label=layout.store)
        try:
            with readable_errors(layout.store):
                columns = execute(
                    connection,
                    "SELECT c.table_name, c.column_name, c.data_type FROM duckdb_columns() c "
                    "JOIN duckdb_columns() p USING (table_oid) JOIN duckdb_tables() t "
                    "USING (table_oid) WHERE p.column_name = 'patient' AND "
                    "(c.data_type = 'DOUBLE' OR starts_with(c.data_type, 'FLOAT['))",
                )
                for table, column, kind in columns:
                    rows = execute(
                        connection,
                        f"SELECT {quote_name(column)} FROM {quote_name(table)} "  # noqa: S608
                        f"WHERE list_contains($1::VARCHAR[], patient) "
                        f"AND {quote_name(column)} IS NOT NULL",
                        [list(people)],
                    )
                    if kind == "DOUBLE":
                        values = np.array([row[0] for row in rows], np.float64)
                        numbers.update(_spell(values))
                    else:
                        heads = (np.asarray(row[0][:_RUN], np.float32) for row in rows)
                        vectors += [head for head in heads if len({*head.tolist()}) == _RUN]
        finally:
            connection.close()
    stacked = np.stack(vectors) if vectors else np.empty((0, _RUN), np.float32)
    return TellingValues(frozenset(numbers), stacked)


def remove_nameless_exports(layout: CohortLayout, people: Sequence[str]) -> list[CleanedFile]:
    """Remove exports that hold a value of theirs; returns which. Raises CohortError."""
    if not layout.exports.is_dir():
        return []
    telling = read_telling_values(layout, people)
    removed = []
    for path in walk_files([layout.exports]):
        try:
            if telling.are_in(_read_numbers(path)):
                path.unlink()
                place = str(path.relative_to(layout.root))
                removed.append(CleanedFile(place, "removed: it held values of theirs, unnamed"))
        except OSError as error:
            raise CohortError(
                f"{path}: could not be searched ({error.strerror or error}); erase again"
            ) from None
    return removed


def _spell(values: Array) -> Iterator[str]:
    """Numbers of many digits as text; those of few digits are many people's."""
    for value in values[np.isfinite(values)].tolist():
        text = f"{value:.{_DIGITS}g}"
        if text != f"{value:.{_COARSE_DIGITS}g}":
            yield text


def _read_numbers(path: Path) -> Iterator[Sequence[float]]:
    """The numbers of a table in order, piece by piece; nothing of other files."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _read_columns(path)
    elif suffix in (".csv", ".tsv", ".json", ".jsonl"):
        kept = b""
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                head, newline, rest = (kept + piece).rpartition(b"\n")
                kept = rest if newline else b""
                yield [float(number) for number in _NUMBER.findall(head if newline else rest)]
        yield [float(number) for number in _NUMBER.findall(kept)]


def _read_columns(path: Path) -> Iterator[Sequence[float]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            for batch in file.iter_batches(65_536):
                for column in batch.columns:
                    yield from _read_column(column)
    except pa.ArrowException:
        return  # damaged: the search of the whole directory reports it as unread


def _read_column(column: "pa.Array") -> Iterator[Sequence[float]]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_floating(kind):
        yield column.drop_null().to_numpy(zero_copy_only=False)
    elif (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    ):
        yield from _read_column(column.flatten())
