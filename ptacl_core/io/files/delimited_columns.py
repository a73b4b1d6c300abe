"""A few columns of a delimited text file as strings, however wide and long the file is."""

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.files.bounded_file import check_file, shown_name

_MAX_FILE_BYTES = 64 * 1024**3
_MAX_HEADER_BYTES = 8 * 1024**2
_BLOCK_BYTES = 16 * 1024**2
_MAX_ROWS = 20_000_000
_MAX_SNIFFED_LINES = 20
_MAX_PREAMBLE_CHARACTERS = 64 * 1024
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_MARKS = (",", ";", "\t", "|")
_GZIP = b"\x1f\x8b"
_FOREIGN = {
    b"PK": "a ZIP archive or Excel workbook; save the table as CSV",
    b"\xd0\xcf": "an old Office document; save the table as CSV",
    b"PAR1": "a Parquet file; save the table as CSV",
    b"%PDF": "a PDF; save the table as CSV",
    b"SQLite": "a database; save the table as CSV",
}


@dataclass(frozen=True, slots=True)
class DelimitedFile:
    """A table whose header line has been read; `columns` are its names as they stand.

    `num_above` lines stand above the names: blank ones, Excel's `sep=;`, a title.
    """

    path: Path
    columns: tuple[str, ...]
    delimiter: str
    encoding: str
    num_above: int = 0


def open_delimited(path: Path) -> DelimitedFile:
    """Read the header line of a CSV, TSV or semicolon table, plain or gzip.

    Raises UnreadableFileError (missing, empty, damaged) or UnsupportedFormatError (no text table).
    """
    shown = shown_name(path)
    check_file(path, max_bytes=_MAX_FILE_BYTES)
    try:
        with path.open("rb") as probe:
            head = probe.read(8)
        with gzip.open(path) if head.startswith(_GZIP) else path.open("rb") as stream:
            data = stream.read(_MAX_HEADER_BYTES)
            encoding = _find_encoding(data, stream)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(
            f"{shown}: the table cannot be read ({type(error).__name__}); copy it again"
        ) from error
    for magic, what in _FOREIGN.items():
        if data.startswith(magic):
            raise UnsupportedFormatError(f"{shown}: expected a text table, found {what}")
    text = data.decode(encoding, errors="replace").lstrip("\ufeff")
    num_above, stated = _find_preamble(text)
    text = "".join(text.splitlines(keepends=True)[num_above:]) if num_above else text
    line = re.split(r"\r?\n|\r", text, maxsplit=1)[0]
    if not line.strip() or "\0" in line or len(line) == len(text) >= _MAX_HEADER_BYTES:
        raise UnsupportedFormatError(
            f"{shown}: expected a text table with column names in its first line; save it as CSV"
        )
    delimiter = stated or find_delimiter(text)
    try:
        columns = next(csv.reader(io.StringIO(line), delimiter=delimiter))
    except (csv.Error, StopIteration) as error:
        raise UnreadableFileError(f"{shown}: the line of column names is damaged") from error
    return DelimitedFile(path, tuple(columns), delimiter, encoding, num_above)


def _find_preamble(text: str) -> tuple[int, str]:
    """Lines above the column names, and the delimiter that a line `sep=;` states ("" none).

    A title is a line of one cell, its first, over one of several that are not numbers.
    """
    head = text[:_MAX_PREAMBLE_CHARACTERS].splitlines()
    stated = ""
    for number, line in enumerate(head):
        separator = _SEPARATOR_LINE.fullmatch(line.strip().strip('"'))
        if separator is not None:
            stated = separator[1]
        elif line.strip(" ,;\t|") and not _is_title(line, head[number + 1 :]):
            return number, stated
    return 0, ""


def _is_title(line: str, below: Sequence[str]) -> bool:
    names = next((row_below for row_below in below if row_below.strip(" ,;\t|")), "")
    mark = find_delimiter("\n".join([names, *below])) if names else ","
    first, *others = [cell.strip() for cell in line.split(mark)]
    cells = [cell.strip().strip('"') for cell in names.split(mark)]
    filled = [cell for cell in cells if cell]
    has_numbers = any(re.fullmatch(r"[-+\d.,]+", cell) for cell in filled)
    return bool(first) and not any(others) and len(filled) > 1 and not has_numbers


def find_delimiter(text: str) -> str:
    """What stands between the cells of the table in `text`: comma, semicolon, tab or bar.

    The mark that gives more than one column and the same number in most of the first lines;
    quotes are respected, and a decimal comma cannot win over the semicolon that really divides.
    """
    lines = [line for line in text.splitlines()[:_MAX_SNIFFED_LINES] if line.strip()]
    if len(text) >= _MAX_HEADER_BYTES and len(lines) > 1:
        lines.pop()  # it may be cut short

    def rate(mark: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=mark)]
        except csv.Error:
            return 0.0, 0
        if not widths or widths[0] < 2:
            return 0.0, 0
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    return max(_MARKS, key=rate)


def _undress(cell: str) -> str:
    """A cell without the formula that spreadsheets are given to keep an identifier text."""
    is_formula = cell.startswith('="') and cell.endswith('"') and len(cell) > 2
    return cell[2:-1] if is_formula else cell


def read_columns(table: DelimitedFile, indices: Sequence[int]) -> tuple[list[list[str]], int]:
    """The columns `indices` as strings, and how many rows were left out for a wrong cell count.

    Only these columns are kept in memory. Raises UnreadableFileError for text that cannot be
    split into rows, UnsupportedFormatError above 20 million rows.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(index) for index in range(len(table.columns))]
    wanted = [names[index] for index in indices]
    num_skipped = 0

    def skip(_row: Any) -> str:
        nonlocal num_skipped
        num_skipped += 1
        return "skip"

    columns: list[list[str]] = [[] for _ in wanted]
    try:
        with pa.input_stream(str(table.path), compression=_compression(table.path)) as stream:
            reader = arrow_csv.open_csv(
                stream,
                read_options=arrow_csv.ReadOptions(
                    column_names=names,
                    skip_rows=1 + table.num_above,
                    block_size=_BLOCK_BYTES,
                    encoding=table.encoding,
                    use_threads=False,
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=table.delimiter, invalid_row_handler=skip
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(wanted, pa.string()),
                    include_columns=wanted,
                    strings_can_be_null=False,
                    check_utf8=True,
                ),
            )
            for batch in reader:
                for column, values in zip(columns, batch.columns, strict=True):
                    column.extend(map(_undress, values.to_pylist()))
                if columns and len(columns[0]) > _MAX_ROWS:
                    raise UnsupportedFormatError(
                        f"{shown_name(table.path)}: the table has more than {_MAX_ROWS} rows; "
                        "split it"
                    )
    except (pa.ArrowException, OSError, UnicodeError, ValueError) as error:
        if isinstance(error, pa.ArrowInvalid) and "Empty CSV file" in str(error):
            return columns, 0
        raise UnreadableFileError(
            f"{shown_name(table.path)}: the rows of the table cannot be read "
            f"({type(error).__name__}); save it again as CSV in UTF-8"
        ) from error
    return columns, num_skipped


def _compression(path: Path) -> str | None:
    with path.open("rb") as probe:
        return "gzip" if probe.read(2) == _GZIP else None


def _find_encoding(start: bytes, rest: BufferedIOBase) -> str:
    """UTF-16 by its mark, UTF-8 when every byte of the file agrees, else Latin-1.

    The whole file is looked at: pyarrow cannot report a row that is not in the stated encoding.
    """
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        piece = start
        while piece:
            decoder.decode(piece)
            piece = rest.read(_BLOCK_BYTES)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"
