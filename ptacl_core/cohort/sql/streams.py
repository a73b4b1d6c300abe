"""Rows of a statement piece by piece: memory holds a piece, and the first one comes at once."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from ptacl_core.cohort.sql.exports import encode_value, format_csv, plain_value
from ptacl_core.errors import QueryError
from ptacl_core.safety.processes.worker import Message

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True)
class ResultStream:
    """Columns of a result, and its rows as Arrow batches, read once.

    `is_truncated` says, after the last batch, that there were more rows than asked for.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    schema: "pa.Schema"
    batches: "Iterator[pa.RecordBatch]"
    is_truncated: bool = field(default=False)

    def rows(self) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of each batch as values that text formats take."""
        for batch in self.batches:
            columns = [
                [encode_value(value) for value in column.to_pylist()] for column in batch.columns
            ]
            yield list(zip(*columns, strict=True))


def write_csv(stream: ResultStream, out: TextIO) -> None:
    """CSV with LF; no cell is a formula."""
    out.write(format_csv(stream.columns, (), line_end="\n"))
    for rows in stream.rows():
        out.write(format_csv(None, rows, line_end="\n"))
        out.flush()


def write_json_lines(stream: ResultStream, out: TextIO) -> None:
    """One JSON object a line."""
    for text in _json_objects(stream):
        out.write(text + "\n")


def write_json_list(stream: ResultStream, out: TextIO) -> None:
    """One JSON list of objects, written as its rows come."""
    is_first = True
    out.write("[")
    for text in _json_objects(stream):
        out.write(("\n " if is_first else ",\n ") + text)
        is_first = False
    out.write("]\n" if is_first else "\n]\n")


def _json_objects(stream: ResultStream) -> Iterator[str]:
    if len(set(stream.columns)) != len(stream.columns):
        raise QueryError(
            f"JSON needs a name of its own for every column, got {', '.join(stream.columns)}; "
            "rename some with AS"
        )
    for rows in stream.rows():
        for row in rows:
            values = zip(stream.columns, row, strict=True)
            yield json.dumps({name: plain_value(value) for name, value in values}, allow_nan=False)


def read_batches(
    call: Callable[[Mapping[str, object]], tuple[Message, bytes]],
    mark_truncated: Callable[[], None],
) -> "Iterator[pa.RecordBatch]":
    """Batches that the console's process gives, until it has no more."""
    import pyarrow as pa

    while True:
        answer, block = call({"operation": "next"})
        if block:
            yield from pa.ipc.open_stream(block)
        if answer["is_last"]:
            if answer["is_truncated"]:
                mark_truncated()
            return
